"""What a GPU computes of edges, on tensors of the host: against what the host does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from micrec_core.graphs.device import keep
from micrec_core.graphs.operators import BipartiteGraph, Dropout
from micrec_core.graphs.propagation import light_gcn

N_USERS, N_ITEMS, DIM = 11, 7, 64
rows = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30)


@given(users=rows, items=rows, rate=st.floats(0, 0.99), seed=st.integers(0, 2**31 - 1))
def test_the_rule_of_dropout_is_the_same_on_tensors(users, items, rate, seed) -> None:
    n, drop = min(len(users), len(items)), Dropout(rate, seed)
    pair = [np.array(x[:n], np.int64) for x in (users, items)]
    found = keep(drop, *map(torch.from_numpy, pair))
    assert np.array_equal(found.numpy(), drop.keep(*pair))


@pytest.fixture
def both() -> tuple[BipartiteGraph, BipartiteGraph]:
    """The same graph by the kernels of the host, and as on a GPU."""
    dense = (np.random.default_rng(0).random((N_USERS, N_ITEMS)) < 0.4).astype(np.float32)
    dense[3], dense[:, 5] = 0, 0
    near, far = (BipartiteGraph(sparse.csr_matrix(dense)) for _ in range(2))
    far.on_host = False
    return near, far


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("drop", [None, Dropout(0.4, 17)])
@pytest.mark.parametrize("n", [0, 1, 6])
def test_products_and_gradients_without_edges_are_those_of_the_host(both, drop, n) -> None:
    near, far = both
    picked = torch.randperm(near.n_edges, generator=torch.Generator().manual_seed(n))[:n]
    users = torch.from_numpy(near.by_user.rows())[picked]
    items = torch.from_numpy(near.by_user.indices).long()[picked]
    scales = draw(N_USERS, seed=2).abs(), draw(N_ITEMS, seed=3).abs()
    found = []
    for graph in (near.without(users, items), far.without(users, items)):
        x, y = (draw(size, DIM).requires_grad_() for size in (N_ITEMS, N_USERS))
        to_users = graph.to_users(x, *scales, drop)
        to_items = graph.to_items(y, *reversed(scales), drop)
        (to_users.square().sum() + to_items.square().sum()).backward()
        found.append([to_users, to_items, x.grad, y.grad, *graph.degrees()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    for a, b in zip(near.degrees(), far.degrees(), strict=True):
        assert torch.equal(a, b), "the whole graph has its edges still"


def test_edges_are_left_out_of_what_is_left(both) -> None:
    rows = torch.from_numpy(both[0].by_user.rows()), torch.from_numpy(both[0].by_user.indices)
    for graphs in (both, [g.without(rows[0][:1], rows[1][:1].long()) for g in both]):
        for picked in ([1, 3], [2]):
            users, items = (x[picked].long() for x in rows)
            for a, b in zip(*(g.without(users, items).degrees() for g in graphs), strict=True):
                assert torch.equal(a, b)


def test_propagation_is_that_of_the_host(both) -> None:
    found = []
    for graph in both:
        users, items = draw(N_USERS, DIM).requires_grad_(), draw(N_ITEMS, DIM).requires_grad_()
        out = light_gcn(graph, graph.degrees(), users, items, 2)
        (out[0].square().sum() + out[1].square().sum()).backward()
        found.append([*out, users.grad, items.grad])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
