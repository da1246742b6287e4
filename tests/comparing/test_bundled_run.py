"""The run that comes with the app: whole, small, and holding what the pages claim of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.bundled import SAMPLE_DATA
from micrec_core.names import LOW_BINS
from micrec_core.runs import Run, open_run
from micrec_core.serving.bundle import ABOUT, EMBEDDED

RUN = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"
THIRD = 1 / 3


@pytest.fixture(scope="module")
def run() -> Run:
    return open_run(RUN)


@pytest.fixture(scope="module")
def users(run: Run) -> pd.DataFrame:
    """Training users with both modalities, and how their modality weights are shared."""
    weights = run.frame("weights.parquet")
    rows = weights[(weights["entity"] == "user") & weights["has_text"] & weights["has_image"]]
    rows = rows[rows["degree"] >= 3].copy()
    rows["text_share"] = rows["w_text"] / (rows["w_text"] + rows["w_image"])
    rows["lean"] = rows["coherence_text"] - rows["coherence_image"]
    return rows


def mean_ndcg(run: Run, model: str, protocol: str, domain: str) -> float:
    rows = run.frame("metrics/summary.parquet")
    rows = rows[(rows["cohort"] == "all") & (rows["metric"] == "ndcg@20")]
    found = rows[
        (rows["model"] == model) & (rows["protocol"] == protocol) & (rows["domain"] == domain)
    ]
    return float(found["mean"].iloc[0])


def test_it_is_synthetic_and_small(run: Run) -> None:
    assert run.info.dataset is not None and run.info.dataset.synthetic
    # With the sample, what everybody downloads who clones the project.
    both = (*RUN.rglob("*"), *SAMPLE_DATA.rglob("*"))
    assert sum(f.stat().st_size for f in both if f.is_file()) < 30e6


def test_it_says_enough_of_each_question(run: Run) -> None:
    asked = run.frame("metrics/summary.parquet").query("model == 'micrec' and cohort == 'all'")
    for protocol, least in (("cold-domain", 200), ("new-users", 150)):
        rows = asked[asked["protocol"] == protocol]
        assert set(rows["domain"]) == {"food", "kitchen"} and (rows["n"] >= least).all()
    few = run.frame("metrics/degree_items.parquet")
    few = few[few["bin"].isin(LOW_BINS)]
    assert (few.groupby(["domain", "bin"], observed=True).size() >= 30).sum() == 2 * len(LOW_BINS)


def test_it_opens_as_it_is(run: Run) -> None:
    """A bundle of an earlier version runs the model first, which takes torch and seconds."""
    assert run.json(ABOUT)["version"] >= EMBEDDED


def test_a_missing_modality_weighs_nothing(run: Run) -> None:
    weights = run.frame("weights.parquet")
    for modality in ("text", "image"):
        missing = weights[~weights[f"has_{modality}"]]
        assert len(missing) and (missing[f"w_{modality}"] == 0).all()


@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_an_uninformative_modality_weighs_less(users: pd.DataFrame, domain: str) -> None:
    """Users whose items say little in common by text (against pictures) lean on text less."""
    rows = users[users["domain"] == domain]
    low, high = rows["lean"].quantile([THIRD, 1 - THIRD])
    little = rows.loc[rows["lean"] <= low, "text_share"]
    much = rows.loc[rows["lean"] >= high, "text_share"]
    assert much.mean() - little.mean() > 0.02
    assert rows["text_share"].corr(rows["lean"], method="spearman") > 0.4


@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_no_source_takes_everything(users: pd.DataFrame, domain: str) -> None:
    shares = users.loc[users["domain"] == domain, ["share_id", "share_text", "share_image"]]
    assert (shares.mean() > 0.1).all() and (shares.mean() < 0.7).all()


@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_new_items_and_cold_users_beat_what_they_must(run: Run, domain: str) -> None:
    full = mean_ndcg(run, "micrec", "new-items", domain)
    assert full > 3 * mean_ndcg(run, "inmo", "new-items", domain)
    cold = mean_ndcg(run, "micrec", "cold-domain", domain)
    assert cold > mean_ndcg(run, "popularity", "cold-domain", domain)


def test_cold_users_beat_the_ridge_map_over_both_domains(run: Run) -> None:
    """One domain alone cannot tell two maps apart: docs/results.md has the tests."""
    means = [
        sum(mean_ndcg(run, model, "cold-domain", domain) for domain in ("food", "kitchen"))
        for model in ("micrec", "ridge")
    ]
    assert means[0] > means[1]
    tests = run.frame("metrics/cold_domain.parquet")
    tests = tests[(tests["model"] == "ridge") & (tests["metric"] == "ndcg@20")]
    tests = tests[tests["cohort"] == "all"]
    assert len(tests) == 2 and (tests["diff_low"] < 0).all(), "the map is shown to be better"


def test_known_users_are_served_where_the_map_has_them(run: Run) -> None:
    """Folding a known user in gives the vector that training ended with (kept as float16)."""
    from micrec_core.serving import Recommender

    model = Recommender.open(run)
    users = run.frame("snapshots/users.parquet")
    last = run.tensors(max(f for f in run.files if f.startswith("snapshots/epoch_")))
    rows = users.iloc[:: len(users) // 12]
    for domain, side in zip(model.domains, "ab", strict=True):
        served = [model.embedding(model.user(id=str(u)), domain) for u in rows["user_id"]]
        np.testing.assert_allclose(served, last[side][rows["row"]], rtol=2e-3, atol=2e-4)
