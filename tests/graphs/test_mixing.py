"""What neighbours lend, mixed in one pass, against the formula step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrec_core.graphs.lending import NeighbourGraph
from micrec_core.graphs.mixing import mix

N, DIM, K = 70, 64, 4


@pytest.fixture(scope="module")
def graph() -> NeighbourGraph:
    """Some rows have fewer neighbours, two none; some are nobody's."""
    rng = np.random.default_rng(0)
    neighbours = rng.integers(-2, N // 2, (N, K)).clip(-1)
    neighbours[[0, N - 1]] = -1
    return NeighbourGraph(neighbours, rng.random((N, K)).astype(np.float32), N)


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def by_steps(start, lenders, weight, graph, content, share):
    message = torch.from_numpy(graph.matrix.toarray()).to(start) @ lenders
    if content is not None:
        message = message + share[:, None] * content
    return start + weight[:, None] * message


@pytest.mark.parametrize("dim", [DIM, 2 * DIM, 5])
@pytest.mark.parametrize("one_table", [True, False])
@pytest.mark.parametrize("with_content", [True, False])
def test_values_and_gradients_are_those_of_the_formula(graph, dim, one_table, with_content) -> None:
    start, weight = draw(N, dim, seed=1), draw(N, seed=2)
    lenders = start if one_table else draw(N, dim, seed=3)
    content = draw(N, dim, seed=4) if with_content else None
    share = draw(N, seed=5).detach() if with_content else None
    leaves = [x for x in (start, None if one_table else lenders, weight, content) if x is not None]
    told = draw(N, dim, seed=6).detach()

    def outcome(function):
        out = function(start, lenders, weight, graph, content, share)
        return [out, *torch.autograd.grad(out, leaves, told)]

    for found, wanted in zip(outcome(mix), outcome(by_steps), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_only_what_learns_gets_a_gradient(graph) -> None:
    start, lenders = draw(N, DIM, seed=1), draw(N, DIM, seed=3).detach()
    weight = draw(N, seed=2).detach()
    expanded = draw(DIM, seed=7)
    out = mix(expanded.expand(N, -1), lenders, weight, graph)
    (found,) = torch.autograd.grad(out.sum(), [expanded])
    torch.testing.assert_close(found, torch.full((DIM,), float(N)))
    with torch.no_grad():
        torch.testing.assert_close(
            mix(start, start, weight, graph), by_steps(start, start, weight, graph, None, None)
        )


def test_memory_in_another_order_is_read_as_it_is(graph) -> None:
    start, weight = draw(DIM, N, seed=1).T, draw(N, 2, seed=2)[:, 1]
    wanted = by_steps(start, start, weight, graph, None, None)
    torch.testing.assert_close(mix(start, start, weight, graph), wanted)
