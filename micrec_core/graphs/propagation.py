"""Propagation over the symmetric-normalised graph, and LightGCN's mean over its layers.

    Ê = M sum_{l = 0..L} A^l E,   A = D^-1/2 [0 R; R^T 0] D^-1/2,   M = 1 / (L + 1), or 1 where an
                                                                    entity has no edge

(He et al., 2020, eq. 3 and 8; M is ours, docs/method.md, section 7.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor

from micrec_core.graphs import fast
from micrec_core.graphs.aggregation import Brought
from micrec_core.graphs.bipartite import BipartiteGraph, Dropout
from micrec_core.graphs.gathering import take, takeable
from micrec_core.graphs.sparse import SparseMatrix

Pair = tuple[Tensor, Tensor]
Steps = tuple[SparseMatrix | Brought, ...]


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
    to_users, to_items = _steps(graph, degree, drop)
    return to_users @ items, to_items @ users


def light_gcn(
    graph: BipartiteGraph,
    degree: Pair,
    users: Tensor,
    items: Tensor,
    layers: int,
    drop: Dropout | None = None,
) -> Pair:
    """The mean of 0 to ``layers`` steps, of users [n_users, ...] and of items [n_items, ...].

    ``degree``: train degrees of users and items; whoever has an edge has one above 0.
    """
    sums = _sums(_steps(graph, degree, drop), users, items, layers)
    shape = (-1, *[1] * (users.ndim - 1))
    of_users, of_items = (
        total * mean.view(shape) for total, mean in zip(sums, _means(degree, layers), strict=True)
    )
    return of_users, of_items


def light_gcn_rows(
    graph: BipartiteGraph,
    degree: Pair,
    users: Tensor,
    items: Tensor,
    layers: int,
    *rows: Sequence[Tensor],
) -> list[list[Tensor]]:
    """Rows of what ``light_gcn`` gives: by each list of users and of items, int64 [n], [n, dim]."""
    steps = _steps(graph, degree, None)
    if layers == 0 or not _compiled(steps, users, items):
        final = light_gcn(graph, degree, users, items, layers)
        return [take(takeable(table), *lists) for table, lists in zip(final, rows, strict=True)]
    # Each row once, and the mean of these alone.
    asked = [torch.unique(torch.cat(list(lists)), return_inverse=True) for lists in rows]
    distinct = [one for one, _ in asked]
    sums = fast.layer_sums(users, items, steps, layers, distinct)
    found = []
    for d, (one, places) in enumerate(asked):
        (part,) = take(takeable(sums[d]), one)
        own = takeable(part * _means(degree, layers)[d][one, None])
        found.append(take(own, *places.split([len(some) for some in rows[d]])))
    return found


def _means(degree: Pair, layers: int) -> Pair:
    mean = 1.0 / (layers + 1)
    return torch.where(degree[0] > 0, mean, 1.0), torch.where(degree[1] > 0, mean, 1.0)


def _sums(steps: Steps, users: Tensor, items: Tensor, layers: int) -> Pair:
    """The sum of 0 to ``layers`` steps."""
    if layers > 0 and _compiled(steps, users, items):
        return fast.layer_sums(users, items, steps, layers)
    sum_users, sum_items = users, items
    for _ in range(layers):
        users, items = steps[0] @ items, steps[1] @ users
        sum_users, sum_items = sum_users + users, sum_items + items
    return sum_users, sum_items


def _compiled(steps: Steps, *tables: Tensor) -> TypeGuard[tuple[SparseMatrix, ...]]:
    """Whether a kernel takes over: not where rows have to be brought between two steps."""
    return all(isinstance(step, SparseMatrix) for step in steps) and fast.takes(*tables)


def _steps(graph: BipartiteGraph, degree: Pair, drop: Dropout | None) -> Steps:
    """A: what sends to users, and what sends to items."""
    if drop is None:
        return graph.normalised(degree)
    users, items = (d.clamp(min=1.0) ** -0.5 for d in degree)
    return graph.dropped(drop).scaled(users * (1.0 / (1.0 - drop.rate)), items)
