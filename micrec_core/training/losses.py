"""The losses of the objective. Tensors in, scalars out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bpr(
    users: Tensor, positives: Tensor, negatives: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Bayesian personalised ranking (Rendle et al., 2009): mean softplus(y_uj - y_ui).

    All [batch, dim]; one negative per positive. ``weights`` [batch] of the pairs, 1 by default.
    """
    return _mean(F.softplus((users * (negatives - positives)).sum(1)), weights)


def user_weights(degrees: Tensor, power: float) -> Tensor:
    """degree^power of the users of a batch, scaled to a mean of 1: [batch].

    With 0 every interaction weighs the same; above, those of active users weigh more, which say
    more of what goes together than the few of the others do.
    """
    weights = degrees.clamp(min=1.0) ** power
    return weights / weights.mean()


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).mean()


def self_enhanced(users: Tensor, positives: Tensor, negatives: Tensor, diagonal: Tensor) -> Tensor:
    """INMO's self-enhanced loss: BPR on template vectors under a learned diagonal [dim]."""
    return F.softplus((users * diagonal * (negatives - positives)).sum(1)).mean()


def squared_length(*embeddings: Tensor) -> Tensor:
    """Mean over the batch of the summed squared norms; each [batch, dim]."""
    return sum((e.square().sum(1).mean() for e in embeddings), torch.zeros(()))
