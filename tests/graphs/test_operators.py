"""Sparse products against dense matrices, forward and backward, on both paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.graphs.lending import NeighbourGraph
from micrec_core.graphs.operators import BipartiteGraph, Dropout

N_USERS, N_ITEMS, DIM = 12, 9, 5


@pytest.fixture
def dense() -> NDArray[np.float32]:
    """Interactions with a user (3) and an item (5) that have none."""
    matrix = (np.random.default_rng(0).random((N_USERS, N_ITEMS)) < 0.35).astype(np.float32)
    matrix[3] = 0
    matrix[:, 5] = 0
    return matrix


@pytest.fixture
def graph(dense: NDArray[np.float32]) -> BipartiteGraph:
    return BipartiteGraph(sparse.csr_matrix(dense))


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scales() -> tuple[torch.Tensor, torch.Tensor]:
    return draw(N_USERS, seed=2).abs() + 0.1, draw(N_ITEMS, seed=3).abs() + 0.1


def mask_of(drop: Dropout) -> NDArray[np.bool_]:
    users, items = np.indices((N_USERS, N_ITEMS))
    return drop.keep(users.ravel(), items.ravel()).reshape(N_USERS, N_ITEMS)


def check(found: torch.Tensor, wanted: NDArray[np.floating]) -> None:
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
def test_both_directions_equal_dense_products(dense, graph, drop) -> None:
    users, items = scales()
    kept = dense * (1 if drop is None else mask_of(drop))
    x, y = draw(N_ITEMS, DIM), draw(N_USERS, DIM)
    wide = kept.astype(np.float64)
    check(
        graph.to_users(x, users, items, drop),
        np.diag(users.double()) @ wide @ np.diag(items.double()) @ x.double().numpy(),
    )
    check(
        graph.to_items(y, items, users, drop),
        np.diag(items.double()) @ wide.T @ np.diag(users.double()) @ y.double().numpy(),
    )


@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
@pytest.mark.parametrize("to_users", [True, False])
def test_gradients_equal_dense_autograd(dense, graph, drop, to_users) -> None:
    users, items = scales()
    kept = torch.from_numpy(dense * (1 if drop is None else mask_of(drop)))
    x = draw(N_ITEMS if to_users else N_USERS, DIM).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    if to_users:
        found = graph.to_users(x, users, items, drop)
        wanted = users[:, None] * (kept @ (items[:, None] * twin))
    else:
        found = graph.to_items(x, items, users, drop)
        wanted = items[:, None] * (kept.T @ (users[:, None] * twin))
    weight = draw(*wanted.shape, seed=9)
    (found.square() * weight).sum().backward()
    (wanted.square() * weight).sum().backward()
    torch.testing.assert_close(x.grad, twin.grad, rtol=1e-5, atol=1e-5)


def test_gradients_equal_finite_differences(graph) -> None:
    users, items = (s.double() for s in scales())
    drop = Dropout(0.3, 5)
    x = draw(N_ITEMS, 2).double().requires_grad_()
    y = draw(N_USERS, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: graph.to_users(x, users, items), x)
    assert torch.autograd.gradcheck(lambda x: graph.to_users(x, users, items, drop), x)
    assert torch.autograd.gradcheck(lambda y: graph.to_items(y, items, users, drop), y)


@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
@pytest.mark.parametrize("transposed", [False, True])
def test_torch_path_equals_kernels(graph, drop, transposed) -> None:
    users, items = scales()
    x = draw(N_USERS if transposed else N_ITEMS, DIM)
    rows, cols = (items, users) if transposed else (users, items)
    torch.testing.assert_close(
        graph.there.product(x, transposed, rows, cols, drop),
        graph.product(x, transposed, rows, cols, drop),
        rtol=1e-5,
        atol=1e-6,
    )


def test_kernels_drop_what_the_rule_says_in_both_directions() -> None:
    """On a complete graph, the products with unit vectors are the mask itself."""
    full = BipartiteGraph(sparse.csr_matrix(np.ones((N_USERS, N_ITEMS))))
    ones = torch.ones(N_USERS), torch.ones(N_ITEMS)
    for seed in (0, 1, 2**31 - 1):
        drop = Dropout(0.5, seed)
        forward = full.to_users(torch.eye(N_ITEMS), *ones, drop)
        backward = full.to_items(torch.eye(N_USERS), *reversed(ones), drop)
        assert np.array_equal(forward.numpy(), mask_of(drop))
        assert np.array_equal(backward.numpy(), mask_of(drop).T)
    assert not np.array_equal(mask_of(Dropout(0.5, 0)), mask_of(Dropout(0.5, 1)))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.9])
def test_dropout_rate_holds_over_edges_and_over_seeds(rate) -> None:
    users, items = (a.ravel() for a in np.indices((300, 300)))
    kept = Dropout(rate, 12345).keep(users, items)
    deviation = np.sqrt(rate * (1 - rate) / len(users))
    assert abs(kept.mean() - (1 - rate)) <= 5 * deviation
    seeds = np.random.default_rng(0).integers(2**31, size=2000)
    pair = np.array([7]), np.array([3])
    often = np.mean([Dropout(rate, int(seed)).keep(*pair)[0] for seed in seeds])
    assert abs(often - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / len(seeds))


def test_dropped_rows_and_columns_are_not_tied_together() -> None:
    """A row's or a column's share of survivors varies as independent draws would."""
    users, items = (a.ravel() for a in np.indices((400, 400)))
    kept = Dropout(0.3, 99).keep(users, items).reshape(400, 400)
    wanted = np.sqrt(0.3 * 0.7 / 400)
    for axis in (0, 1):
        assert kept.mean(axis=axis).std() == pytest.approx(wanted, rel=0.25)


def test_duplicates_and_order_of_entries_do_not_matter(dense) -> None:
    rows, cols = np.nonzero(dense)
    rows, cols = np.r_[rows, rows[:4]], np.r_[cols, cols[:4]]
    order = np.random.default_rng(3).permutation(len(rows))
    graph = BipartiteGraph(
        sparse.csr_matrix((np.full(len(rows), 7.0), (rows[order], cols[order])), dense.shape)
    )
    assert graph.n_edges == int(dense.sum())
    users, items = graph.degrees()
    assert np.array_equal(users, dense.sum(1))
    assert np.array_equal(items, dense.sum(0))
    ones = torch.ones(N_USERS), torch.ones(N_ITEMS)
    check(graph.to_users(torch.eye(N_ITEMS), *ones), dense)


def test_operand_may_be_a_view_that_is_not_contiguous(dense, graph) -> None:
    users, items = torch.ones(N_USERS), torch.ones(N_ITEMS)
    x = draw(DIM, N_ITEMS).T
    check(graph.to_users(x, users, items), dense.astype(np.float64) @ x.double().numpy())


@pytest.fixture
def neighbours() -> tuple[NeighbourGraph, NDArray[np.float64]]:
    """Weighted neighbours with a row of none and a place left empty; and the same, dense."""
    rng = np.random.default_rng(4)
    rows = np.stack([rng.choice(N_ITEMS, 3, replace=False) for _ in range(N_USERS)])
    weights = rng.random((N_USERS, 3)).astype(np.float32)
    rows[2], rows[6, 1:] = -1, -1
    dense = np.zeros((N_USERS, N_ITEMS))
    for r, (places, values) in enumerate(zip(rows, weights, strict=True)):
        for place, value in zip(places, values, strict=True):
            if place >= 0:
                dense[r, place] += value
    return NeighbourGraph(rows, weights, N_ITEMS), dense


def test_neighbours_lend_as_the_dense_matrix_does(neighbours) -> None:
    graph, dense = neighbours
    x = draw(N_ITEMS, DIM).requires_grad_()
    found = graph @ x
    check(found, dense @ x.detach().double().numpy())
    gradient = draw(N_USERS, DIM, seed=8)
    found.backward(gradient)
    check(x.grad, dense.T @ gradient.double().numpy())
    assert not found[2].any()


def test_neighbours_by_torch_equal_neighbours_by_kernels(neighbours) -> None:
    graph, _ = neighbours
    for transposed, n in ((False, N_ITEMS), (True, N_USERS)):
        x = draw(n, DIM)
        torch.testing.assert_close(graph.torch_product(x, transposed), graph.product(x, transposed))


def test_neighbour_gradients_equal_finite_differences(neighbours) -> None:
    graph, _ = neighbours
    x = draw(N_ITEMS, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: graph @ x, x)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu(dense) -> None:
    users, items = scales()
    x = draw(N_ITEMS, DIM).requires_grad_()
    there = x.detach().cuda().requires_grad_()
    drop = Dropout(0.4, 17)
    near, far = (BipartiteGraph(sparse.csr_matrix(dense), d) for d in ("cpu", "cuda"))
    near.to_users(x, users, items, drop).square().sum().backward()
    far.to_users(there, users.cuda(), items.cuda(), drop).square().sum().backward()
    torch.testing.assert_close(there.grad.cpu(), x.grad, rtol=1e-5, atol=1e-5)
