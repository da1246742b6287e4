"""What neighbours send, alone and weighed and added, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from micrec_core.graphs.aggregation import NeighbourGraph, aggregate

N, DIM, K = 70, 64, 4
N_USERS, N_ITEMS = 12, 9


@pytest.fixture(scope="module")
def graph() -> NeighbourGraph:
    """Some rows have fewer neighbours, two none; some are nobody's."""
    rng = np.random.default_rng(0)
    neighbours = rng.integers(-2, N // 2, (N, K)).clip(-1)
    neighbours[[0, N - 1]] = -1
    return NeighbourGraph(neighbours, rng.random((N, K)).astype(np.float32), N)


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def by_steps(start, senders, weight, graph, content, share):
    message = torch.from_numpy(graph.matrix.toarray()).to(start) @ senders
    if content is not None:
        message = message + share[:, None] * content
    return start + weight[:, None] * message


@pytest.mark.parametrize("dim", [DIM, 2 * DIM, 5])
@pytest.mark.parametrize("one_table", [True, False])
@pytest.mark.parametrize("with_content", [True, False])
def test_values_and_gradients_are_those_of_the_formula(graph, dim, one_table, with_content) -> None:
    start, weight = draw(N, dim, seed=1), draw(N, seed=2)
    senders = start if one_table else draw(N, dim, seed=3)
    content = draw(N, dim, seed=4) if with_content else None
    share = draw(N, seed=5).detach() if with_content else None
    leaves = [x for x in (start, None if one_table else senders, weight, content) if x is not None]
    told = draw(N, dim, seed=6).detach()

    def outcome(function):
        out = function(start, senders, weight, graph, content, share)
        return [out, *torch.autograd.grad(out, leaves, told)]

    for found, wanted in zip(outcome(aggregate), outcome(by_steps), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_only_what_learns_gets_a_gradient(graph) -> None:
    start, senders = draw(N, DIM, seed=1), draw(N, DIM, seed=3).detach()
    weight = draw(N, seed=2).detach()
    expanded = draw(DIM, seed=7)
    out = aggregate(expanded.expand(N, -1), senders, weight, graph)
    (found,) = torch.autograd.grad(out.sum(), [expanded])
    torch.testing.assert_close(found, torch.full((DIM,), float(N)))
    with torch.no_grad():
        torch.testing.assert_close(
            aggregate(start, start, weight, graph),
            by_steps(start, start, weight, graph, None, None),
        )


def test_memory_in_another_order_is_read_as_it_is(graph) -> None:
    start, weight = draw(DIM, N, seed=1).T, draw(N, 2, seed=2)[:, 1]
    wanted = by_steps(start, start, weight, graph, None, None)
    torch.testing.assert_close(aggregate(start, start, weight, graph), wanted)


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


@pytest.mark.parametrize("dim", [DIM, 5])
def test_neighbours_send_as_the_dense_matrix_does(neighbours, dim) -> None:
    graph, dense = neighbours
    x = draw(N_ITEMS, dim, seed=1)
    found = graph @ x
    gradient = draw(N_USERS, dim, seed=8).detach()
    found.backward(gradient)
    for own, wanted in ((found, dense @ x.detach().numpy()), (x.grad, dense.T @ gradient.numpy())):
        np.testing.assert_allclose(own.detach().numpy(), wanted, rtol=1e-5, atol=1e-5)
    assert np.array_equal(graph.matrix.toarray(), dense.astype(np.float32))
    assert not found[2].any()


def test_neighbour_gradients_equal_finite_differences(neighbours) -> None:
    graph, _ = neighbours
    x = draw(N_ITEMS, 2, seed=1).detach().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: graph @ x, x)
