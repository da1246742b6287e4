"""Models trained on less, end to end on a tiny sample: nothing redone, the same test users."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from micrec_core.cli import main
from micrec_core.comparing import sample_run as bundle
from micrec_core.comparing.compare import compare
from micrec_core.comparing.plan import can_train, touches
from micrec_core.comparing.sample_run import make_sample_run
from micrec_core.comparing.variants import train_curves
from micrec_core.config import RunSettings, TrainSettings
from micrec_core.errors import ConfigError
from micrec_core.evaluation.stress import Stress
from micrec_core.names import FEWEST, POOLED
from micrec_core.report.results import write_results
from micrec_core.running.train import train_run
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample
from tests.comparing.stopping import forbid_training, stop_and_go_on
from tests.method.worlds import QUICK

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("one_thread", "first_choices"),
]

BASE = RunSettings(split="inductive", training=TrainSettings(**QUICK))
MODELS_HERE = ("micrec", "ease", "vbpr", "cmf")
# Two seeds of: sparsity of two domains for 4 models; text, image and all lost by half for two
# and by all, of which VBPR has nothing without both; overlap for two. EASE is solved once for both.
N_STRESSED = 2 * (2 * 4 + 3 * 2 + 2 * 2 + 1 + 2) - 2
N_PLAIN = 4 * 2 - 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curves")
    generate_sample(folder / "tiny", users=120, items=(60, 50), seed=3, picture_size=32)
    return folder


@pytest.fixture(scope="module")
def trained() -> list[str]:
    return []


def run_it(place: Path, out: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "models": MODELS_HERE, "seeds": (0, 1), "budget": 1, "base": BASE, "device": "cpu",
        "protocols": ("sparsity", "missing", "overlap"), "shares": (0.5, 1.0),
        "cache": place / "cache",
    }  # fmt: skip
    return compare(place / "tiny", place / out, **(given | changes))


@pytest.fixture(scope="module")
def found(place: Path, trained: list[str]) -> dict[str, Any]:
    """A comparison that was stopped amid its curves and gone on with."""
    return stop_and_go_on(lambda: run_it(place, "all"), trained, after=N_PLAIN + 7)


def curve(place: Path, name: str, out: str = "all") -> pd.DataFrame:
    return open_run(place / out).frame(f"metrics/{name}.parquet")


def test_a_second_start_redoes_nothing(found, trained, place, monkeypatch) -> None:
    assert len(trained) == len(set(trained)) == N_PLAIN + N_STRESSED
    before = {name: curve(place, name) for name in ("sparsity", "missing", "overlap")}
    forbid_training(monkeypatch)
    again = run_it(place, "all")
    assert json.dumps(again, default=str) == json.dumps(found, default=str)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(curve(place, name), frame)
    assert not list((place / "all").rglob("model.safetensors"))
    assert found["protocols"] == ["sparsity", "missing", "overlap"]


def test_every_point_asks_the_same_users(found, place) -> None:
    keys = ["model", "variant", "seed", "protocol", "domain", "cohort", "metric"]
    for name, beside in (("sparsity", []), ("missing", ["modality"]), ("overlap", [])):
        frame = curve(place, name)
        assert set(frame["model"]) == set(MODELS_HERE) and set(frame["seed"]) == {0, 1, POOLED}
        assert set(frame["metric"]) == {"ndcg@20", "recall@20"}
        assert not frame.duplicated([*keys, *beside, "share"]).any()
        assert (frame.groupby([*keys, *beside])["n"].nunique() == 1).all()
        assert (frame["low"] <= frame["mean"]).all() and (frame["mean"] <= frame["high"]).all()
        points = frame.groupby([*keys, *beside])["share"].nunique()
        assert (points[points.index.get_level_values("model") != "vbpr"] >= 2).all()


def test_the_ends_of_the_curves_are_the_plain_trainings(found, place) -> None:
    variants = open_run(place / "all").frame("metrics/variants.parquet")
    keys = ["model", "variant", "seed", "protocol", "domain", "cohort", "metric"]
    for name, share in (("sparsity", 1.0), ("missing", 0.0), ("overlap", 1.0)):
        frame = curve(place, name)
        both = frame[frame["share"] == share].merge(variants, on=keys, suffixes=("", "_plain"))
        assert len(both) == (frame["share"] == share).sum()
        np.testing.assert_allclose(both["mean"], both["mean_plain"])
        np.testing.assert_allclose(both["low"], both["low_plain"])


def test_what_is_taken_away_is_told_and_matters(found, place) -> None:
    sparsity = curve(place, "sparsity")
    train = {d["name"]: d for d in open_run(place / "all").info.dataset.model_dump()["domains"]}
    for domain, rows in sparsity.groupby("domain"):
        sizes = rows.drop_duplicates("share").set_index("share")["n_train"]
        assert len(sizes) == 2 and sizes.index.max() == 1.0
        # Half of them, or one a user where that is more.
        assert 0.5 <= sizes.min() / sizes.max() < 0.6
        assert sizes.index.min() == pytest.approx(sizes.min() / sizes.max(), abs=1e-4)
        assert sizes.max() <= train[domain]["n_train"]
        ease = rows[(rows["model"] == "ease") & (rows["seed"] == 0) & (rows["cohort"] == "all")]
        ease = ease[ease["protocol"] == "known"]
        assert ease.groupby("metric")["mean"].nunique().eq(2).all()
    missing = curve(place, "missing")
    alike = missing[missing["model"].isin(["ease", "cmf"])]
    keys = ["model", "seed", "protocol", "domain", "cohort", "metric"]
    assert (alike.groupby(keys)["mean"].nunique() == 1).all()
    ours = missing[(missing["model"] == "micrec") & (missing["metric"] == "ndcg@20")]
    assert ours.groupby(["modality", "protocol", "domain"])["mean"].nunique().max() > 1
    vbpr = missing[missing["model"] == "vbpr"]
    assert set(vbpr[vbpr["modality"] == "all"]["share"]) == {0.0, 0.5}
    overlap = curve(place, "overlap")
    for model, changed in (("micrec", True), ("cmf", True), ("ease", False), ("vbpr", False)):
        rows = overlap[(overlap["model"] == model) & (overlap["metric"] == "recall@20")]
        assert (rows.groupby(keys)["mean"].nunique().max() > 1) == changed


def test_the_same_seed_gives_the_same_curve(found, place) -> None:
    run_it(place, "again", models=("cmf",), protocols=("overlap",), seeds=(0,), shares=(0.5,))
    again = curve(place, "overlap", "again")
    before = curve(place, "overlap")
    before = before[(before["model"] == "cmf") & (before["seed"] == 0)].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, before)


def test_what_a_stress_does_not_touch_is_not_trained_again() -> None:
    both = ("text", "image")

    def model(name: str, *without: str) -> Any:
        return BASE.model.model_copy(update={"name": name, "without": without})

    text, every = Stress("missing", 1.0, "text"), Stress("missing", 1.0, "all")
    assert touches(text, model("micrec"), both) and touches(text, model("vbpr"), both)
    assert not touches(text, model("micrec", "text"), both)
    assert not touches(text, model("lightgcn"), both)
    assert can_train(text, model("vbpr"), both) and not can_train(every, model("vbpr"), both)
    assert can_train(every, model("micrec"), both) and can_train(every, model("ease"), both)
    assert not can_train(text, model("vbpr"), ("text",))
    people = Stress("overlap", 0.0)
    for name, there in (("micrec", True), ("bitgcf", True), ("inmo", False), ("popularity", False)):
        assert touches(people, model(name), both) == there
    assert not touches(people, model("micrec", "cross-domain"), both)
    assert touches(Stress("sparsity", 0.5, "food"), model("popularity"), both)


def test_mistakes_are_told_before_anything_is_read(place) -> None:
    for words, said in (
        ({"protocols": ("sparse",)}, "there is no protocol 'sparse' that trains on less"),
        ({"shares": (2.0,)}, "a share is 2"),
    ):
        with pytest.raises(ConfigError, match=said):
            compare(place / "nowhere", place / "new", **words)  # type: ignore[arg-type]
    assert not (place / "new").exists()


@pytest.fixture(scope="module")
def run_path(place: Path) -> Path:
    where = place / "run"
    train_run(
        place / "tiny", where, BASE, device="cpu", cache=place / "cache", umap=False,
        baselines=False,
    )  # fmt: skip
    return where


def test_curves_are_added_to_a_run(place, run_path, capsys) -> None:
    before = open_run(place / "run").frame("metrics/summary.parquet")
    words = [
        "variants", str(place / "run"), "--dataset", str(place / "tiny"), "--names", "ease",
        "--protocols", "missing", "--shares", "0.5", "--device", "cpu",
        "--cache", str(place / "cache"),
    ]  # fmt: skip
    assert main([*words, "--shares", "half"]) == 2
    assert "'half' is not a list of shares" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    run = open_run(place / "run")
    frame = run.frame("metrics/missing.parquet")
    assert len(printed["results"]) == len(frame) and set(frame["model"]) == {"micrec", "ease"}
    assert not (place / ".run-trainings").exists()
    pd.testing.assert_frame_equal(run.frame("metrics/summary.parquet"), before)
    # The run's own model, trained again, is the curve's end.
    keys = ["model", "protocol", "domain", "cohort", "metric"]
    both = frame[(frame["share"] == 0) & (frame["modality"] == "text")].merge(before, on=keys)
    assert len(both[both["model"] == "micrec"]) and np.allclose(both["mean_x"], both["mean_y"])
    with pytest.raises(ConfigError, match="nothing is taken away"):
        train_curves(place / "run", place / "tiny", protocols=("missing",), shares=(0.0,))


def test_the_bundled_run_gets_curves(place, run_path, monkeypatch) -> None:
    monkeypatch.setenv("MICREC_CACHE", str(place / "cache"))
    monkeypatch.setattr(bundle, "train_run", lambda _, out, *w, **g: shutil.copytree(run_path, out))
    monkeypatch.setattr(bundle, "train_variants", lambda *words, **given: None)
    out = place / "bundled" / "sample"
    assert make_sample_run(place / "tiny", out, seeds=(0, 1), shares=(0.5,))
    run = open_run(out)
    for name in ("sparsity", "missing", "overlap"):
        frame = run.frame(f"metrics/{name}.parquet")
        assert set(frame["model"]) == {"micrec", "inmo", "lightgcn"} and set(frame["seed"]) == {0}
    assert [f.name for f in (place / "bundled").iterdir()] == ["sample"]


def test_the_report_says_what_the_tables_say(found, place, tmp_path) -> None:
    out = tmp_path / "results.md"
    write_results([place / "all"], out)
    text = out.read_text(encoding="utf-8")
    run = open_run(place / "all")
    variants = run.frame("metrics/variants.parquet")
    pooled = variants[(variants["seed"] == POOLED) & (variants["cohort"] == "all")]
    few = f"fewer than {FEWEST} users"
    for row in pooled[pooled["metric"] == "ndcg@20"].itertuples():
        told = f"{row.mean:.4f} [{row.low:.4f}, " if row.n >= FEWEST else few
        assert f"| {row.model} | {row.domain} | {told}" in text
    tests = run.frame("tests.parquet")
    for row in tests[(tests["metric"] == "ndcg@20") & (tests["n"] >= FEWEST)].itertuples():
        assert f"| {row.diff:+.4f} [{row.diff_low:+.4f}, {row.diff_high:+.4f}] | " in text
        assert f"| {row.p_holm:.3f} | {row.verdict} |" in text
    assert {c["model"] for c in found["cost"]} == set(MODELS_HERE)
    for spent in found["cost"]:
        assert spent["milliseconds"] > 0 and f"| {spent['milliseconds']:.3f} |" in text
    for spot in found["tuning"]:
        assert f"| {spot['model']} | {spot['change']} | {spot['score']:.4f} |" in text
    overlap = curve(place, "overlap")
    ours = overlap[(overlap["model"] == "cmf") & (overlap["seed"] == POOLED)]
    for row in ours[(ours["metric"] == "ndcg@20") & (ours["cohort"] == "all")].itertuples():
        told = f"{row.mean:.4f} [{row.low:.4f}, {row.high:.4f}]" if row.n >= FEWEST else few
        assert told in text
    section = text[text.index("known to be one person") :]
    assert "| known | cmf |" in section and "ease" not in section
    names = {f.name for f in (tmp_path / "results").iterdir()}
    assert {"comparison-all.csv", "comparison-all-tests.csv", "all-sparsity.csv"} <= names
