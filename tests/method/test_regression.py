"""The regression in the memory against its formula in dense NumPy, whole and item by item."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.errors import ConfigError
from micrec_core.method import regression

N_USERS, N, N_OTHER = 60, 12, 5
PENALTY = 20.0


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Interactions of two domains, and one item that nobody took."""
    rng = np.random.default_rng(0)
    here, there = ((rng.random((N_USERS, n)) < 0.3).astype(float) for n in (N, N_OTHER))
    here[:, 3] = 0
    return here, there


def solved(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    return regression.regression(
        sparse.csr_matrix(here), sparse.csr_matrix(there), PENALTY
    ).toarray()


def oracle(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Each item by ridge regression on all others, one after the other."""
    both = np.hstack([here, there])
    out = np.zeros((N + N_OTHER, N))
    for j in range(N):
        others = np.delete(np.arange(N + N_OTHER), j)
        x = both[:, others]
        ridge = x.T @ x + PENALTY * np.eye(len(others))
        out[others, j] = np.linalg.solve(ridge, x.T @ both[:, j])
    return out


@pytest.mark.parametrize("exact", [regression.EXACT, 0])
def test_each_item_is_regressed_on_all_others(exact, monkeypatch) -> None:
    monkeypatch.setattr(regression, "EXACT", exact)
    here, there = drawn()
    np.testing.assert_allclose(solved(here, there), oracle(here, there), atol=1e-6)


def test_without_another_domain_it_is_that_of_one(monkeypatch) -> None:
    here, there = drawn()
    found = solved(here, np.zeros_like(there))
    np.testing.assert_allclose(found, oracle(here, np.zeros_like(there)), atol=1e-6)
    assert not found[N:].any()


def test_the_weights_furthest_from_0_are_kept(monkeypatch) -> None:
    here, there = drawn()
    whole = solved(here, there)
    monkeypatch.setattr(regression, "KEPT", 6)
    found = solved(here, there)
    assert ((found != 0).sum(axis=0) <= 6).all()
    for j in range(N):
        least = np.sort(np.abs(whole[:, j]))[-6]
        np.testing.assert_array_equal(
            found[:, j], np.where(np.abs(whole[:, j]) >= least, whole[:, j], 0)
        )


def test_candidates_are_what_was_taken_together_most_often(monkeypatch) -> None:
    monkeypatch.setattr(regression, "EXACT", 0)
    monkeypatch.setattr(regression, "CANDIDATES", 4)
    here, there = drawn()
    found, both = solved(here, there), np.hstack([here, there])
    for j in range(N):
        counts = both.T @ both[:, j]
        counts[j] = 0
        rows = np.flatnonzero(found[:, j])
        assert len(rows) <= 4
        if len(rows):
            assert counts[rows].min() >= np.sort(counts)[-4]
            ridge = both[:, rows].T @ both[:, rows] + PENALTY * np.eye(len(rows))
            np.testing.assert_allclose(
                found[rows, j], np.linalg.solve(ridge, counts[rows]), atol=1e-6
            )


def test_an_impossible_penalty_is_refused() -> None:
    with pytest.raises(ConfigError, match="penalty"):
        regression.inverse(np.zeros((3, 3), np.float32))
