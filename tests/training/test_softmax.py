"""The sampled softmax: value by loops, gradients by autograd, blocks that change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from micrec_core.training import softmax
from micrec_core.training.softmax import sampled_softmax

B, N, DIM, ITEMS = 7, 9, 4, 50


def draw(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, DIM, generator=generator, dtype=torch.float64, requires_grad=True)


def world() -> tuple[list[Tensor], Tensor, Tensor]:
    """Users, positives and negatives; their rows, two of which are drawn as negatives too, one of
    them twice."""
    drawn = torch.arange(N) + 20
    drawn[4] = 20
    items = torch.tensor([20, 3, 5, 28, 7, 8, 20])
    return [draw(B, 0), draw(B, 1), draw(N, 2)], items, drawn


def by_autograd(
    vectors: list[Tensor], items: Tensor, drawn: Tensor, weights: Tensor | None
) -> Tensor:
    users, positives, negatives = vectors
    own = (users * positives).sum(1)
    clash = items[:, None] == drawn[None, :]
    others = (users @ negatives.T).masked_fill(clash, -math.inf) + math.log(ITEMS / len(drawn))
    values = torch.logaddexp(own, torch.logsumexp(others, 1)) - own
    return values.mean() if weights is None else (values * weights).mean()


def test_value_by_loops_with_log_q_correction_and_clashes() -> None:
    vectors, items, drawn = world()
    u, p, n = (v.detach().numpy() for v in vectors)
    terms = []
    for k in range(B):
        own = np.exp(u[k] @ p[k])
        others = [np.exp(u[k] @ n[j]) * ITEMS / N for j in range(N) if items[k] != drawn[j]]
        terms.append(-np.log(own / (own + sum(others))))
    found = sampled_softmax(*vectors, items, drawn, ITEMS)
    assert found.item() == pytest.approx(np.mean(terms), abs=1e-12)


@pytest.mark.parametrize("block", [1, 3 * N, 10**6])
@pytest.mark.parametrize("weighed", [False, True])
def test_gradients_are_autograds(
    block: int, weighed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax, "_BLOCK", block)
    vectors, items, drawn = world()
    weights = torch.arange(1.0, B + 1, dtype=torch.float64) if weighed else None
    wanted = by_autograd(vectors, items, drawn, weights)
    found = sampled_softmax(*vectors, items, drawn, ITEMS, weights)
    torch.testing.assert_close(found, wanted)
    for a, b in zip(
        torch.autograd.grad(3 * found, vectors), torch.autograd.grad(3 * wanted, vectors)
    ):
        torch.testing.assert_close(a, b)


def test_over_all_other_items_it_is_the_full_softmax() -> None:
    """Drawing each item once, the positive being its own clash, leaves out just the correction."""
    items, users = draw(N, 1), draw(B, 0)
    target = torch.arange(B)
    found = sampled_softmax(users, items[target], items, target, torch.arange(N), N)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(users @ items.T, target))


def test_without_a_negative_left_it_is_zero_and_has_a_gradient() -> None:
    users, items = draw(2, 0), draw(2, 1)
    row = torch.zeros(2, dtype=torch.int64)
    loss = sampled_softmax(users, items, items[:1], row, row[:1], 5)
    loss.backward()
    assert loss.item() == 0
    assert users.grad is not None and items.grad is not None
    assert torch.equal(users.grad, torch.zeros_like(users))
    assert torch.isfinite(items.grad).all()
