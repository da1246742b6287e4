"""Products with a domain's graph against dense matrices, forward and backward, by any way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.graphs.bipartite import BipartiteGraph, Dropout

N_USERS, N_ITEMS = 12, 9
# Tables of 64 columns are multiplied by the kernels, others by torch.
DIMS = pytest.mark.parametrize("dim", [5, 64, 192])


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
    return kept_of(drop, users, items)


def kept_of(drop: Dropout, users: NDArray, items: NDArray) -> NDArray[np.bool_]:
    kept = drop.keep(*(torch.from_numpy(rows.ravel()) for rows in (users, items)))
    return kept.numpy().reshape(users.shape)


def check(found: torch.Tensor, wanted: NDArray[np.floating]) -> None:
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-5, atol=1e-5)


@DIMS
@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17), Dropout(0.0, 1), Dropout(0.999, 3)])
def test_both_directions_equal_dense_products(dense, graph, drop, dim) -> None:
    users, items = scales()
    kept = dense * (1 if drop is None else mask_of(drop))
    x, y = draw(N_ITEMS, dim), draw(N_USERS, dim)
    wide = kept.astype(np.float64)
    check(
        graph.dropped(drop).to_users(x, users, items),
        np.diag(users.double()) @ wide @ np.diag(items.double()) @ x.double().numpy(),
    )
    check(
        graph.dropped(drop).to_items(y, items, users),
        np.diag(items.double()) @ wide.T @ np.diag(users.double()) @ y.double().numpy(),
    )


@DIMS
@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
@pytest.mark.parametrize("to_users", [True, False])
def test_gradients_equal_dense_autograd(dense, graph, drop, to_users, dim) -> None:
    users, items = scales()
    kept = torch.from_numpy(dense * (1 if drop is None else mask_of(drop)))
    x = draw(N_ITEMS if to_users else N_USERS, dim).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    if to_users:
        found = graph.dropped(drop).to_users(x, users, items)
        wanted = users[:, None] * (kept @ (items[:, None] * twin))
    else:
        found = graph.dropped(drop).to_items(x, items, users)
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
    assert torch.autograd.gradcheck(lambda x: graph.dropped(drop).to_users(x, users, items), x)
    assert torch.autograd.gradcheck(lambda y: graph.dropped(drop).to_items(y, items, users), y)


@DIMS
def test_edges_are_dropped_as_the_rule_says_in_both_directions(dim) -> None:
    """On a complete graph, the products with unit vectors are the mask itself."""
    full = BipartiteGraph(sparse.csr_matrix(np.ones((N_USERS, N_ITEMS))))
    for seed in (0, 1, 2**31 - 1):
        drop = Dropout(0.5, seed)
        left = full.dropped(drop)
        forward = left.to_users(torch.eye(N_ITEMS, max(dim, N_ITEMS)))
        backward = left.to_items(torch.eye(N_USERS, max(dim, N_USERS)))
        assert np.array_equal(forward[:, :N_ITEMS].numpy(), mask_of(drop))
        assert np.array_equal(backward[:, :N_USERS].numpy(), mask_of(drop).T)
    assert not np.array_equal(mask_of(Dropout(0.5, 0)), mask_of(Dropout(0.5, 1)))


def plain_rule(left: int, right: int, seed: int) -> int:
    """The hash in Python's own integers, 32 bits at a time."""
    x = (left * 0x9E3779B1) % 2**32 ^ (right * 0x85EBCA77) % 2**32
    x = (x + seed) % 2**32
    x ^= x >> 16
    x = (x * 0x7FEB352D) % 2**32
    x ^= x >> 15
    x = (x * 0x846CA68B) % 2**32
    return x ^ (x >> 16)


@given(
    edge=st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)),
    rate=st.floats(0, 0.99),
    seed=st.integers(0, 2**31 - 1),
)
def test_the_rule_is_of_32_bits_without_a_sign(edge, rate, seed) -> None:
    kept = Dropout(rate, seed).keep(*(torch.tensor([row]) for row in edge))
    assert bool(kept) == (plain_rule(*edge, seed) >= int(rate * 2**32))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.9])
def test_dropout_rate_holds_over_edges_and_over_seeds(rate) -> None:
    users, items = (a.ravel() for a in np.indices((300, 300)))
    kept = kept_of(Dropout(rate, 12345), users, items)
    deviation = np.sqrt(rate * (1 - rate) / len(users))
    assert abs(kept.mean() - (1 - rate)) <= 5 * deviation
    seeds = np.random.default_rng(0).integers(2**31, size=2000)
    pair = np.array([7]), np.array([3])
    often = np.mean([kept_of(Dropout(rate, int(seed)), *pair)[0] for seed in seeds])
    assert abs(often - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / len(seeds))


def test_dropped_rows_and_columns_are_not_tied_together() -> None:
    """A row's or a column's share of survivors varies as independent draws would."""
    kept = kept_of(Dropout(0.3, 99), *np.indices((400, 400)))
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
    check(graph.to_users(torch.eye(N_ITEMS)), dense)


@DIMS
def test_a_table_may_be_a_view_that_is_not_contiguous(dense, graph, dim) -> None:
    x = draw(dim, N_ITEMS).T
    check(graph.to_users(x), dense.astype(np.float64) @ x.double().numpy())


@DIMS
@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
@pytest.mark.parametrize("n", [0, 1, 6])
def test_a_graph_without_edges_is_the_graph_of_the_others(dense, graph, dim, drop, n) -> None:
    ends = graph.pattern.rows.long(), graph.pattern.indices.long()
    out = torch.randperm(graph.n_edges, generator=torch.Generator().manual_seed(n))[: 2 * n]
    for part in (out[:n], out[n:]):
        users, items = (rows[part] for rows in ends)
        graph = graph.without(users, items)
        dense = dense.copy()
        dense[users, items] = 0
    other = BipartiteGraph(sparse.csr_matrix(dense))
    found = []
    for left in (graph.dropped(drop), other.dropped(drop)):
        x, y = (draw(size, dim).requires_grad_() for size in (N_ITEMS, N_USERS))
        sums = left.to_users(x, *scales()), left.to_items(y, *reversed(scales()))
        (sums[0].square().sum() + sums[1].square().sum()).backward()
        found.append([*sums, x.grad, y.grad, *left.degrees()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    for a, b in zip(graph.degrees(), other.degrees(), strict=True):
        assert torch.equal(a, b)


def test_a_graph_without_edges_or_rows_gives_zeros() -> None:
    for shape in ((3, 2), (0, 2), (3, 0)):
        empty = BipartiteGraph(sparse.csr_matrix(shape, dtype=np.float32))
        for drop in (None, Dropout(0.5, 1)):
            found = empty.dropped(drop).to_users(torch.ones(shape[1], 64))
            assert found.shape == (shape[0], 64) and not found.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu(dense) -> None:
    users, items = scales()
    x = draw(N_ITEMS, 64).requires_grad_()
    there = x.detach().cuda().requires_grad_()
    drop = Dropout(0.4, 17)
    near, far = (BipartiteGraph(sparse.csr_matrix(dense), d) for d in ("cpu", "cuda"))
    near.dropped(drop).to_users(x, users, items).square().sum().backward()
    far.dropped(drop).to_users(there, users.cuda(), items.cuda()).square().sum().backward()
    torch.testing.assert_close(there.grad.cpu(), x.grad, rtol=1e-5, atol=1e-5)
