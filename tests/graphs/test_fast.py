"""Every kernel equals the plain operator that it stands for, forward and in its gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from micrec_core.graphs import fast
from micrec_core.graphs.aggregation import NeighbourGraph, aggregate
from micrec_core.graphs.bipartite import BipartiteGraph, Dropout
from micrec_core.graphs.gathering import take, takeable
from micrec_core.graphs.propagation import light_gcn, light_gcn_rows, normalised

N_USERS, N_ITEMS = 150, 90
Outcome = list[Tensor]


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def graph() -> BipartiteGraph:
    """Uneven degrees; users and items without edges, the last row among them."""
    rng = np.random.default_rng(0)
    matrix = (rng.random((N_USERS, N_ITEMS)) < rng.random((N_USERS, 1)) * 0.3).astype(np.float32)
    matrix[[0, 7, N_USERS - 1]] = 0
    matrix[11] = 1
    matrix[:, [5, N_ITEMS - 1]] = 0
    return BipartiteGraph(sparse.csr_matrix(matrix))


@pytest.fixture(scope="module")
def neighbours() -> NeighbourGraph:
    rng = np.random.default_rng(4)
    rows = rng.integers(-1, N_USERS, (N_USERS, 5))
    return NeighbourGraph(rows, rng.random(rows.shape).astype(np.float32), N_USERS)


def both(work: Callable[..., Outcome], *tables: Tensor) -> list[Outcome]:
    """What ``work`` makes of tables, and their gradients: by the kernels, and plain."""

    def outcome() -> Outcome:
        own = [table.clone().requires_grad_() for table in tables]
        made = work(*own)
        told = [draw(*x.shape, seed=20 + n) for n, x in enumerate(made)]
        return [*made, *torch.autograd.grad(made, own, told, allow_unused=True)]

    kernels = outcome()
    with fast.plain():
        return [kernels, outcome()]


def same(found: list[Outcome]) -> None:
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dim", [64, 192])
@pytest.mark.parametrize("drop", [None, Dropout(0.5, 17), Dropout(0.999, 3)])
def test_sums_of_rows(graph, dim, drop) -> None:
    users, items = draw(N_USERS, seed=2).abs(), draw(N_ITEMS, seed=3).abs()
    left = graph.dropped(drop)
    same(both(lambda x: [left.to_users(x, users, items)], draw(N_ITEMS, dim)))
    same(both(lambda x: [left.to_items(x, items, users)], draw(N_USERS, dim)))


@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
def test_light_gcn(graph, layers, drop) -> None:
    start = draw(N_USERS, 64), draw(N_ITEMS, 64)
    found = both(lambda u, i: list(light_gcn(graph, graph.degrees(), u, i, layers, drop)), *start)
    same(found)
    isolated = graph.degrees()[0] == 0
    assert torch.equal(found[0][0][isolated], start[0][isolated])


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_light_gcn_equals_single_steps_to_the_last_bit(graph, layers) -> None:
    def by_steps(users: Tensor, items: Tensor) -> Outcome:
        degree = graph.degrees()
        totals = [users, items]
        for _ in range(layers):
            users, items = normalised(graph, degree, users, items)
            totals = [totals[0] + users, totals[1] + items]
        means = (torch.where(d > 0, 1.0 / (layers + 1), 1.0) for d in degree)
        return [total * mean[:, None] for total, mean in zip(totals, means, strict=True)]

    start = draw(N_USERS, 64), draw(N_ITEMS, 64)
    one, _ = both(lambda u, i: list(light_gcn(graph, graph.degrees(), u, i, layers)), *start)
    other, _ = both(by_steps, *start)
    assert all(map(torch.equal, one, other))


@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
def test_rows_of_light_gcn(graph, layers) -> None:
    of_users, of_items = ([3, 3, 0, 149], [149, 7], []), ([89, 2, 2, 4], [1])
    lists = [[torch.tensor(one, dtype=torch.long) for one in some] for some in (of_users, of_items)]

    def work(users: Tensor, items: Tensor) -> Outcome:
        users_, items_ = light_gcn_rows(graph, graph.degrees(), users, items, layers, *lists)
        return [*users_, *items_]

    found = both(work, draw(N_USERS, 64), draw(N_ITEMS, 64))
    same(found)
    whole = light_gcn(graph, graph.degrees(), draw(N_USERS, 64), draw(N_ITEMS, 64), layers)
    for part, one in zip(found[0], [*lists[0], *lists[1]]):
        place = 0 if any(one is other for other in lists[0]) else 1
        assert torch.equal(part, whole[place][one])


def test_light_gcn_takes_views_and_one_sided_gradients(graph) -> None:
    def users_alone(both_sides: Tensor) -> Outcome:
        parts = both_sides.T[:N_USERS], both_sides.T[N_USERS:]
        return [light_gcn(graph, graph.degrees(), *parts, 2)[0]]

    same(both(users_alone, draw(64, N_USERS + N_ITEMS)))


@pytest.mark.parametrize("with_content", [True, False])
@pytest.mark.parametrize("one_table", [True, False])
def test_aggregation(neighbours, one_table, with_content) -> None:
    share = draw(N_USERS, seed=5) if with_content else None

    def work(start: Tensor, senders: Tensor, weight: Tensor, content: Tensor) -> Outcome:
        given = start if one_table else senders
        rest = (content, share) if with_content else ()
        return [aggregate(start, given, weight, neighbours, *rest)]

    tables = [draw(N_USERS, 64, seed=n) for n in (1, 2, 3)]
    same(both(work, tables[0], tables[1], draw(N_USERS, seed=4), tables[2]))


def test_rows_taken(graph) -> None:
    rows = [torch.tensor(one, dtype=torch.long) for one in ([3, 3, 0], [149], [])]

    def work(table: Tensor) -> Outcome:
        opened = takeable(table)
        return [*take(opened, *rows), 2.0 * opened]

    same(both(work, draw(N_USERS, 64)))


def test_what_the_kernels_do_not_take_is_computed_all_the_same(graph) -> None:
    users, items = draw(N_USERS, seed=2).abs(), draw(N_ITEMS, seed=3).abs()
    dense = graph.to_users(torch.eye(N_ITEMS), users, items)
    for x in (draw(N_ITEMS, 63), draw(N_ITEMS, 64).double(), draw(N_ITEMS, 0)):
        assert not fast.takes(x)
        found = graph.to_users(x, users, items)
        torch.testing.assert_close(found, dense.to(x.dtype) @ x, rtol=1e-4, atol=1e-5)


def test_plain_holds_while_it_lasts_and_no_longer() -> None:
    x = draw(2, 64)
    with fast.plain(), fast.plain():
        assert not fast.takes(x)
    assert fast.takes(x)


def test_parts_cover_every_row_once(graph) -> None:
    for pattern in (graph.pattern, graph.pattern.transposed[0]):
        assert pattern.bounds[0] == 0 and pattern.bounds[-1] == pattern.n_rows
        assert (np.diff(pattern.bounds) >= 0).all()
