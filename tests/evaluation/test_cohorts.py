"""Recall by item degree, and what accuracy does not say."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from micrec_core.evaluation.beyond import coverage, intra_list_similarity, mean_popularity
from micrec_core.evaluation.cohorts import (
    degree_bins,
    degree_differences,
    degree_table,
    item_recall,
    low_degree_test,
)
from micrec_core.names import DEGREE_BINS


def test_both_boundaries_of_every_bin():
    degrees = [0, 1, 2, 3, 5, 6, 10, 11, 20, 21, 10_000]
    expected = ["0", *["1-2"] * 2, *["3-5"] * 2, *["6-10"] * 2, *["11-20"] * 2, *["21+"] * 2]
    assert degree_bins(degrees).tolist() == expected
    with pytest.raises(ValueError, match="negative"):
        degree_bins([-1])


def lists():
    ranked = np.array([[0, 1, 2], [2, 3, -1], [1, 0, 3]])
    positives = sparse.csr_matrix(
        np.array([[1, 0, 1, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=np.float32)
    )
    return ranked, positives


def test_item_recall_by_hand():
    items = item_recall(*lists(), degree=np.array([30, 9, 2, 4, 0]), k=2)
    expected = pd.DataFrame(
        {
            "item_row": [0, 2, 3, 4],
            "degree": [30, 2, 4, 0],
            "bin": ["21+", "1-2", "3-5", "0"],
            "n_positives": [1, 2, 1, 1],
            "hits": [1, 1, 0, 0],
        }
    )
    pd.testing.assert_frame_equal(items.astype({"bin": object}), expected, check_dtype=False)
    assert list(items["bin"].cat.categories) == list(DEGREE_BINS)
    with pytest.raises(ValueError, match="cannot be cut"):
        item_recall(*lists(), degree=np.zeros(5, int), k=4)


def test_hits_from_items_equal_hits_from_users():
    rng = np.random.default_rng(0)
    positives = sparse.csr_matrix(rng.random((60, 40)) < 0.1)
    ranked = np.array([rng.permutation(40)[:20] for _ in range(60)])
    items = item_recall(ranked, positives, rng.integers(0, 30, 40))
    hits = sum(positives[u, i] for u in range(60) for i in ranked[u])
    assert items["hits"].sum() == hits and items["n_positives"].sum() == positives.nnz


def test_degree_table_pools_interactions_and_keeps_empty_bins():
    items = item_recall(*lists(), degree=np.array([1, 9, 2, 4, 1]), k=2)
    table = degree_table(items)
    assert table["bin"].tolist() == list(DEGREE_BINS)
    row = table.set_index("bin").loc["1-2"]
    assert row["n_items"] == 3 and row["n_positives"] == 4 and row["recall"] == 0.5
    assert row["low"] <= 0.5 <= row["high"]
    empty = table.set_index("bin").loc["21+"]
    assert empty["n_items"] == 0 and np.isnan(empty["recall"])


def test_degree_interval_covers_the_truth():
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(100):
        n_positives = 1 + rng.poisson(2, 150)
        hits = rng.binomial(n_positives, 0.3)
        items = pd.DataFrame({"bin": "3-5", "n_positives": n_positives, "hits": hits})
        row = degree_table(items, seed=seed).set_index("bin").loc["3-5"]
        held += row["low"] <= 0.3 <= row["high"]
    assert 88 <= held <= 100


def test_degree_differences_are_paired_by_item():
    items = item_recall(*lists(), degree=np.array([1, 9, 2, 4, 1]), k=3)
    other = items.assign(hits=0).sample(frac=1, random_state=0)
    diff = degree_differences(items, other).set_index("bin")
    own = degree_table(items).set_index("bin")
    pd.testing.assert_series_equal(diff["diff"], own["recall"], check_names=False)
    same = degree_differences(items, items).set_index("bin").loc["1-2"]
    assert (same["diff"], same["low"], same["high"]) == (0, 0, 0)


def test_items_of_few_interactions_are_tested_together():
    """Against every pattern of signs: an item's difference is as likely as its negative."""
    bins = pd.Categorical(["1-2"] * 5 + ["3-5"] * 4 + ["0", "21+"], categories=DEGREE_BINS)
    hits, before = [2, 1, 2, 0, 1, 3, 2, 1, 2, 9, 9], [0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0]
    items = pd.DataFrame(
        {"item_row": range(11), "bin": bins, "n_positives": [3] * 11, "hits": hits}
    )
    found = low_degree_test(items, items.assign(hits=before))
    assert (found["n_items"], found["n_positives"]) == (9, 27)
    assert found["recall"] == pytest.approx(14 / 27) and found["diff"] == pytest.approx(9 / 27)
    gains = np.array(hits[:9]) - before[:9]
    signs = 1 - 2 * ((np.arange(2**9)[:, None] >> np.arange(9)) & 1)
    assert found["p"] == pytest.approx(np.mean(np.abs(signs @ gains) >= gains.sum()))
    assert found["diff_low"] < found["diff"] < found["diff_high"]
    alone = low_degree_test(items, None)
    assert alone["recall"] == found["recall"] and np.isnan(alone["p"])
    assert np.isnan(low_degree_test(items[9:], items)["recall"])


def test_coverage_and_popularity_by_hand():
    ranked, _ = lists()
    assert coverage(ranked, 5) == 4 / 5
    assert coverage(ranked, 5, np.array([True, False, False, False, True])) == 1 / 2
    degree = np.array([6, 3, 0, 9, 100])
    assert mean_popularity(ranked, degree) == pytest.approx((3 + 4.5 + 6) / 3)
    empty = np.full((2, 3), -1)
    assert coverage(empty, 5) == 0 and np.isnan(mean_popularity(empty, degree))


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_similarity_within_lists_agrees_with_loops(kind, monkeypatch):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(12, 5)) * (rng.random((12, 5)) < 0.6)
    x[7] = 0  # an item without features is left out
    ranked = np.array([rng.permutation(12)[:6] for _ in range(9)])
    ranked[0, 2:] = -1
    ranked[1, 1:] = -1  # one item has no pair
    expected = []
    for row in ranked:
        items = [i for i in row if i >= 0 and np.any(x[i])]
        pairs = [
            x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])
            for i in items
            for j in items
            if i != j
        ]
        if pairs:
            expected.append(np.mean(pairs))
    features = x if kind == "dense" else sparse.csr_matrix(x)
    assert intra_list_similarity(ranked, features) == pytest.approx(np.mean(expected), abs=1e-6)
    monkeypatch.setattr("micrec_core.evaluation.beyond._PIECE_ENTRIES", 1)
    assert intra_list_similarity(ranked, features) == pytest.approx(np.mean(expected), abs=1e-6)


def test_identical_items_have_similarity_one_and_no_pairs_none():
    assert intra_list_similarity(np.array([[0, 1, 2]]), np.ones((3, 4))) == pytest.approx(1)
    assert np.isnan(intra_list_similarity(np.array([[0, -1]]), np.ones((3, 4))))
