"""Gaps filled in from what is taken together, against a dense oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.features import FeatureMatrix, l2_normalise
from micrec_core.modalities.dataset import DatasetFeatures
from micrec_core.modalities.imputing import imputed


def filled(matrix: FeatureMatrix, train: np.ndarray, k: int) -> FeatureMatrix:
    features = DatasetFeatures(("text",), {"text": (matrix,)}, {}, {}, "")
    return imputed(features, [sparse.csr_matrix(train)], k).matrices["text"][0]


def oracle(matrix: FeatureMatrix, train: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Rows [n, width] of any view: those that are there, and means of the k nearest elsewhere."""
    out = rows.copy()
    degree = np.maximum(train.sum(axis=0), 1)
    cosine = (train.T @ train) / np.sqrt(np.outer(degree, degree))
    for item in np.flatnonzero(~matrix.present):
        near = np.where(matrix.present, cosine[item], 0.0)
        best = [n for n in np.argsort(-near, kind="stable")[:k] if near[n] > 0]
        if best:
            out[item] = l2_normalise((near[best] @ rows[best] / near[best].sum())[None])[0]
    return out


@pytest.mark.parametrize("k", [1, 3, 50])
def test_gaps_are_means_of_the_nearest_that_have_it(k: int) -> None:
    rng = np.random.default_rng(k)
    train = (rng.random((30, 12)) < 0.25).astype(np.float32)
    train[:, 11] = 0.0  # nobody took it, so nothing is known of it
    present = rng.random(12) < 0.6
    present[[0, 11]] = True, False
    dense = l2_normalise(rng.normal(size=(12, 5))) * present[:, None]
    words = sparse.csr_matrix(l2_normalise(rng.random((12, 40)) * present[:, None]))
    matrix = FeatureMatrix(dense.astype(np.float32), words, present)
    found = filled(matrix, train, k)
    np.testing.assert_allclose(found.dense, oracle(matrix, train, dense, k), atol=1e-6)
    np.testing.assert_allclose(
        found.sparse.toarray(), oracle(matrix, train, words.toarray(), k), atol=1e-6
    )
    assert not found.present[11] and (found.present >= present).all()
    np.testing.assert_array_equal(found.dense[present], matrix.dense[present])


def test_nothing_missing_and_everything_missing_stay() -> None:
    train = np.ones((3, 2), np.float32)
    for present in (np.ones(2, bool), np.zeros(2, bool)):
        matrix = FeatureMatrix(np.eye(2, dtype=np.float32) * present[:, None], None, present)
        assert filled(matrix, train, 5) is matrix
