"""The bridge into a domain where a user took nothing yet, against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from micrec_core.method.bridge import NEAREST, TEMPERATURE, Bridge, fit_bridge

N, DIM = 40, 5


@pytest.fixture
def pairs() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(N, DIM)) + 1.0
    target = source @ rng.normal(size=(DIM, DIM)) + rng.normal(size=(N, DIM)) - 2.0
    return source.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize("ridge", [0.5, 10.0])
def test_map_is_ridge_regression_with_a_free_constant(pairs, ridge) -> None:
    peer = pytest.importorskip("sklearn.linear_model").Ridge(alpha=ridge).fit(*pairs)
    found = fit_bridge(*pairs, ridge, share=0.0)
    np.testing.assert_allclose(found.weight, peer.coef_, atol=1e-5)
    np.testing.assert_allclose(found.bias, peer.intercept_, atol=1e-5)
    np.testing.assert_allclose(found(pairs[0]), peer.predict(pairs[0]), atol=1e-4)


def test_a_heavy_penalty_leaves_the_mean_of_the_target(pairs) -> None:
    found = fit_bridge(*pairs, 1e9, share=0.0)(pairs[0])
    np.testing.assert_allclose(found, np.tile(pairs[1].mean(axis=0), (N, 1)), atol=1e-4)


def lent_by_hand(bridge: Bridge, user: NDArray, own: int, target: NDArray) -> NDArray:
    cosines = bridge.source.astype(float) @ (user / np.linalg.norm(user)).astype(float)
    near = [(c, k) for k, c in enumerate(cosines) if k != own and c > 0]
    near = sorted(near, reverse=True)[:NEAREST]
    weights = np.exp([c / TEMPERATURE for c, _ in near])
    return sum(w * target[k] for w, (_, k) in zip(weights / weights.sum(), near, strict=True))


@pytest.mark.parametrize("known", [True, False])
def test_the_nearest_in_the_source_lend_their_target_embedding(pairs, known) -> None:
    """But never a user to itself."""
    source, target = pairs
    bridge = fit_bridge(source, target, 1.0, share=0.7)
    mapped = fit_bridge(source, target, 1.0, share=0.0)(source)
    same = np.arange(N) if known else None
    found = bridge(source, same)
    for k in range(N):
        lent = lent_by_hand(bridge, source[k], k if known else -1, target)
        np.testing.assert_allclose(found[k], mapped[k] + 0.7 * lent, atol=1e-4)
    rows, weights = bridge.nearest(source, same)
    assert bool((rows == np.arange(N)[:, None]).any()) is not known
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_a_user_of_whom_nothing_is_known_gets_the_constant(pairs) -> None:
    bridge = fit_bridge(*pairs, 1.0, share=1.0)
    found = bridge(np.zeros((1, DIM), np.float32))
    np.testing.assert_allclose(found[0], bridge.bias, atol=1e-6)
    rows, weights = bridge.nearest(np.zeros((1, DIM), np.float32))
    assert (rows == -1).all() and not weights.any()


def test_two_users_in_common_are_enough(pairs) -> None:
    bridge = fit_bridge(pairs[0][:2], pairs[1][:2], 1.0, share=0.5)
    assert np.isfinite(bridge(pairs[0])).all()
