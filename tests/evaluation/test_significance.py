"""Intervals and tests: exact values, calibration on null data, coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from micrec_core.evaluation import parallel, significance
from micrec_core.evaluation.significance import (
    Comparison,
    bootstrap_counts,
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_sums,
    compare_paired,
    compare_table,
    holm,
    sign_flip_p_values,
)


def test_counts_are_a_uniform_multinomial():
    counts = bootstrap_counts(50, 4000, seed=1)
    assert np.all(counts.sum(axis=1) == 50)
    # Each count is binomial(50, 1/50): mean 1, variance 0.98, neighbours slightly negative.
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.07)
    np.testing.assert_allclose(counts.var(axis=0), 0.98, atol=0.12)
    assert stats.chisquare(counts.sum(axis=0)).pvalue > 1e-4
    np.testing.assert_array_equal(bootstrap_counts(50, 10, seed=1), counts[:10])
    assert not np.array_equal(bootstrap_counts(50, 10, seed=2), counts[:10])


def test_sums_are_those_of_the_counts():
    values = np.random.default_rng(0).normal(size=(30, 3))
    expected = bootstrap_counts(30, 100, seed=4) @ values
    np.testing.assert_allclose(bootstrap_sums(values, 100, seed=4), expected)


def test_same_answer_on_one_core_and_on_many(monkeypatch):
    values = np.random.default_rng(0).normal(size=(20_000, 2))
    many = bootstrap_sums(values, 300), sign_flip_p_values(values, 300)
    monkeypatch.setattr(parallel, "n_cores", lambda: 1)
    one = bootstrap_sums(values, 300), sign_flip_p_values(values, 300)
    for left, right in zip(many, one):
        np.testing.assert_array_equal(left, right)


def test_of_many_rows_the_normal_limit_says_what_counting_does(monkeypatch):
    rng = np.random.default_rng(3)
    taken = (rng.random((4000, 3)) < 0.1) * rng.random((4000, 3))
    values = np.column_stack([taken, taken[:, 0] + 0.01 * taken[:, 1], np.full(4000, 0.5)])
    differences = np.column_stack(
        [values[:, 0] - values[:, 1], values[:, 0] - values[:, 3], np.zeros(4000)]
    )
    counted = bootstrap_intervals(values), sign_flip_p_values(differences)
    ratios = [bootstrap_sums(values[:, [0, 3]], 4000, seed=1)]
    monkeypatch.setattr(significance, "_NORMAL_FROM", 1000)
    limit = bootstrap_intervals(values), sign_flip_p_values(differences)
    ratios.append(bootstrap_sums(values[:, [0, 3]], 4000, seed=1))
    for exact, normal in zip(counted[0], limit[0]):
        np.testing.assert_allclose(normal, exact, atol=0.1 * values.std() / 4000**0.5)
    np.testing.assert_allclose(limit[1], counted[1], atol=0.02)
    assert limit[1][2] == 1 and 0 < limit[1][1] < 0.001
    # Columns stay paired: of two that hardly differ, the ratio hardly varies.
    exact, normal = (float((sums[:, 1] / sums[:, 0]).std()) for sums in ratios)
    assert normal == pytest.approx(exact, rel=0.1)
    monkeypatch.setattr(parallel, "n_cores", lambda: 1)
    np.testing.assert_array_equal(bootstrap_intervals(values), limit[0])


def test_interval_by_hand_and_at_the_edges():
    constant = bootstrap_interval([0.25] * 9)
    assert constant == (0.25, 0.25, 0.25, 9)
    assert bootstrap_interval([3.0]) == (3.0, 3.0, 3.0, 1)
    nothing = bootstrap_interval([])
    assert nothing.n == 0 and np.isnan([nothing.mean, nothing.low, nothing.high]).all()
    two = bootstrap_interval([0.0, 1.0])
    assert (two.mean, two.low, two.high) == (0.5, 0.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        bootstrap_interval([1.0, np.nan])
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval([1.0, 2.0], level=95)


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(3).exponential(size=400)
    peer = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = bootstrap_interval(values, n_resamples=5000)
    width = peer.high - peer.low
    assert abs(ours.low - peer.low) < 0.05 * width
    assert abs(ours.high - peer.high) < 0.05 * width


def test_interval_covers_the_truth_as_often_as_it_says():
    """400 samples of 200 skewed values side by side: about 95 % of intervals hold the mean."""
    rng = np.random.default_rng(5)
    held = 0
    for block in range(4):
        samples = rng.exponential(size=(200, 100))
        _, low, high = bootstrap_intervals(samples, n_resamples=1000, seed=block)
        held += np.count_nonzero((low <= 1) & (high >= 1))
    assert 0.91 <= held / 400 <= 0.98


def paired(a: ArrayLike, b: ArrayLike) -> Comparison:
    """One column compared with another."""
    return compare_paired(*(np.reshape(side, (-1, 1)) for side in (a, b)))[0]


def test_p_values_are_uniform_where_nothing_differs():
    """Differences of two exchangeable systems, most of them zero as differences of recall are."""
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 250, 400)) < 0.3
    noise = rng.normal(size=(250, 400)) * 0.1
    p = sign_flip_p_values((a.astype(float) - b) + noise)
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert 0.02 < np.mean(p < 0.05) < 0.085


def test_a_real_difference_is_found_and_its_size_told():
    rng = np.random.default_rng(7)
    b = rng.random(1000)
    a = b + rng.normal(0.05, 0.2, 1000)
    result = paired(a, b)
    assert result.p < 1e-3 and result.low < 0.05 < result.high and result.n == 1000
    assert result.diff == pytest.approx(np.mean(a - b))
    assert result.d_z == pytest.approx(np.mean(a - b) / np.std(a - b, ddof=1))
    assert result.relative == pytest.approx(np.mean(a) / np.mean(b) - 1)


def test_few_pairs_are_tested_exactly():
    # All five differences positive: only two of the 32 sign patterns are as extreme.
    assert sign_flip_p_values(np.array([[1.0], [2], [3], [4], [5]]))[0] == 2 / 32
    peer = stats.permutation_test(
        (np.array([1.0, -0.5, 2, 0.25, 0.75]),), np.mean, permutation_type="samples"
    )
    ours = sign_flip_p_values(np.array([[1.0], [-0.5], [2], [0.25], [0.75]]))
    assert ours[0] == pytest.approx(peer.pvalue)


def test_random_flips_agree_with_the_exact_answer():
    moved = np.random.default_rng(8).normal(0.4, 1, size=12)
    exact = sign_flip_p_values(moved[:, None])[0]
    # A thirteenth pair that hardly moves leaves p as it is but forces random flips.
    random = sign_flip_p_values(np.append(moved, 1e-9)[:, None], n_permutations=40_000)[0]
    assert random == pytest.approx(exact, abs=0.01)


def test_degenerate_comparisons():
    same = paired([0.5, 0.25], [0.5, 0.25])
    assert same.p == 1 and same.diff == 0 and np.isnan(same.d_z)
    empty = paired([], [])
    assert empty.n == 0 and np.isnan([empty.p, empty.diff, empty.relative]).all()
    assert np.isnan(paired([1.0], [0.0]).relative)
    with pytest.raises(ValueError, match="equal shapes"):
        paired([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        sign_flip_p_values(np.array([[np.nan]]))


def test_p_is_never_zero():
    assert sign_flip_p_values(np.ones((200, 1)), n_permutations=999)[0] == 1 / 1000


def test_sign_flip_does_not_depend_on_which_system_comes_first():
    a, b = np.random.default_rng(9).random((2, 80))
    assert paired(a, b).p == paired(b, a).p


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.5]), [0.04, np.nan, 0.5])
    assert holm([]).size == 0 and holm([0.9, 0.8]).tolist() == [1.0, 1.0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_properties(p_values):
    p = np.array(p_values)
    adjusted = holm(p)
    assert np.all((adjusted >= p) & (adjusted <= 1))
    assert np.all(adjusted <= np.minimum(p * len(p), 1) + 1e-15)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


def test_table_pairs_users_by_id_and_not_by_position():
    base = pd.DataFrame(
        {"domain": ["x"] * 30 + ["y"] * 30, "user_id": [f"u{i}" for i in range(30)] * 2}
    )
    base["ndcg@20"] = np.random.default_rng(10).random(60)
    other = base.assign(**{"ndcg@20": base["ndcg@20"] + 0.1}).sample(frac=1, random_state=1)
    table = compare_table({"full": base, "less": other.iloc[:-3]}, "full", ["ndcg@20"])
    assert list(table["domain"].sort_values()) == ["x", "y"] and table["n"].sum() == 57
    np.testing.assert_allclose(table["diff"], 0.1)
    np.testing.assert_allclose(table["p_holm"], 2 * table["p"])
    with pytest.raises(ValueError, match="several rows"):
        compare_table({"full": pd.concat([base, base]), "less": other}, "full", ["ndcg@20"])


def test_columns_of_one_call_equal_single_calls():
    rng = np.random.default_rng(11)
    a, b = rng.random((2, 40, 3))
    together = compare_paired(a, b)
    # The chunks of resamples are the same, the products of other shapes: equal up to rounding.
    for j, result in enumerate(together):
        alone = compare_paired(a[:, [j]], b[:, [j]])[0]
        assert result.p == alone.p
        assert (result.low, result.high) == pytest.approx((alone.low, alone.high))
