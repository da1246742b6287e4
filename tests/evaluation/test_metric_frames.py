"""The long-form frames of a run's metrics folder."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from micrec_core.evaluation.metric_frames import (
    Result,
    beyond_table,
    cutoff_table,
    pool_seeds,
    summary_table,
    users_frame,
    variants_table,
)
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.significance import bootstrap_interval
from micrec_core.names import (
    BEYOND_COLUMNS,
    CUTOFF_COLUMNS,
    POOLED,
    SUMMARY_COLUMNS,
    VARIANT_COLUMNS,
)
from tests.evaluation.lists import top_k


def ranked_lists(seed, strength=0.0, n=60, m=90):
    truth = np.random.default_rng(0).random((n, m)) < 0.05
    truth[0] = False
    noise = np.random.default_rng(seed).normal(size=(n, m))
    return top_k(noise + strength * truth, 50), sparse.csr_matrix(truth)


def result(model="micrec", variant="full", seed=0, strength=0.0, **extra):
    frames = []
    for i, domain in enumerate(("food", "kitchen")):
        metrics = ranking_metrics(*ranked_lists(100 * i + seed, strength))
        ids = np.array([f"u{u}" for u in range(60)], dtype=object)
        cohort = np.where(np.arange(60) % 3 == 0, "overlap", "single")
        frames.append(users_frame(metrics, domain, ids, cohort))
    return Result(model, variant, seed, "known", pd.concat(frames, ignore_index=True), **extra)


def test_users_frame_keeps_ids_with_their_rows():
    users = result().users
    food = users[users["domain"] == "food"]
    assert "u0" not in set(food["user_id"])  # no positives
    assert food["user_id"].is_unique and list(users.columns[:3]) == ["domain", "user_id", "cohort"]


def test_summary_has_everyone_and_each_cohort():
    one = result()
    table = summary_table([one])
    assert list(table.columns) == SUMMARY_COLUMNS
    assert len(table) == 2 * 3 * 20 and set(table["cohort"]) == {"all", "overlap", "single"}
    users = one.users[(one.users["domain"] == "food") & (one.users["cohort"] == "overlap")]
    row = table.query("domain == 'food' and cohort == 'overlap' and metric == 'ndcg@20'").iloc[0]
    expected = bootstrap_interval(users["ndcg@20"])
    assert tuple(row[["mean", "low", "high", "n"]]) == pytest.approx(tuple(expected))


def test_variants_are_compared_with_the_full_model_of_their_seed():
    full = result(strength=1.5, seconds=9.0, n_parameters=100)
    worse = result("lightgcn", seed=0, strength=0.3)
    other_seed = result("inmo", seed=5)
    same = Result("micrec", "text", 0, "known", full.users)
    table = variants_table([full, worse, other_seed, same])
    assert list(table.columns) == VARIANT_COLUMNS
    differences = ["diff", "diff_low", "diff_high", "p_holm"]
    rows = table.query("metric == 'ndcg@20' and cohort == 'all'").set_index(
        ["model", "variant", "domain"]
    )
    assert rows.loc[("micrec", "full", "food"), differences].isna().all()
    assert rows.loc[("micrec", "full", "food"), "seconds"] == 9
    assert rows.loc[("inmo", "full", "food"), differences].isna().all()
    gcn = rows.loc[("lightgcn", "full", "food")]
    assert gcn["diff"] < gcn["diff_high"] < 0
    assert gcn["diff"] == pytest.approx(gcn["mean"] - rows.loc[("micrec", "full", "food"), "mean"])
    # Two comparisons in each of two domains: the smallest of four p-values counts four times.
    assert gcn["p_holm"] == pytest.approx(4 / 10_001)
    text = rows.loc[("micrec", "text", "kitchen")]
    assert (text["diff"], text["p_holm"]) == (0, 1)


def test_seeds_are_pooled_user_by_user():
    members = [result(seed=s, strength=1, seconds=float(s)) for s in (1, 2, 3)]
    pooled = pool_seeds([*members, result("popularity")])
    assert [r.seed for r in pooled] == [POOLED] and pooled[0].seconds == 2
    keys = ["domain", "user_id"]
    users = pooled[0].users.set_index(keys)
    expected = sum(m.users.set_index(keys)["recall@10"] for m in members) / 3
    pd.testing.assert_series_equal(users["recall@10"], expected.loc[users.index])
    assert {"n_positives", "cohort"} <= set(users.columns)
    table = variants_table(
        [*members, *pooled, *pool_seeds([result("inmo", seed=s) for s in (1, 2)])]
    )
    assert table.query(f"model == 'inmo' and seed == {POOLED}")["diff"].notna().all()


def test_a_user_that_one_seed_lacks_is_left_out_of_the_pool():
    first, second = result(seed=1), result(seed=2)
    second = Result("micrec", "full", 2, "known", second.users.iloc[1:])
    assert len(pool_seeds([first, second])[0].users) == len(first.users) - 1


def test_no_results_give_empty_tables():
    assert list(variants_table([]).columns) == VARIANT_COLUMNS
    assert list(summary_table([]).columns) == SUMMARY_COLUMNS


def test_cutoff_curves_agree_with_the_metrics():
    ranked, positives = ranked_lists(3, strength=1)
    curves = cutoff_table(ranked, positives, model="micrec", variant="full", domain="food")
    assert list(curves.columns) == CUTOFF_COLUMNS and len(curves) == 5 * 50
    metrics = ranking_metrics(ranked, positives)
    for k in (5, 10, 20, 50):
        for name in ("recall", "ndcg", "hr", "mrr", "precision"):
            row = curves.query(f"k == {k} and metric == '{name}'").iloc[0]
            assert row["mean"] == pytest.approx(metrics[f"{name}@{k}"].mean())
            assert row["low"] <= row["mean"] <= row["high"]


def test_beyond_is_one_row():
    table = beyond_table(
        np.array([[0, 1]]), np.array([2, 4, 0]), np.eye(3), model="m", variant="v", domain="d"
    )
    assert list(table.columns) == BEYOND_COLUMNS
    assert table.iloc[0].tolist() == ["m", "v", "d", 2 / 3, 3.0, 0.0]


def test_tables_survive_parquet(tmp_path):
    table = variants_table([result(), result("inmo")])
    table.to_parquet(tmp_path / "variants.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "variants.parquet"), table)
    users = result().users
    users.to_parquet(tmp_path / "users.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "users.parquet"), users)
