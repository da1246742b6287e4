"""The contrastive loss that MICRec and baselines share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Each row of ``a`` against all rows of ``b``, the same row its positive; [n, dim] each.

    InfoNCE (van den Oord et al., 2018, eq. 4) on cosines over the temperature.
    """
    similarity = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    return F.cross_entropy(similarity, torch.arange(len(a), device=a.device))
