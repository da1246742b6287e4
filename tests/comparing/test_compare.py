"""Comparisons made end to end on a tiny sample: equal budgets, nothing redone, a run to open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from micrec_core.baselines import REGISTRY, models
from micrec_core.cli import main
from micrec_core.comparing.compare import compare, contenders_of
from micrec_core.comparing.plan import BUDGET, Contender, at_point, changes
from micrec_core.config import RunSettings, TrainSettings
from micrec_core.errors import ConfigError, RunError
from micrec_core.names import POOLED, VARIANT_COLUMNS
from micrec_core.running.evaluate import evaluate_run
from micrec_core.running.train import train_run
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample
from tests.comparing.stopping import forbid_training, stop_and_go_on

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("one_thread", "first_choices"),
]

BASE = RunSettings(
    split="inductive",
    training=TrainSettings(epochs=2, steps=3, batch_size=256, validate_every=1, negatives=32),
)
MODELS_HERE = ("micrec", "lightgcn", "popularity", "ease", "cmf")
# Points; what is trained, not solved, with the second seed; the variant with both.
N_TRAININGS = 4 * 2 + 1 + 3 + 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    generate_sample(folder / "tiny", users=120, items=(60, 50), seed=3, pictures=False)
    return folder


@pytest.fixture(scope="module")
def trained() -> list[str]:
    """What has been trained, as it is."""
    return []


def run_it(place: Path, out: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "models": MODELS_HERE, "without": ("text",), "seeds": (0, 1), "budget": 2, "base": BASE,
        "device": "cpu", "cache": place / "cache",
    }  # fmt: skip
    return compare(place / "tiny", place / out, **(given | changes))


@pytest.fixture(scope="module")
def found(place: Path, trained: list[str]) -> dict[str, Any]:
    """A comparison that was stopped after five trainings and gone on with."""

    def unfinished() -> None:
        with pytest.raises(RunError, match="was cancelled"):
            open_run(place / "all")

    return stop_and_go_on(lambda: run_it(place, "all"), trained, after=5, between=unfinished)


def test_a_second_start_redoes_nothing(found, trained, place, monkeypatch) -> None:
    assert len(trained) == len(set(trained)) == N_TRAININGS
    forbid_training(monkeypatch)
    again = run_it(place, "all")
    assert json.dumps(again, default=str) == json.dumps(found, default=str)


def test_every_model_has_the_same_budget_and_the_choice_is_stated(found) -> None:
    tuning = pd.DataFrame(found["tuning"])
    counts = tuning.groupby("model").size()
    assert dict(counts) == {"micrec": 2, "lightgcn": 2, "ease": 2, "cmf": 2, "popularity": 1}
    for _, rows in tuning.groupby("model"):
        assert rows["chosen"].sum() == 1
        assert rows.loc[rows["chosen"], "score"].iloc[0] == rows["score"].max()
    second = {changes(point) for name in MODELS_HERE for point in models()[name].grid[1:2]}
    assert set(tuning["change"]) == {"defaults"} | second
    assert changes({"l2": 0.1, "schedule": "constant"}) == "l2=0.1, schedule=constant"
    assert found["budget"] == 2 and found["seeds"] == [0, 1]
    for spent in found["cost"]:
        assert spent["threads"] == 1
        assert spent["seconds"] >= 0 and (spent["peak_mb"] is None or spent["peak_mb"] >= 0)


def test_what_was_not_chosen_is_never_asked_about_test(found, place) -> None:
    folders = [f for f in (place / "all" / "trainings").iterdir() if f.is_dir()]
    answered = [f for f in folders if (f / "answered.json").exists()]
    # Popularity and EASE are solved once and stand for the second seed too.
    assert len(folders) == N_TRAININGS + 2 and len(answered) == 2 * 6
    assert not list((place / "all").rglob("model.safetensors"))


def test_the_tables_are_those_that_pages_read(found, place) -> None:
    run = open_run(place / "all")
    variants = run.frame("metrics/variants.parquet")
    assert list(variants.columns) == VARIANT_COLUMNS
    assert set(variants["seed"]) == {0, 1, POOLED}
    full = variants[(variants["model"] == "micrec") & (variants["variant"] == "full")]
    assert full["diff"].isna().all() and (full["n_parameters"] > 0).all()
    rest = variants[(variants["model"] == "cmf") & (variants["cohort"] == "all")]
    assert set(rest["protocol"]) == {"known", "cold-domain"} and rest["p_holm"].notna().all()
    text = variants[variants["variant"] == "text"]
    assert set(text["model"]) == {"micrec"}
    for name in ("degree", "cutoff", "beyond", "summary"):
        assert set(MODELS_HERE) <= set(run.frame(f"metrics/{name}.parquet")["model"])
    assert run.has("catalogue.parquet") and run.info["kind"] == "comparison"
    users = run.frame("metrics/users_known.parquet")
    value = users[users["domain"] == "food"]["ndcg@20"].mean()
    row = full[(full["seed"] == 0) & (full["domain"] == "food") & (full["protocol"] == "known")]
    row = row[(row["cohort"] == "all") & (row["metric"] == "ndcg@20")]
    assert row["mean"].iloc[0] == pytest.approx(value)


def test_tests_are_paired_corrected_and_may_show_nothing(found) -> None:
    tests = pd.DataFrame(found["tests"])
    assert set(tests["model"]) == {*MODELS_HERE}
    assert not ((tests["model"] == "micrec") & (tests["variant"] == "full")).any()
    verdicts = {"better", "worse", "no difference can be shown"}
    assert set(tests["verdict"]) <= verdicts and "no difference can be shown" in set(
        tests["verdict"]
    )
    assert (tests["p_holm"] >= tests["p"]).all() and {"d_z", "relative"} <= set(tests.columns)
    spread = pd.DataFrame(found["seeds_spread"])
    assert (spread["n_seeds"] == 2).all()
    still = spread[spread["model"].isin(["popularity", "ease"])]
    assert np.allclose(still["sd"], 0), "solved models know no seed"


def test_a_comparison_can_be_added_to_and_not_mixed(found, place, trained) -> None:
    more = run_it(place, "all", models=(*MODELS_HERE, "itemknn"))
    assert "itemknn" in {row["model"] for row in more["results"]}
    assert open_run(place / "all").info.status == "complete"
    other = BASE.model_copy(update={"split": "known"})
    with pytest.raises(RunError, match="started with split = inductive and not known"):
        run_it(place, "all", base=other)
    with pytest.raises(ConfigError, match="no model 'lightgnc'"):
        run_it(place, "else", models=["lightgnc"])
    with pytest.raises(ConfigError, match="no mechanism 'txt'"):
        run_it(place, "else", without=["txt"])
    assert not (place / "else").exists()


def test_every_model_has_a_grid_of_settings_that_are_known() -> None:
    assert [c.name for c in contenders_of((), ())] == list(models())
    for name, model in models().items():
        grid = model.grid
        assert grid[0] == {} and len(grid) == (1 if name == "popularity" else BUDGET)
        made = [at_point(BASE, Contender(name), point, 0) for point in grid]
        assert len({m.model_dump_json() for m in made}) == len(grid), "points differ"


@pytest.mark.parametrize("name", ["popularity", "ease", "vbpr", "emcdr", "inmo-mf"])
def test_a_baseline_is_trained_into_a_run(name, place, capsys) -> None:
    given = BASE.model_dump() | {"model": {"name": name}}
    made = train_run(
        place / "tiny", place / f"run-{name}", RunSettings.model_validate(given), device="cpu",
        cache=place / "cache", umap=False,
    )  # fmt: skip
    run = open_run(made.run)
    assert run.info.model == name and "known" in made.metrics and run.has("catalogue.parquet")
    assert "seconds" in run.history().columns and "peak_mb" in run.info
    anew = evaluate_run(run.path, place / "tiny", device="cpu", cache=place / "cache")
    stored = run.frame("metrics/summary.parquet")
    pd.testing.assert_frame_equal(stored, anew.summary, rtol=1e-6)
    if name in REGISTRY:
        assert main(["recommend", str(run.path), "--domain", "food", "--like", "food:x"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"Run 'run-{name}' is of {name}, a baseline that is trained to be")


def test_the_command_prints_one_object(found, place, capsys) -> None:
    words = [
        "compare", str(place / "tiny"), "--out", str(place / "small"),
        "--models", "ease,popularity", "--seeds", "0", "--budget", "1", "--device", "cpu", "--json",
        "--cache", str(place / "cache"), "--set", "options.penalty=50",
    ]  # fmt: skip
    assert main(words) == 2
    assert "has no option 'penalty'" in capsys.readouterr().err
    assert main([*words[:-2]]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"results", "tests", "tuning"} <= set(printed)
    assert printed["reference"] == ["ease", "full"]
