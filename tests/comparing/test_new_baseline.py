"""A baseline is a class and a line: what else must know it follows from the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from micrec_core.baselines import REGISTRY, Baseline, families
from micrec_core.baselines.contract import Option
from micrec_core.cli import main
from micrec_core.comparing.compare import compare
from micrec_core.config import ModelSettings, RunSettings, TrainSettings, make_settings
from micrec_core.errors import ConfigError
from micrec_core.figures import ablations, low_degree
from micrec_core.figures.picking import pick
from micrec_core.names import DEGREE, VARIANTS
from micrec_core.report.comparisons import best_of_families
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample

pytestmark = pytest.mark.usefixtures("one_thread")
BASE = RunSettings(training=TrainSettings(epochs=1, batch_size=256, negatives=16))


class Halved(Baseline):
    """Free vectors, and a number that does nothing."""

    family = "plain"
    options = (Option("half", 0.5, 0, 1),)
    grid = ({}, {"half": 0.25})


def test_a_new_baseline_is_trained_compared_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="no model 'halved'"):
        make_settings(ModelSettings, {"name": "halved"})
    monkeypatch.setitem(REGISTRY, "halved", Halved)
    assert "halved" in families()["plain"]
    with pytest.raises(ConfigError, match="option 'half' of halved lies from 0 to 1"):
        make_settings(ModelSettings, {"name": "halved", "options": {"half": 2}})

    generate_sample(tmp_path / "tiny", users=80, items=(40, 30), seed=3, pictures=False)
    words = ["--cache", str(tmp_path / "cache"), "--device", "cpu", "--epochs", "1"]
    words += ["--set", "options.half=0.1", "--model", "halved", "--json"]
    assert main(["train", str(tmp_path / "tiny"), "--out", str(tmp_path / "run"), *words]) == 0
    assert "known" in capsys.readouterr().out
    assert open_run(tmp_path / "run").info.config["model"]["options"] == {"half": 0.1}

    found = compare(
        tmp_path / "tiny", tmp_path / "all", models=("popularity", "halved"), seeds=(0,),
        budget=2, base=BASE, device="cpu", cache=tmp_path / "cache",
    )  # fmt: skip
    assert {(row["model"], row["change"]) for row in found["tuning"]} == {
        ("popularity", "defaults"), ("halved", "defaults"), ("halved", "half=0.25")
    }  # fmt: skip
    run = open_run(tmp_path / "all")
    labels = {"food": "Food", "kitchen": "Kitchen"}
    variants = pick(run.frame(VARIANTS), metric="ndcg@20", protocol="known", cohort="all")
    scores = ablations.scores(ablations.labelled(variants), labels)
    assert "HALVED" in scores.layout.yaxis.ticktext
    bins = low_degree.recall_by_bin(run.frame(DEGREE), labels)
    assert "HALVED" in {trace.name for trace in bins.data}
    assert best_of_families(variants)["plain"] in ("halved", "popularity")
