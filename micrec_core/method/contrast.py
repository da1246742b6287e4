"""The contrastive losses that MICRec and baselines share: InfoNCE one way and both ways.

The scores of n rows against n others, [n, n], are the largest thing in such a loss, and autograd
writes and reads them a dozen times. Here value and gradients are found together, in one table and
one pass. Cosines have a largest score, so nothing is searched for one.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# The lowest temperature: exp(-2 / 0.025) is still a normal float32.
COLDEST = 0.025


def info_nce(a: Tensor, b: Tensor, temperature: float, counted: Tensor | None = None) -> Tensor:
    """Each row of ``a`` against all rows of ``b``, the same row its positive; [n, dim] each.

    InfoNCE (van den Oord et al., 2018, eq. 4) on cosines over the temperature, which is at least
    ``COLDEST``. Rows that are not ``counted``, bool [n], are as if they were not there.
    """
    a, b = directions(a), directions(b)
    loss: Tensor = _Contrast.apply(a, b, 1.0 / temperature, False, counted)
    return loss


def symmetric_info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """The mean of ``info_nce`` of a against b and of b against a; [n, dim] each."""
    a, b = directions(a), directions(b)
    loss: Tensor = _Contrast.apply(a, b, 1.0 / temperature, True, None)
    return loss


def directions(x: Tensor) -> Tensor:
    """Rows [n, dim] of length 1; one of zeros stays and has no gradient.

    It points nowhere, and what ``normalize`` gives it is 1e12 times too long: whatever else an item
    without neighbours learns from in a step would be rounded away beside it.
    """
    still = (x == 0).all(1, keepdim=True)
    return F.normalize(torch.where(still, x.detach(), x), dim=1)


class _Contrast(torch.autograd.Function):
    """mean of log sum_j exp(heat (a_i . b_j - a_i . b_i)) over i, or over both sides of the scores.

    Rows have a length of at most 1, so exp(heat (cosine - 1)) neither overflows nor, down to
    ``COLDEST``, vanishes.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, b: Tensor, heat: float, both: bool, counted: Tensor | None
    ) -> Tensor:
        n = len(a)
        share = a.new_full((n,), 1.0 / n) if counted is None else counted / counted.sum()
        own = heat * ((a * b).sum(1) - 1.0)
        scores = torch.addmm(a.new_full((1,), -heat), a, b.T, alpha=heat).exp_()
        if counted is not None:
            scores *= counted
        # A row that does not count has no positive among the scores, and must have a sum.
        sums = [scores.sum(1) if counted is None else scores.sum(1).where(counted, 1.0)]
        if both:
            sums.append(scores.sum(0))
        parts = len(sums)
        logs = [((total.log() - own) * share).sum() for total in sums]
        loss = torch.stack(logs).mean()
        weight = (share / sums[0])[:, None]
        if both:
            weight = weight + share / sums[1]
        scores *= weight
        # The gradient of the scores: softmax less 1 at the positive, over as many sides.
        scale = heat / parts
        of_positive = heat * share[:, None]
        ctx.save_for_backward(
            torch.addmm(of_positive * b, scores, b, beta=-1.0, alpha=scale),
            torch.addmm(of_positive * a, scores.T, a, beta=-1.0, alpha=scale),
        )
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        return a * gradient, b * gradient, None, None, None


def distinct(rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """The rows, ascending and each once, or ``marked`` where counting them would take the host."""
    return marked(rows) if rows.is_cuda else (torch.unique(rows), None)


def marked(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The rows [n], ascending, and whether each is the first of its kind."""
    rows = rows.sort().values
    return rows, torch.cat([rows.new_ones(1, dtype=torch.bool), rows[1:] != rows[:-1]])
