"""Each loss against loops in plain NumPy, to 1e-5."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrec_core.training import losses
from micrec_core.training.softmax import sampled_softmax

B, N, DIM = 6, 9, 4


def draw(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def wide(*tensors: torch.Tensor) -> list[np.ndarray]:
    return [t.detach().double().numpy() for t in tensors]


def softplus(x: float) -> float:
    return float(np.log1p(np.exp(x)))


def test_bpr() -> None:
    users, positives, negatives = draw(B, 0), draw(B, 1), draw(B, 2)
    u, p, n = wide(users, positives, negatives)
    wanted = np.mean([softplus(u[k] @ n[k] - u[k] @ p[k]) for k in range(B)])
    assert losses.bpr(users, positives, negatives).item() == pytest.approx(wanted, abs=1e-5)


def test_user_weights_are_powers_of_the_degree_with_mean_one() -> None:
    degrees = torch.tensor([1.0, 16.0, 81.0])
    found = losses.user_weights(degrees, 0.25)
    np.testing.assert_allclose(found, np.array([1.0, 2.0, 3.0]) / 2.0, rtol=1e-6)
    assert torch.equal(losses.user_weights(degrees, 0.0), torch.ones(3))


def test_weighed_losses_are_weighed_means_over_the_pairs() -> None:
    users, positives, negatives = draw(B, 0), draw(B, 1), draw(B, 2)
    weights = torch.arange(1.0, B + 1)
    items, drawn = torch.arange(B), torch.arange(B, 2 * B)
    for loss in (
        lambda k, w: losses.bpr(users[k], positives[k], negatives[k], w),
        lambda k, w: sampled_softmax(users[k], positives[k], negatives, items[k], drawn, 50, w),
    ):
        alone = [loss(slice(k, k + 1), None) for k in range(B)]
        wanted = sum(w * value for w, value in zip(weights, alone, strict=True)) / B
        torch.testing.assert_close(loss(slice(None), weights), wanted)


def test_self_enhanced() -> None:
    users, positives, negatives = draw(B, 0), draw(B, 1), draw(B, 2)
    diagonal = draw(1, 3)[0]
    u, p, n, w = wide(users, positives, negatives, diagonal)
    wanted = np.mean(
        [softplus(sum(w[j] * u[k, j] * (n[k, j] - p[k, j]) for j in range(DIM))) for k in range(B)]
    )
    found = losses.self_enhanced(users, positives, negatives, diagonal)
    assert found.item() == pytest.approx(wanted, abs=1e-5)
    plain = losses.self_enhanced(users, positives, negatives, torch.ones(DIM))
    assert plain.item() == pytest.approx(losses.bpr(users, positives, negatives).item(), abs=1e-6)


def test_squared_length() -> None:
    parts = draw(B, 0), draw(N, 1), draw(2, 2)
    wanted = sum(np.mean([row @ row for row in part]) for part in wide(*parts))
    assert losses.squared_length(*parts).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("scale", [1e3, -1e3])
def test_large_scores_stay_finite(scale) -> None:
    users, positives, negatives = draw(B, 0), draw(B, 1), draw(B, 2)
    items, drawn = torch.arange(B), torch.arange(B, 2 * B)
    for loss in (
        losses.bpr(users * scale, positives, negatives),
        sampled_softmax(users * scale, positives, negatives, items, drawn, 100),
    ):
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(users.grad).all()
