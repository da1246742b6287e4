"""The sampled softmax, value and gradients in one pass over the batch.

Autograd would write and read the [batch, n_negatives] scores some fifteen times, and they are the
largest thing in a step. Here they live block by block in the processor's cache: a block is scored,
exponentiated, and multiplied into both gradients before the next one is begun.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# Scores of a block, in numbers: 4 MiB of float32 on a processor; a GPU wants it all at once.
_BLOCK = 2**20


def sampled_softmax(
    users: Tensor,
    positives: Tensor,
    negatives: Tensor,
    items: Tensor,
    drawn: Tensor,
    n_items: int,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross entropy of the positive against items drawn uniformly, shared by the batch.

    The negatives stand for all ``n_items``: their scores are raised by log(n_items / n_negatives)
    (the logQ correction of a uniform proposal, Bengio and Senecal, 2008). A negative that is the
    pair's own positive is left out.

    Parameters
    ----------
    users, positives : [batch, dim]
    negatives : [n_negatives, dim]
    items : int64 [batch], rows of the positives
    drawn : int64 [n_negatives], rows of the negatives
    weights : [batch], of the pairs; 1 by default
    """
    if weights is None:
        weights = torch.ones(len(users), dtype=users.dtype, device=users.device)
    share = weights / len(users)
    shift = math.log(n_items / len(negatives))
    return _SampledSoftmax.apply(users, positives, negatives, items, drawn, share, shift)


class _Clashes:
    """Where a negative is the pair's own positive, found by search: they are few."""

    def __init__(self, items: Tensor, drawn: Tensor):
        ordered, order = drawn.sort()
        first, end = (torch.searchsorted(ordered, items, right=right) for right in (False, True))
        # The second one of an item that was drawn twice is looked up by its place after the first.
        counts = end - first
        self.pairs = torch.repeat_interleave(counts)
        within = torch.arange(len(self.pairs)) - (counts.cumsum(0) - counts)[self.pairs]
        self.columns = order[first[self.pairs] + within]

    def leave_out(self, scores: Tensor, start: int) -> None:
        """Set those among ``scores`` [n, n_negatives] of the pairs from ``start`` on to -inf."""
        a, b = torch.searchsorted(self.pairs, torch.tensor([start, start + len(scores)])).tolist()
        scores[self.pairs[a:b] - start, self.columns[a:b]] = float("-inf")


class _SampledSoftmax(torch.autograd.Function):
    """sum_b share_b (logsumexp(own score, all other scores + shift) - own score)."""

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        positives: Tensor,
        negatives: Tensor,
        items: Tensor,
        drawn: Tensor,
        share: Tensor,
        shift: float,
    ) -> Tensor:
        batch, n = len(users), len(negatives)
        size = batch if users.is_cuda else max(1, _BLOCK // max(n, 1))
        to_users = torch.empty_like(users)
        to_negatives = torch.zeros_like(negatives)
        # Scaling both own scores and others by exp(-shift) leaves the loss as it is.
        own = (users * positives).sum(1) - shift
        to_own = torch.empty_like(own)
        loss = torch.zeros((), dtype=users.dtype, device=users.device)
        flipped = negatives.T
        clashes = None if users.is_cuda else _Clashes(items, drawn)
        for start in range(0, batch, size):
            part = slice(start, start + size)
            scores = users[part] @ flipped
            if clashes is None:
                scores.masked_fill_(items[part, None] == drawn, float("-inf"))
            else:
                clashes.leave_out(scores, start)
            top = torch.maximum(scores.amax(1), own[part])
            scores.sub_(top[:, None]).exp_()
            alone = (own[part] - top).exp_()
            total = scores.sum(1).add_(alone)
            loss += (share[part] * (top - own[part] + total.log())).sum()
            factor = (share[part] / total)[:, None]
            torch.mm(scores, negatives, out=to_users[part])
            to_users[part] *= factor
            to_negatives.addmm_(scores.T, users[part] * factor)
            to_own[part] = share[part] * (alone / total - 1.0)
        ctx.save_for_backward(
            to_users.addcmul_(to_own[:, None], positives), to_own[:, None] * users, to_negatives
        )
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        users, positives, negatives = ctx.saved_tensors
        return users * gradient, positives * gradient, negatives * gradient, *[None] * 4
