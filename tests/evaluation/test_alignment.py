"""Alignment of overlapping users: by hand, against plain loops, with known extremes."""

import numpy as np
import pytest

from micrec_core.evaluation.alignment import (
    _cka,
    alignment_metrics,
    linear_cka,
    pair_distances,
    retrieval_places,
)


def vectors(seed, n=120, dim=16):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def values(frame):
    return frame.set_index("metric")


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_equal_vectors_are_perfectly_aligned():
    a = vectors(0)
    m = values(alignment_metrics(a, 3 * a))
    for name in ("paired_cosine", "mrr", "recall@10", "cka"):
        assert m.loc[name, "value"] == pytest.approx(1, abs=1e-6)
    assert m["random"].drop("uniformity").max() < 0.3


def test_unrelated_vectors_give_the_random_baseline():
    a, b = vectors(1, n=600), vectors(2, n=600)
    m = values(alignment_metrics(a, b))
    assert list(m.index) == ["paired_cosine", "mrr", "recall@10", "uniformity", "cka"]
    for name in m.index:
        value, low, high, random, n = m.loc[name]
        assert low <= value <= high and n == 600
        assert abs(random - value) < 2 * (high - low)
    assert m.loc["recall@10", "random"] == pytest.approx(10 / 600)
    assert m.loc["mrr", "random"] == pytest.approx(np.mean(1 / np.arange(1, 601)))


def test_agrees_with_plain_loops():
    a, b = vectors(3, n=25, dim=4), vectors(4, n=25, dim=4)
    b = (0.5 * a + b).astype(np.float32)
    m = values(alignment_metrics(a, b))
    x, y = unit(a.astype(float)), unit(b.astype(float))
    cosine = x @ y.T
    assert m.loc["paired_cosine", "value"] == pytest.approx(np.trace(cosine) / 25, abs=1e-6)
    off = cosine[~np.eye(25, dtype=bool)]
    assert m.loc["paired_cosine", "random"] == pytest.approx(off.mean(), abs=1e-6)
    reciprocal, within = [], []
    for s in (cosine, cosine.T):
        for u in range(25):
            place = 1 + sum(s[u, v] > s[u, u] for v in range(25))
            reciprocal.append(1 / place)
            within.append(place <= 10)
    assert m.loc["mrr", "value"] == pytest.approx(np.mean(reciprocal))
    assert m.loc["recall@10", "value"] == pytest.approx(np.mean(within))
    uniformity = []
    for z in (x, y):
        pairs = [
            np.exp(-2 * np.sum((z[u] - z[v]) ** 2)) for u in range(25) for v in range(25) if u != v
        ]
        uniformity.append(np.log(np.mean(pairs)))
    assert m.loc["uniformity", "value"] == pytest.approx(np.mean(uniformity), abs=1e-5)


def test_partners_are_looked_for_among_all_users_of_the_other_domain():
    a, b = vectors(5, n=50), vectors(6, n=50)
    others = vectors(7, n=450)
    rng = np.random.default_rng(0)
    order = rng.permutation(500)
    all_b = np.concatenate([b, others])[order]
    rows_b = np.argsort(order)[:50]
    m = values(alignment_metrics(a, b, all_a=a, all_b=all_b, rows_a=np.arange(50), rows_b=rows_b))
    assert m.loc["recall@10", "random"] == pytest.approx((10 / 50 + 10 / 500) / 2)
    cosine = unit(a) @ unit(all_b).T
    own = cosine[np.arange(50), rows_b]
    places = 1 + (cosine > own[:, None]).sum(axis=1)
    back = unit(b) @ unit(a).T
    places_back = 1 + (back > np.diag(back)[:, None]).sum(axis=1)
    expected = (np.mean(1 / places) + np.mean(1 / places_back)) / 2
    assert m.loc["mrr", "value"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="rows of the overlapping users"):
        alignment_metrics(a, b, all_b=all_b)


def test_collapsed_vectors_are_not_taken_for_perfect_retrieval():
    same = np.ones((101, 8), dtype=np.float32)
    np.testing.assert_array_equal(retrieval_places(same, same, np.arange(101)), np.full(101, 51.0))
    m = values(alignment_metrics(same, same))
    assert m.loc["recall@10", "value"] == 0
    assert m.loc["uniformity", "value"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(m.loc["cka", "value"])


def test_equals_share_the_places_they_take_up():
    queries = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    pool = np.array([[3, 0], [2, 5], [2, 1], [2, 7], [1, 9]], dtype=np.float32)
    np.testing.assert_array_equal(retrieval_places(queries, pool, np.array([2, 4, 2])), [3, 5, 4])
    with pytest.raises(IndexError):
        retrieval_places(queries, pool, np.array([2, 4, 5]))


def test_chunks_do_not_change_places(monkeypatch):
    from micrec_core.evaluation import alignment

    a, b = vectors(8), vectors(9)
    whole = retrieval_places(a, b, np.arange(120))
    monkeypatch.setattr(alignment, "_BLOCK_BYTES", 4 * 120 * 7)
    np.testing.assert_array_equal(retrieval_places(a, b, np.arange(120)), whole)


def test_random_uniformity_is_that_of_uniform_directions():
    for dim in (2, 32):
        m = values(alignment_metrics(vectors(1, 2500, dim), vectors(2, 2500, dim)))
        assert m.loc["uniformity", "n"] == 2000
        assert m.loc["uniformity", "value"] == pytest.approx(
            m.loc["uniformity", "random"], abs=0.02
        )


def test_cka_ignores_rotation_and_scale_and_its_interval_holds_the_population_value():
    rng = np.random.default_rng(12)
    a = vectors(10, n=300, dim=6).astype(float)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert linear_cka(a, 5 * a @ rotation + 1) == pytest.approx(1)
    # b = a + noise of equal variance: the population value is 1/2 per direction, so CKA is 0.5
    # (cross covariance I, |I|^2 / (|I| |2 I|) = 1/2).
    held = 0
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(2, 2000, 6))
        measure = _cka(x[0], x[0] + x[1], seed)
        held += measure.low <= 0.5 <= measure.high
    assert held >= 16


def test_intervals_are_those_of_the_seed():
    a, b = vectors(13), vectors(14)
    first, again = alignment_metrics(a, b, seed=3), alignment_metrics(a, b, seed=3)
    assert first.equals(again)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_users_give_nan_and_not_an_exception(n):
    m = values(alignment_metrics(vectors(0, n), vectors(1, n)))
    assert len(m) == 5
    if n < 2:
        assert np.isnan(m.loc["uniformity", "value"]) and np.isnan(m.loc["cka", "value"])
    true, random = pair_distances(vectors(0, n), vectors(1, n))
    assert len(true) == n and len(random) == (n if n > 1 else 0)


def test_vectors_of_zeros_stay_finite():
    a = vectors(0)
    a[3] = 0
    assert np.isfinite(alignment_metrics(a, a)["value"]).all()


def test_distances_of_true_pairs_and_of_others():
    a = vectors(15, n=40)
    true, random = pair_distances(a, a, seed=1)
    np.testing.assert_allclose(true, 0, atol=1e-6)
    assert len(random) == 40 and random.min() > 0.05  # nobody met itself
    np.testing.assert_array_equal(random, pair_distances(a, a, seed=1)[1])


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shapes"):
        alignment_metrics(vectors(0, 3), vectors(0, 4))
