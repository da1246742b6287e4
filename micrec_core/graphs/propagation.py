"""LightGCN's mean over layers as one operation: no sum and no layer is stored twice.

    Ê = M sum_{l = 0..L} A^l E,   A = D^-1/2 [0 R; R^T 0] D^-1/2,   M = 1 / (L + 1), or 1 where an
                                                                    entity has no edge

(He et al., 2020, eq. 3 and 8; M is ours.) A is symmetric and M a constant wherever A is not zero,
so the gradient is the same sum of the gradient, taken by Horner's rule, which stores no layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrec_core.graphs import wide
from micrec_core.graphs.operators import BipartiteGraph, Csr, Dropout, is_wide

Pair = tuple[Tensor, Tensor]


def normalised(
    graph: BipartiteGraph,
    degree: Pair,
    users: Tensor,
    items: Tensor,
    drop: Dropout | None = None,
) -> Pair:
    """One step over the symmetric-normalised graph: what users get, and what items get.

    The edges that ``drop`` takes are made up for by the others; norms keep all degrees.
    """
    user_scale, item_scale = (d.clamp(min=1.0) ** -0.5 for d in degree)
    rescale = 1.0 if drop is None else 1.0 / (1.0 - drop.rate)
    return (
        graph.to_users(items, user_scale * rescale, item_scale, drop),
        graph.to_items(users, item_scale * rescale, user_scale, drop),
    )


def light_gcn(
    graph: BipartiteGraph,
    degree: Pair,
    users: Tensor,
    items: Tensor,
    layers: int,
    drop: Dropout | None = None,
) -> Pair:
    """The mean of 0 to ``layers`` steps, of users [n_users, dim] and of items [n_items, dim].

    Parameters
    ----------
    degree : train degrees of users and items; whoever has an edge has one above 0

    Notes
    -----
    On the CPU by the kernels of ``wide`` where they take the operands, else step by step; the
    results are the same to the last bit.
    """
    mean = 1.0 / (layers + 1)
    means = torch.where(degree[0] > 0, mean, 1.0), torch.where(degree[1] > 0, mean, 1.0)
    if layers > 0 and drop is None and graph.symmetric and is_wide(users, items, *degree):
        return _LightGCN.apply(users, items, graph, degree, means, layers)
    sum_users, sum_items = users, items
    for _ in range(layers):
        users, items = normalised(graph, degree, users, items, drop)
        sum_users, sum_items = sum_users + users, sum_items + items
    return sum_users * means[0][:, None], sum_items * means[1][:, None]


class _LightGCN(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        items: Tensor,
        graph: BipartiteGraph,
        degree: Pair,
        means: Pair,
        layers: int,
    ) -> Pair:
        sides = _sides(graph, degree)
        ctx.rest = (sides, means, layers)
        now = [users.contiguous(), items.contiguous()]
        total = now
        sums = [torch.empty_like(x) for x in now]
        for _ in range(layers - 1):
            after = [torch.empty_like(x) for x in now]
            for side in (0, 1):
                given = now[1 - side], total[side], after[side], sums[side]
                wide.layer_rows(*sides[side], *_numpy(*given))
            now, total = after, sums
        for side in (0, 1):
            given = now[1 - side], total[side], means[side], sums[side]
            wide.add_rows(*sides[side], *_numpy(*given))
        return sums[0], sums[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        sides, means, layers = ctx.rest
        start = [g * mean[:, None] for g, mean in zip(gradients, means, strict=True)]
        ones = [torch.ones_like(mean) for mean in means]
        now = start
        for _ in range(layers):
            after = [torch.empty_like(x) for x in start]
            for side in (0, 1):
                given = now[1 - side], start[side], ones[side], after[side]
                wide.add_rows(*sides[side], *_numpy(*given))
            now = after
        return now[0], now[1], None, None, None, None


def _sides(graph: BipartiteGraph, degree: Pair) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What the kernels take of either direction: to users, to items."""
    users, items = ((d.clamp(min=1.0) ** -0.5).numpy() for d in degree)

    def side(csr: Csr, *scales: NDArray[np.float32]) -> tuple[Any, ...]:
        return csr.bounds, csr.indptr, csr.indices, *scales

    return side(graph.by_user, users, items), side(graph.by_item, items, users)


def _numpy(*tensors: Tensor) -> tuple[Any, ...]:
    return tuple(x.numpy() for x in tensors)
