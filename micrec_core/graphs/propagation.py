"""LightGCN's mean over layers as one operation, which stores each layer once and no sum of them.

    Ê = M sum_{l = 0..L} A^l E,   A = D^-1/2 [0 R; R^T 0] D^-1/2,   M = 1 / (L + 1), or 1 where an
                                                                    entity has no edge

(He et al., 2020, eq. 3 and 8; M is ours.) A is symmetric and M a constant wherever A is not zero,
so the gradient is the same sum of the gradient, taken by Horner's rule, which stores no layer.

A layer of users needs the last one of items alone, and the other way about: these are two chains
of steps, and one after the other they find what they read in the cache more often than in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrec_core.graphs import wide
from micrec_core.graphs.operators import BipartiteGraph, Csr, Dropout, arrays, is_wide
from micrec_core.graphs.taking import take, takeable

Floats = NDArray[np.float32]
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
    means = _means(degree, layers)
    if layers > 0 and drop is None and _is_fused(graph, degree, users, items):
        return _LightGCN.apply(users, items, graph, degree, means, layers)
    sum_users, sum_items = users, items
    for _ in range(layers):
        users, items = normalised(graph, degree, users, items, drop)
        sum_users, sum_items = sum_users + users, sum_items + items
    return sum_users * means[0][:, None], sum_items * means[1][:, None]


def light_gcn_rows(
    graph: BipartiteGraph,
    degree: Pair,
    users: Tensor,
    items: Tensor,
    layers: int,
    user_rows: Sequence[Tensor],
    item_rows: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    """Rows of what ``light_gcn`` gives: by each of the lists, int64 [n], [n, dim].

    On the CPU nobody else's last layer is computed, and the gradient starts from these rows alone.
    """
    if layers == 0 or not _is_fused(graph, degree, users, items):
        final = light_gcn(graph, degree, users, items, layers)
        return take(takeable(final[0]), *user_rows), take(takeable(final[1]), *item_rows)
    asked, places = zip(*map(_distinct, (user_rows, item_rows)), strict=True)
    means = _means(degree, layers)
    found = _LightGCNRows.apply(users, items, graph, degree, means, layers, asked)
    of_users, of_items = (
        take(takeable(rows), *where) for rows, where in zip(found, places, strict=True)
    )
    return of_users, of_items


def _means(degree: Pair, layers: int) -> Pair:
    mean = 1.0 / (layers + 1)
    return torch.where(degree[0] > 0, mean, 1.0), torch.where(degree[1] > 0, mean, 1.0)


def _is_fused(graph: BipartiteGraph, degree: Pair, users: Tensor, items: Tensor) -> bool:
    return graph.on_host and graph.symmetric and is_wide(users, items, *degree)


def _distinct(lists: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """All rows of the lists, each once, and where among them those of each list are."""
    rows, places = torch.unique(torch.cat(list(lists)), return_inverse=True)
    return rows, list(places.split([len(one) for one in lists]))


class _LightGCNRows(torch.autograd.Function):
    """``_LightGCN`` asked for some rows of users and of items, each once."""

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        items: Tensor,
        graph: BipartiteGraph,
        degree: Pair,
        means: Pair,
        layers: int,
        asked: Pair,
    ) -> Pair:
        sides = _sides(graph, degree)
        ctx.rest = (graph, sides, means, layers, asked)
        dim = users.shape[1]
        start = arrays(users.contiguous(), items.contiguous())
        rows, mean = arrays(*asked), arrays(*means)
        out = torch.empty(len(asked[0]), dim), torch.empty(len(asked[1]), dim)
        into = arrays(*out)
        with _tables(graph, layers - 1, dim) as between:
            last = list(start)
            for begin in (1, 0):
                x, side = start[begin], begin
                for layer in range(layers - 1):
                    side = 1 - side
                    wide.scaled_sum_rows(*sides[side], x, between[side][layer])
                    x = between[side][layer]
                last[side] = x
            for to in (0, 1):
                _, *matrix = sides[to]
                given = last[1 - to], start[to], between[to], mean[to], into[to]
                wide.mean_of_rows(rows[to], *matrix, *given)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        graph, sides, means, layers, asked = ctx.rest
        dim = gradients[0].shape[1]
        sizes = graph.n_users, graph.n_items
        own, place = [], []
        for n, rows, mean, gradient in zip(sizes, asked, means, gradients, strict=True):
            own.append((mean[rows, None] * gradient).numpy())
            places = np.full(n, -1, np.int32)
            places[rows.numpy()] = np.arange(len(rows), dtype=np.int32)
            place.append(places)
        out = tuple(torch.empty(n, dim) for n in sizes)
        into = arrays(*out)
        with _tables(graph, min(layers - 1, 1), dim) as between:

            def step(side: int, x: Floats, first: bool, target: Floats) -> None:
                if first:
                    some = place[1 - side], x, place[side], own[side], target
                    wide.sum_of_some_rows(*sides[side], *some)
                else:
                    wide.sum_rows_on_some(*sides[side], x, place[side], own[side], target)

            _horner(layers, own, between, into, step)
        return *out, *[None] * 5


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
        ctx.rest = (graph, sides, means, layers)
        starts = users.contiguous(), items.contiguous()
        out = torch.empty_like(starts[0]), torch.empty_like(starts[1])
        start, mean, into = arrays(*starts), arrays(*means), arrays(*out)
        last = list(start)
        side = 0
        # From three layers on, nobody gathers the first one when the means are written over it.
        held = layers > 2
        with _tables(graph, layers - 1 - held, users.shape[1]) as between:
            for begin in (1, 0):
                x, side = start[begin], begin
                for layer in range(layers - 1):
                    side = 1 - side
                    target = between[side][layer - held] if layer or not held else into[side]
                    wide.scaled_sum_rows(*sides[side], x, target)
                    x = target
                last[side] = x
            # Whoever needs the layer that was written last comes first.
            for to in (1 - side, side):
                given = last[1 - to], start[to], held, between[to], mean[to], into[to]
                wide.mean_rows(*sides[to], *given)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        graph, sides, means, layers = ctx.rest
        starts = [g.contiguous() for g in gradients]
        out = torch.empty_like(starts[0]), torch.empty_like(starts[1])
        start, mean, into = arrays(*starts), arrays(*means), arrays(*out)
        with _tables(graph, min(layers - 1, 1), starts[0].shape[1]) as between:

            def step(side: int, x: Floats, first: bool, target: Floats) -> None:
                given = x, mean[1 - side], start[side], mean[side], first, target
                wide.horner_rows(*sides[side], *given)

            _horner(layers, start, between, into, step)
        return *out, None, None, None, None


def _horner(
    layers: int,
    start: Sequence[Floats],
    between: tuple[Floats, Floats],
    into: Sequence[Floats],
    step: Callable[[int, Floats, bool, Floats], None],
) -> None:
    """Horner's rule along both chains: ``step`` gets the side, what it gathers, whether that is
    ``start``, and where the result goes, which is ``into`` in the end."""
    for begin in (1, 0):
        x, side = start[begin], begin
        for layer in range(layers):
            side = 1 - side
            target = into[side] if layer == layers - 1 else between[side][0]
            step(side, x, layer == 0, target)
            x = target


@contextmanager
def _tables(graph: BipartiteGraph, n: int, dim: int) -> Iterator[tuple[Floats, Floats]]:
    """Room for n tables of users [n, n_users, dim] and of items, which nobody sees afterwards.

    The graph keeps it for the next time, for new memory costs as much as it takes to fill it.
    """
    size, n_users = n * (graph.n_users + graph.n_items) * dim, n * graph.n_users * dim
    try:
        room = graph.spare.pop()
    except IndexError:
        room = torch.empty(0)
    if len(room) < size:
        room = torch.empty(size)
    flat = room.numpy()
    yield (
        flat[:n_users].reshape(n, graph.n_users, dim),
        flat[n_users:size].reshape(n, graph.n_items, dim),
    )
    graph.spare.append(room)


def _sides(graph: BipartiteGraph, degree: Pair) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What the kernels take of either direction: to users, to items."""
    users, items = (scale.numpy() for scale in graph.norms(degree))

    def side(csr: Csr, *scales: Floats) -> tuple[Any, ...]:
        return csr.bounds, csr.indptr, csr.indices, *scales

    return side(graph.by_user, users, items), side(graph.by_item, items, users)
