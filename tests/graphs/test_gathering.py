"""Rows taken from tables against autograd's own way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from micrec_core.graphs.aggregation import NeighbourGraph, aggregate
from micrec_core.graphs.gathering import take, takeable

DIM, K = 64, 3


def draw(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()


def rows(*lists: list[int]) -> list[Tensor]:
    return [torch.tensor(one, dtype=torch.long) for one in lists]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1, max_size=4), st.booleans())
def test_rows_and_their_gradients_are_those_of_embeddings(lists, dense) -> None:
    table, told = draw(10, DIM, seed=1), draw(10, DIM, seed=2).detach()
    found = []
    for way in (lambda: takeable(table), lambda: table):
        opened = way()
        parts = take(opened, *rows(*lists))
        loss = sum((part * told[: len(part)]).sum() * n for n, part in enumerate(parts, 1))
        loss = loss + ((2.0 * opened * told).sum() if dense else 0.0)
        found.append((*parts, *torch.autograd.grad(loss, [table], allow_unused=True)))
    for one, other in zip(*found, strict=True):
        wanted = torch.zeros_like(table) if other is None else other
        torch.testing.assert_close(torch.zeros_like(table) if one is None else one, wanted)


def test_tables_one_from_the_other_share_no_gradient() -> None:
    """As in a step: a table, what neighbours send added to it, rows taken of both."""
    rng = np.random.default_rng(1)
    near = NeighbourGraph(rng.integers(0, 10, (10, K)), rng.random((10, K)), 10)
    weight, told = draw(10, seed=3), draw(10, DIM, seed=4).detach()
    found = []
    for opened in (takeable, lambda x: x):
        own = draw(10, DIM, seed=1)
        first = opened(own)
        second = opened(aggregate(first, first, weight, near))
        third = opened(aggregate(second, first, weight, near))
        parts = [take(x, *rows([1, 1, 5], [5, 9])) for x in (first, second, third)]
        loss = sum(
            (n * part * told[: len(part)]).sum() for n, two in enumerate(parts) for part in two
        )
        found.append(torch.autograd.grad(loss + (third * told).sum(), [own, weight]))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


SHARED = {
    "a sum hands both the same": lambda a, b: a + b,
    "a difference": lambda a, b: a - b,
    "a sum of one with itself": lambda a, b: a + a + 0.0 * b,
    "a view of one and a part of the other": lambda a, b: a.view(5, 2, DIM).sum(1) + b[:5],
    "stacked": lambda a, b: torch.stack([a, b]).sum(0),
}


@pytest.mark.parametrize("join", SHARED.values(), ids=list(SHARED))
def test_a_gradient_that_two_tables_share_is_right_for_both(join) -> None:
    """Rows' gradients were once added in place to what the other table was handed too."""
    a, b = draw(10, DIM, seed=1), draw(10, DIM, seed=2)
    found = []
    for way in (takeable, lambda table: table):
        left, right = way(a), way(b)
        (of_left,), (of_right,) = take(left, *rows([3, 3, 0])), take(right, *rows([7]))
        loss = join(left, right).square().sum() + of_left.sum() + 3.0 * of_right.sum()
        found.append(torch.autograd.grad(loss, [a, b]))
    for own, expected in zip(*found, strict=True):
        torch.testing.assert_close(own, expected)


def test_a_gradient_that_the_caller_holds_is_left_as_it_is() -> None:
    a, given_in = draw(10, DIM, seed=1), torch.ones(10, DIM)
    opened = takeable(a)
    (part,) = take(opened, *rows([3]))
    torch.autograd.backward([opened, part.sum()], [given_in, None])
    assert torch.equal(given_in, torch.ones(10, DIM)) and a.grad is not None
    assert a.grad[3, 0] == 2.0


def test_only_wide_tables_that_learn_are_opened() -> None:
    for table in (draw(4, DIM, seed=1).detach(), draw(4, 5, seed=1), draw(4, DIM, seed=1).double()):
        assert takeable(table) is table
    with torch.no_grad():
        table = draw(4, DIM, seed=1)
        assert takeable(table) is table
