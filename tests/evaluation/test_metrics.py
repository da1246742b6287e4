"""Ranking metrics: by hand, against an independent implementation, and their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from micrec_core.evaluation.metrics import (
    CUTOFFS,
    METRICS,
    hit_matrix,
    metric_curves,
    ranking_metrics,
)
from tests.evaluation.lists import top_k


def random_case(seed, n=30, m=80, share=0.08):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, m)).astype(np.float32)
    return scores, sparse.csr_matrix(rng.random((n, m)) < share, dtype=np.float32)


def test_one_user_by_hand():
    ranked = np.array([[4, 0, 7, 2, 9]])
    positives = sparse.csr_matrix(([1, 1, 1], ([0, 0, 0], [0, 2, 5])), shape=(1, 10))
    row = ranking_metrics(ranked, positives, cutoffs=(1, 2, 5)).iloc[0]
    assert row["n_positives"] == 3
    assert [row[f"recall@{k}"] for k in (1, 2, 5)] == pytest.approx([0, 1 / 3, 2 / 3])
    assert [row[f"precision@{k}"] for k in (1, 2, 5)] == pytest.approx([0, 1 / 2, 2 / 5])
    assert [row[f"hr@{k}"] for k in (1, 2, 5)] == [0, 1, 1]
    assert [row[f"mrr@{k}"] for k in (1, 2, 5)] == [0, 0.5, 0.5]
    second, fourth = 1 / np.log2(3), 1 / np.log2(5)
    ideal = [1, 1 + second, 1 + second + 0.5]
    assert [row[f"ndcg@{k}"] for k in (1, 2, 5)] == pytest.approx(
        [0, second / ideal[1], (second + fourth) / ideal[2]]
    )


def test_ideal_list_is_no_longer_than_the_positives():
    positives = sparse.csr_matrix(([1], ([0], [3])), shape=(1, 60))
    row = ranking_metrics(np.array([[3, *range(4, 53)]]), positives).iloc[0]
    assert all(row[f"ndcg@{k}"] == 1 for k in CUTOFFS)


def test_users_without_positives_are_dropped_and_counted():
    ranked = np.array([[0, 1], [0, 1], [1, 0]])
    positives = sparse.csr_matrix(([1, 0, 1], ([0, 1, 2], [0, 0, 0])), shape=(3, 2))
    frame = ranking_metrics(ranked, positives, cutoffs=(1, 2))
    assert list(frame.index) == [0, 2] and frame.index.name == "row"
    assert frame.attrs["n_dropped"] == 1
    assert list(frame.columns) == ["n_positives", *(f"{m}@{k}" for m in METRICS for k in (1, 2))]
    assert frame["recall@1"].tolist() == [1.0, 0.0]


def test_no_user_has_positives():
    frame = ranking_metrics(np.zeros((2, 50), int), sparse.csr_matrix((2, 5)))
    assert len(frame) == 0 and frame.attrs["n_dropped"] == 2


def test_an_empty_place_is_never_a_hit():
    hits, n_positives = hit_matrix(np.array([[-1, 0]]), sparse.csr_matrix([[0, 1]]))
    assert not hits.any() and n_positives.tolist() == [1]


def test_repeated_and_unsorted_positives_count_once():
    positives = sparse.csr_matrix((np.ones(3), np.array([3, 1, 3]), np.array([0, 3])), shape=(1, 4))
    hits, n_positives = hit_matrix(np.array([[3, 0, 1]]), positives)
    assert n_positives.tolist() == [2] and hits.tolist() == [[True, False, True]]


@pytest.mark.parametrize("cutoffs", [(0, 5), (5, 51), ()])
def test_cutoffs_outside_the_list_are_refused(cutoffs):
    with pytest.raises(ValueError, match="cutoffs"):
        ranking_metrics(np.zeros((1, 50), int), sparse.csr_matrix([[1, 0]]), cutoffs=cutoffs)


def test_unequal_numbers_of_rows_are_refused():
    with pytest.raises(ValueError, match="2 lists for 1"):
        hit_matrix(np.zeros((2, 3), int), sparse.csr_matrix([[1, 0]]))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_agrees_with_torch_geometric(seed, k):
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("torch_geometric.metrics")
    scores, positives = random_case(seed)
    ranked = top_k(scores, 20)
    frame = ranking_metrics(ranked, positives, cutoffs=(k,))
    pairs = torch.from_numpy(np.stack(positives.nonzero()))
    classes = {
        "recall": peer.LinkPredRecall,
        "ndcg": peer.LinkPredNDCG,
        "mrr": peer.LinkPredMRR,
        "precision": peer.LinkPredPrecision,
    }
    for name, make in classes.items():
        metric = make(k)
        metric.update(torch.from_numpy(ranked[:, :k]), pairs)
        # The peer averages over the users that have positives, as ours does.
        assert frame[f"{name}@{k}"].mean() == pytest.approx(float(metric.compute()), abs=1e-6)


def test_agrees_with_scikit_learn_ndcg():
    peer = pytest.importorskip("sklearn.metrics")
    scores, positives = random_case(2)
    frame = ranking_metrics(top_k(scores, 50), positives)
    truth = positives.toarray()[frame.index]
    for k in CUTOFFS:
        expected = [peer.ndcg_score([t], [s], k=k) for t, s in zip(truth, scores[frame.index])]
        np.testing.assert_allclose(frame[f"ndcg@{k}"], expected, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_relabelling_items_and_users_changes_nothing(seed):
    scores, positives = random_case(seed)
    rng = np.random.default_rng(seed)
    users, items = rng.permutation(scores.shape[0]), rng.permutation(scores.shape[1])
    before = ranking_metrics(top_k(scores, 50), positives)
    after = ranking_metrics(top_k(scores[users][:, items], 50), positives[users][:, items])
    np.testing.assert_allclose(
        after.to_numpy(), before.reindex(users).dropna().to_numpy(), rtol=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.02, 0.1, 0.6]))
def test_bounds_and_monotony(seed, share):
    scores, positives = random_case(seed, share=share)
    hits, n_positives = hit_matrix(top_k(scores, 50), positives)
    rows = np.flatnonzero(n_positives)
    curves = metric_curves(hits[rows], n_positives[rows], range(1, 51))
    assert set(curves) == set(METRICS)
    for values in curves.values():
        assert values.shape == (len(rows), 50)
        assert np.all((values >= 0) & (values <= 1 + 1e-12))
    for name in ("recall", "hr", "mrr"):
        assert np.all(np.diff(curves[name], axis=1) >= 0)
    assert np.all((curves["hr"] > 0) == (curves["ndcg"] > 0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_perfect_ranking_scores_one_and_a_useless_one_zero(seed):
    _, positives = random_case(seed)
    truth = positives.toarray()
    perfect = ranking_metrics(top_k(truth, 50), positives)
    useless = ranking_metrics(top_k(-truth, 50), positives)
    for k in CUTOFFS:
        np.testing.assert_allclose(perfect[f"ndcg@{k}"], 1)
        np.testing.assert_allclose(perfect[f"mrr@{k}"], 1)
        expected = np.minimum(perfect["n_positives"], k)
        np.testing.assert_allclose(perfect[f"recall@{k}"], expected / perfect["n_positives"])
        np.testing.assert_allclose(perfect[f"precision@{k}"], expected / k)
        assert useless[f"hr@{k}"].max() == 0
