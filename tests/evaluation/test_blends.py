"""NDCG of blends of two embeddings, counted, against ranking by each of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.evaluation import blends
from micrec_core.evaluation.blends import ndcg_of_blends
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question
from micrec_core.evaluation.ranking import rank_embeddings

WEIGHTS = (0.0, 0.25, 2.0)


def some_of(rng: np.random.Generator, n: int, n_items: int, share: float) -> sparse.csr_matrix:
    return sparse.csr_matrix((rng.random((n, n_items)) < share).astype(np.float32))


@pytest.mark.parametrize("cutoff", [1, 20])
def test_counting_says_what_ranking_says(cutoff, monkeypatch) -> None:
    # Eighths, so that every score is exact and equal ones are equal by either way.
    rng, n, n_items = np.random.default_rng(cutoff), 60, 1300
    bases = [np.round(rng.normal(size=(n, 5)) * 8).astype(np.float32) / 8 for _ in range(3)]
    other = np.round(rng.normal(size=(n, 5)) * 8).astype(np.float32) / 8
    items = np.round(rng.normal(size=(n_items, 5)) * 2).astype(np.float32) / 2
    positives, mask = some_of(rng, n, n_items, 0.01), some_of(rng, n, n_items, 0.05)
    positives = sparse.csr_matrix(positives.multiply((np.arange(n) != 7)[:, None]))
    candidates = rng.random(n_items) < 0.9
    asked = other, WEIGHTS, items, positives, mask, candidates, cutoff
    found = ndcg_of_blends(bases, *asked)
    assert found.mean() > 0.005 and not found[:, :, 7].any()
    for i, base in enumerate(bases):
        for j, weight in enumerate(WEIGHTS):
            ranked = rank_embeddings(base + weight * other, items, None, mask, candidates, cutoff)
            wanted = ranking_metrics(ranked, positives, (cutoff,))[f"ndcg@{cutoff}"]
            np.testing.assert_allclose(found[i, j, wanted.index], wanted, rtol=1e-12)
    monkeypatch.setattr(blends, "_BLOCK_BYTES", 4 * n_items * 7)
    assert np.array_equal(ndcg_of_blends(bases, *asked), found)


def test_what_cannot_be_ranked_is_found_nowhere() -> None:
    items, users = np.eye(3, dtype=np.float32), np.ones((2, 3), np.float32)
    positives = sparse.csr_matrix(np.array([[1, 0, 0], [0, 0, 1]], np.float32))
    mask = sparse.csr_matrix(np.array([[1, 0, 0], [0, 0, 0]], np.float32))
    told = users, (0.0,), items, positives, mask
    found = ndcg_of_blends([users], *told, np.array([True, True, False]), 5)
    assert not found.any()
    all_of_them = ndcg_of_blends([users], *told, np.ones(3, bool), 5)
    assert all_of_them.ravel().tolist() == [0.0, pytest.approx(1 / np.log2(4))]


@pytest.mark.parametrize("cutoff", [1, 20])
def test_sums_of_scores_are_ranked_as_a_question_ranks_them(cutoff) -> None:
    """Equals, of which there are many, in the question's own order."""
    rng, n, n_items = np.random.default_rng(cutoff), 300, 200
    base, other = (np.round(rng.normal(size=(n, n_items)) * 2) / 2 for _ in range(2))
    positives, mask = some_of(rng, n, n_items, 0.05), some_of(rng, n, n_items, 0.05)
    positives[:, 0] = 1
    candidates = rng.random(n_items) < 0.9
    ids = np.array([str(row) for row in range(n)], object)
    question = Question("valid", "a", 0, np.arange(n), ids, positives, mask, candidates)
    found = question.ndcg_of_sums(base, other, WEIGHTS, cutoff)
    for values, weight in zip(found, WEIGHTS, strict=True):
        ranked = question.answer_scores(lambda some: (base + weight * other)[some], cutoff).ranked  # noqa: B023
        wanted = ranking_metrics(ranked, positives, (cutoff,))[f"ndcg@{cutoff}"]
        np.testing.assert_array_equal(values, wanted)
    assert 0.005 < found[0].mean() < 0.9
