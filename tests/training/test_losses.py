"""Each loss against loops in plain NumPy, to 1e-5."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrec_core.training import losses

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
    nothing = torch.zeros(1, B).bool()
    for loss in (
        lambda k, w: losses.bpr(users[k], positives[k], negatives[k], w),
        lambda k, w: losses.sampled_softmax(
            users[k], positives[k], negatives, nothing.expand(len(users[k]), B), 50, w
        ),
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


def test_sampled_softmax_with_log_q_correction_and_clashes() -> None:
    users, positives, negatives, n_items = draw(B, 0), draw(B, 1), draw(N, 2), 50
    clash = torch.zeros(B, N).bool()
    clash[0, 3] = clash[2, 0] = True
    u, p, n = wide(users, positives, negatives)
    terms = []
    for k in range(B):
        positive = np.exp(u[k] @ p[k])
        others = [np.exp(u[k] @ n[j]) * n_items / N for j in range(N) if not clash[k, j]]
        terms.append(-np.log(positive / (positive + sum(others))))
    found = losses.sampled_softmax(users, positives, negatives, clash, n_items)
    assert found.item() == pytest.approx(np.mean(terms), abs=1e-5)


def test_sampled_softmax_over_all_other_items_is_the_full_softmax() -> None:
    """Drawing each item once, the positive being its own clash, leaves out just the correction."""
    items, users = draw(N, 1), draw(B, 0)
    target = torch.arange(B)
    clash = target[:, None] == torch.arange(N)[None, :]
    found = losses.sampled_softmax(users, items[target], items, clash, N)
    wanted = torch.nn.functional.cross_entropy(users @ items.T, target)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_sampled_softmax_without_a_negative_left_is_zero_and_has_a_gradient() -> None:
    users, items = draw(2, 0), draw(2, 1)
    loss = losses.sampled_softmax(users, items, items[:1], torch.ones(2, 1).bool(), 5)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(users.grad).all() and torch.isfinite(items.grad).all()


def test_contrast_is_symmetric_info_nce_on_cosines() -> None:
    left, right, temperature = draw(B, 0), draw(B, 1), 0.2
    a, b = wide(left, right)
    cosine = np.array([[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in b] for x in a])
    s = np.exp(cosine / temperature)
    terms = [
        0.5 * (-np.log(s[k, k] / s[k].sum()) - np.log(s[k, k] / s[:, k].sum())) for k in range(B)
    ]
    found = losses.contrast(left, right, temperature)
    assert found.item() == pytest.approx(np.mean(terms), abs=1e-5)
    assert losses.contrast(right, left, temperature).item() == pytest.approx(found.item(), abs=1e-6)
    longer = losses.contrast(3 * left, right, temperature)
    assert longer.item() == pytest.approx(found.item(), abs=1e-5)


def test_contrast_of_zero_vectors_is_finite() -> None:
    zero = torch.zeros(3, DIM, requires_grad=True)
    loss = losses.contrast(zero, draw(3, 1), 0.2)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(zero.grad).all()


def test_squared_length() -> None:
    parts = draw(B, 0), draw(N, 1), draw(2, 2)
    wanted = sum(np.mean([row @ row for row in part]) for part in wide(*parts))
    assert losses.squared_length(*parts).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("scale", [1e3, -1e3])
def test_large_scores_stay_finite(scale) -> None:
    users, positives, negatives = draw(B, 0), draw(B, 1), draw(B, 2)
    clash = torch.zeros(B, B).bool()
    for loss in (
        losses.bpr(users * scale, positives, negatives),
        losses.sampled_softmax(users * scale, positives, negatives, clash, 100),
    ):
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(users.grad).all()
