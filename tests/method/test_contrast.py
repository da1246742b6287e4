"""InfoNCE by loops and by autograd, one way and both; over distinct rows, counted or marked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from micrec_core.config import TrainSettings
from micrec_core.method.contrast import COLDEST, distinct, info_nce, marked, symmetric_info_nce

N, DIM = 6, 4


def draw(seed: int, n: int = N) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, DIM, generator=generator, dtype=torch.float64, requires_grad=True)


def by_autograd(a: Tensor, b: Tensor, temperature: float, both: bool) -> Tensor:
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    own = torch.arange(len(a))
    loss = F.cross_entropy(scores, own)
    return 0.5 * (loss + F.cross_entropy(scores.T, own)) if both else loss


def test_symmetric_info_nce_by_loops_on_cosines() -> None:
    left, right, temperature = draw(0), draw(1), 0.2
    a, b = left.detach().numpy(), right.detach().numpy()
    cosine = np.array([[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in b] for x in a])
    s = np.exp(cosine / temperature)
    terms = [
        0.5 * (-np.log(s[k, k] / s[k].sum()) - np.log(s[k, k] / s[:, k].sum())) for k in range(N)
    ]
    found = symmetric_info_nce(left, right, temperature).item()
    assert found == pytest.approx(np.mean(terms), abs=1e-12)
    assert symmetric_info_nce(right, left, temperature).item() == pytest.approx(found, abs=1e-12)
    assert symmetric_info_nce(3 * left, right, temperature).item() == pytest.approx(found)


@pytest.mark.parametrize("temperature", [COLDEST, 0.2, 3.0])
@pytest.mark.parametrize("both", [False, True])
def test_values_and_gradients_are_autograds(temperature: float, both: bool) -> None:
    found = []
    for way in (symmetric_info_nce if both else info_nce, by_autograd):
        a, b = draw(0), draw(1)
        loss = way(a, b, temperature) if way is not by_autograd else way(a, b, temperature, both)
        (2.5 * loss).backward()
        found.append((loss, a.grad, b.grad))
    for own, wanted in zip(*found, strict=True):
        torch.testing.assert_close(own, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", [info_nce, symmetric_info_nce])
def test_zero_vectors_and_the_coldest_opposites_are_finite(way) -> None:
    for a, b in (
        (torch.zeros(3, DIM), draw(1, 3).detach().float()),
        (torch.ones(3, DIM), -torch.ones(3, DIM)),
    ):
        a.requires_grad_()
        loss = way(a, b, COLDEST)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(a.grad).all()
    with pytest.raises(ValidationError, match="temperature"):
        TrainSettings(temperature=0.9 * COLDEST)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=25), st.integers(0, 99))
def test_marked_rows_give_the_loss_and_gradients_of_distinct_ones(rows, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 10, 6, generator=generator)
    found = []
    for way in (distinct, marked):
        picked, counted = way(torch.tensor(rows))
        tables = [x.clone().requires_grad_() for x in (a, b)]
        loss = info_nce(*(x[picked] for x in tables), 0.2, counted)
        loss.backward()
        found.append([loss, *(x.grad for x in tables)])
    for one, other in zip(*found, strict=True):
        assert torch.isfinite(other).all()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", [info_nce, symmetric_info_nce])
def test_a_row_of_zeros_has_no_gradient(way) -> None:
    """What neighbours lend an item that has none; the others' gradients are as they are."""
    rng = torch.Generator().manual_seed(3)
    a, b = (torch.randn(6, 4, generator=rng) for _ in range(2))
    a[2] = 0
    a.requires_grad_(True)
    b.requires_grad_(True)
    way(a, b, 0.2).backward()
    assert not a.grad[2].any() and a.grad.abs().max() < 10 and b.grad.abs().max() < 10
    wanted = a.grad.clone()
    a.grad = None
    x, y = F.normalize(a, dim=1), F.normalize(b, dim=1)
    scores = x @ y.T / 0.2
    loss = F.cross_entropy(scores, torch.arange(6))
    if way is symmetric_info_nce:
        loss = (loss + F.cross_entropy(scores.T, torch.arange(6))) / 2
    loss.backward()
    rest = [0, 1, 3, 4, 5]
    torch.testing.assert_close(wanted[rest], a.grad[rest])
    assert a.grad[2].abs().max() > 1e6  # as it was
