"""The sum of a propagation's layers as one operation, which stores each layer once and no sum.

The gradient is the same sum of the gradient over the transposed steps, by Horner's rule.

A layer of users needs the last one of items alone, and the other way about: these are two chains
of steps, and one after the other they find what they read in the cache more often than in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from micrec_core.graphs.fast.sums import sum_rows

if TYPE_CHECKING:
    from micrec_core.graphs.propagation import Pair, Steps


def layer_sums(users: Tensor, items: Tensor, steps: Steps, layers: int) -> Pair:
    """The sum of 0 to ``layers`` steps, one at least, of users and of items.

    ``steps``: what sends to users and what sends to items.
    """
    return _LayerSums.apply(users, items, steps, layers)


class _LayerSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, steps: Steps, layers: int) -> Pair:
        ctx.rest = steps, layers
        start = users, items
        between = [[users] * (layers - 1), [items] * (layers - 1)]
        last = list(start)
        for begin in (1, 0):
            x, side = start[begin], begin
            for layer in range(layers - 1):
                side = 1 - side
                x = between[side][layer] = sum_rows(steps[side], x)
            last[side] = x
        out = []
        for to in (0, 1):
            sums, also = start[to], None
            for table in between[to]:
                sums, also = sums if also is None else sums + also, table
            out.append(sum_rows(steps[to], last[1 - to], sums, also))
        return out[0], out[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        steps, layers = ctx.rest
        # The steps back to users and to items; of a symmetric graph they are the same two.
        back = steps[1].T, steps[0].T
        out = list(gradients)
        for begin in (1, 0):
            x, side = gradients[begin], begin
            for _ in range(layers):
                side = 1 - side
                x = sum_rows(back[side], x, gradients[side])
            out[side] = x
        return out[0], out[1], None, None
