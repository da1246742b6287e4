"""The kernels for wide rows and the fused propagation against the plain ones, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from micrec_core.graphs import kernels
from micrec_core.graphs.lending import NeighbourGraph
from micrec_core.graphs.operators import BipartiteGraph, Dropout
from micrec_core.graphs.propagation import light_gcn, normalised

N_USERS, N_ITEMS = 150, 90


@pytest.fixture(scope="module")
def graph() -> BipartiteGraph:
    """Uneven degrees; users and items without edges, the last row among them."""
    rng = np.random.default_rng(0)
    matrix = (rng.random((N_USERS, N_ITEMS)) < rng.random((N_USERS, 1)) * 0.3).astype(np.float32)
    matrix[[0, 7, N_USERS - 1]] = 0
    matrix[:, [5, N_ITEMS - 1]] = 0
    matrix[11] = 1
    matrix[11, [5, N_ITEMS - 1]] = 0
    return BipartiteGraph(sparse.csr_matrix(matrix))


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scales() -> tuple[torch.Tensor, torch.Tensor]:
    return draw(N_USERS, seed=2).abs() + 0.1, draw(N_ITEMS, seed=3).abs() + 0.1


def plain(graph: BipartiteGraph, x: torch.Tensor, transposed: bool, drop: Dropout | None):
    users, items = (s.numpy() for s in scales())
    csr, rows, columns = (
        (graph.by_item, items, users) if transposed else (graph.by_user, users, items)
    )
    out = np.empty((csr.n_rows, x.shape[1]), np.float32)
    arguments = csr.indptr, csr.indices, rows, columns, x.numpy(), out
    if drop is None:
        kernels.scaled_sum_rows(*arguments)
    else:
        kernels.scaled_sum_rows_dropped(
            *arguments, np.uint32(drop.seed), drop.threshold, transposed
        )
    return out


@pytest.mark.parametrize("dim", [64, 192])
@pytest.mark.parametrize("drop", [None, Dropout(0.5, 17), Dropout(0.0, 1), Dropout(0.999, 3)])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_equal_those_of_the_plain_kernels(graph, dim, drop, transposed) -> None:
    x = draw(N_USERS if transposed else N_ITEMS, dim)
    users, items = scales()
    rows, columns = (items, users) if transposed else (users, items)
    found = graph.product(x, transposed, rows, columns, drop)
    assert np.array_equal(found.numpy(), plain(graph, x, transposed, drop))


def test_other_operands_take_the_plain_kernels(graph) -> None:
    users, items = scales()
    for x in (draw(N_ITEMS, 63), draw(N_ITEMS, 64).double(), draw(N_ITEMS, 0)):
        found = graph.to_users(x, users.to(x.dtype), items.to(x.dtype))
        wanted = graph.there.product(x.float(), False, users, items, None).to(x.dtype)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_parts_cover_every_row_once(graph) -> None:
    for csr in (graph.by_user, graph.by_item):
        assert csr.bounds[0] == 0 and csr.bounds[-1] == csr.n_rows
        assert (np.diff(csr.bounds) >= 0).all()


def test_a_graph_without_edges_or_rows_gives_zeros() -> None:
    for shape in ((3, 2), (0, 2), (3, 0)):
        empty = BipartiteGraph(sparse.csr_matrix(shape, dtype=np.float32))
        ones = torch.ones(shape[0]), torch.ones(shape[1])
        for drop in (None, Dropout(0.5, 1)):
            found = empty.to_users(torch.ones(shape[1], 64), *ones, drop)
            assert found.shape == (shape[0], 64) and not found.any()


def test_neighbours_equal_those_of_the_plain_kernel() -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(-1, N_ITEMS, (N_USERS, 5))
    graph = NeighbourGraph(rows, rng.random(rows.shape).astype(np.float32), N_ITEMS)
    for transposed, n in ((False, N_ITEMS), (True, N_USERS)):
        x = draw(n, 64)
        csr, values = graph.part(transposed)
        out = np.empty((csr.n_rows, 64), np.float32)
        kernels.weighted_sum_rows(csr.indptr, csr.indices, values, x.numpy(), out)
        assert np.array_equal(graph.product(x, transposed).numpy(), out)


def by_steps(graph: BipartiteGraph, users: torch.Tensor, items: torch.Tensor, layers: int):
    degree = graph.degrees()
    totals = [users, items]
    for _ in range(layers):
        users, items = normalised(graph, degree, users, items)
        totals = [totals[0] + users, totals[1] + items]
    means = (torch.where(d > 0, 1.0 / (layers + 1), 1.0) for d in degree)
    return [total * mean[:, None] for total, mean in zip(totals, means, strict=True)]


@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
def test_fused_propagation_equals_single_steps(graph, layers) -> None:
    found, wanted = [], []
    weights = draw(N_USERS, 64, seed=8), draw(N_ITEMS, 64, seed=9)
    for out, way in (
        (found, lambda u, i: light_gcn(graph, graph.degrees(), u, i, layers)),
        (wanted, lambda u, i: by_steps(graph, u, i, layers)),
    ):
        users, items = draw(N_USERS, 64).requires_grad_(), draw(N_ITEMS, 64).requires_grad_()
        pair = way(users, items)
        torch.stack(
            [(x.square() * w).sum() for x, w in zip(pair, weights, strict=True)]
        ).sum().backward()
        out += [*(x.detach() for x in pair), users.grad, items.grad]
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b)
    isolated = graph.degrees()[0] == 0
    assert torch.equal(found[0][isolated], draw(N_USERS, 64)[isolated])


def test_fused_propagation_takes_views_and_one_sided_gradients(graph) -> None:
    both = draw(64, N_USERS + N_ITEMS).T.requires_grad_()
    users, _ = light_gcn(graph, graph.degrees(), both[:N_USERS], both[N_USERS:], 2)
    users.sum().backward()
    twin = both.detach().clone().requires_grad_()
    by_steps(graph, twin[:N_USERS], twin[N_USERS:], 2)[0].sum().backward()
    assert both.grad is not None and twin.grad is not None
    torch.testing.assert_close(both.grad, twin.grad, rtol=1e-6, atol=1e-7)


def test_fused_propagation_reuses_nothing_that_is_still_needed(graph) -> None:
    pairs = [
        [draw(n, 64, seed=seed + n).requires_grad_() for n in (N_USERS, N_ITEMS)]
        for seed in (20, 30)
    ]
    outs = [light_gcn(graph, graph.degrees(), *pair, 3) for pair in pairs]
    wanted = [by_steps(graph, *pair, 3) for pair in pairs]
    for out, plain in zip(outs, wanted, strict=True):
        assert all(map(torch.equal, out, plain))
    for pair, out, plain in zip(pairs, outs, wanted, strict=True):
        gradients = [torch.autograd.grad(sum(x.sum() for x in y), pair) for y in (out, plain)]
        assert all(map(torch.equal, *gradients))


def test_norms_follow_the_degrees(graph) -> None:
    degree = graph.degrees()
    first = [norm.clone() for norm in graph.norms(degree)]
    degree[0].mul_(4.0)
    again = graph.norms(degree)
    assert torch.equal(again[1], first[1])
    positive = degree[0] > 0
    torch.testing.assert_close(again[0][positive], first[0][positive] / 2)
    assert torch.equal(graph.norms(graph.degrees())[0], first[0])
