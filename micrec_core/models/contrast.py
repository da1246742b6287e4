"""The contrastive loss that MICRec and baselines share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(a: Tensor, b: Tensor, temperature: float, counted: Tensor | None = None) -> Tensor:
    """Each row of ``a`` against all rows of ``b``, the same row its positive; [n, dim] each.

    InfoNCE (van den Oord et al., 2018, eq. 4) on cosines over the temperature. Rows that are not
    ``counted``, bool [n], are as if they were not there.
    """
    similarity = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    own = torch.arange(len(a), device=a.device)
    if counted is None:
        return F.cross_entropy(similarity, own)
    # Its own positive stays to a row that does not count, or its gradient would be no number.
    others = ~counted & (own[:, None] != own)
    losses = F.cross_entropy(similarity.masked_fill(others, float("-inf")), own, reduction="none")
    return (losses * counted).sum() / counted.sum()


def distinct(rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """The rows, ascending and each once, or ``marked`` where counting them would take the host."""
    return marked(rows) if rows.is_cuda else (torch.unique(rows), None)


def marked(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The rows [n], ascending, and whether each is the first of its kind."""
    rows = rows.sort().values
    return rows, torch.cat([rows.new_ones(1, dtype=torch.bool), rows[1:] != rows[:-1]])
