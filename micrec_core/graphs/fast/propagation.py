"""The sum of a propagation's layers as one operation, which stores each layer once and no sum.

The gradient is the same sum of the gradient over the transposed steps, by Horner's rule.

A layer of users needs the last one of items alone, and the other way about: these are two chains
of steps, and one after the other they find what they read in the cache more often than in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from micrec_core.graphs.fast.sums import sum_rows

if TYPE_CHECKING:
    from micrec_core.graphs.propagation import Pair
    from micrec_core.graphs.sparse import SparseMatrix

    Steps = tuple[SparseMatrix, ...]


def layer_sums(
    users: Tensor, items: Tensor, steps: Steps, layers: int, asked: Sequence[Tensor] | None = None
) -> Pair:
    """The sum of 0 to ``layers`` steps, one at least, of users and of items.

    ``steps``: what sends to users and what sends to items. ``asked``: the rows of either, int64,
    that are looked at: the others are not computed, and gradients start from these alone.
    """
    only = None
    if asked is not None:
        sizes = (len(users), asked[0]), (len(items), asked[1])
        only = [torch.zeros(n, dtype=torch.bool).index_fill_(0, one, True) for n, one in sizes]
    sums: tuple[Tensor, Tensor] = _LayerSums.apply(users, items, steps, layers, only)
    return sums


class _LayerSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        items: Tensor,
        steps: Steps,
        layers: int,
        only: list[Tensor] | None,
    ) -> Pair:
        ctx.rest = steps, layers, only
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
            rows = None if only is None else only[to]
            out.append(sum_rows(steps[to], last[1 - to], sums, also, only=rows))
        return out[0], out[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        steps, layers, only = ctx.rest
        # The steps back to users and to items; of a symmetric graph they are the same two.
        back = steps[1].T, steps[0].T
        out = list(gradients)
        for begin in (1, 0):
            x, side = gradients[begin], begin
            for layer in range(layers):
                told, side = side, 1 - side
                given = layer == 0 and only is not None
                matrix = _masked(back[side], only[told]) if given else back[side]
                x = sum_rows(matrix, x, gradients[side])
            out[side] = x
        return out[0], out[1], None, None, None


def _masked(matrix: SparseMatrix, columns: Tensor) -> SparseMatrix:
    """The matrix with these columns alone, bool [n_cols]."""
    kept = columns.index_select(0, matrix.pattern.indices)
    return type(matrix)(matrix.pattern, matrix.values * kept, True)
