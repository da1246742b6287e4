"""A search for settings proposes, stops what is behind, goes on where it was, and is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from micrec_core.cli import main
from micrec_core.config import ModelSettings, RunSettings, TrainSettings
from micrec_core.errors import ConfigError
from micrec_core.names import TUNING
from micrec_core.running import tune
from micrec_core.running.record import settings_of
from micrec_core.running.tune import LAYERS, SPACE, forget, tuned
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = RunSettings(
    model=ModelSettings(dim=8), training=TrainSettings(epochs=2, batch_size=256, steps=2)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune") / "tiny"
    generate_sample(folder, users=100, items=(40, 30), seed=3, pictures=False)
    return folder


def searched(data: Path, out: Path, trials: int, **given: Any):
    return tuned(data, out, SETTINGS, trials, device="cpu", cache=data.parent / "cache", **given)


def test_a_stopped_search_goes_on_and_gives_the_best(data: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(label: str, *_: int) -> None:
        if label.startswith("trial 3"):
            raise Stopped

    out = tmp_path / "run"
    with pytest.raises(Stopped):
        searched(data, out, 4, progress=stop)
    before = searched(data, out, 2)[1]
    assert len(before) == 2
    # What was given is tried first, so that what is found validates at least as well.
    now = SETTINGS.suited(0.0).training.model_dump()
    assert before.loc[0, list(SPACE)].tolist() == pytest.approx([now[name] for name in SPACE])
    found, tried = searched(data, out, 4)
    assert len(tried) == 4 and tried.head(2).equals(before[tried.columns])
    assert not tried[list(SPACE)].duplicated().any()
    complete = tried[tried["state"] == "complete"]
    best = complete.loc[complete["score"].idxmax()]
    assert best["score"] >= tried.loc[0, "score"]
    assert found.training.learning_rate == best["learning_rate"]
    assert found.model.layers == best["layers"] and found.training.epochs == 2
    assert (tried["seconds"] > 0).all() and tried["layers"].between(*LAYERS).all()
    again, _ = searched(data, out, 4)
    assert again == found
    with pytest.raises(ConfigError, match="other settings or on other data; remove it"):
        tuned(data, out, SETTINGS.model_copy(update={"seed": 1}), 4, device="cpu")
    forget(out)
    assert not list(tmp_path.iterdir())


def test_a_trial_that_is_behind_is_stopped(data: Path, tmp_path: Path, monkeypatch) -> None:
    class Trial:
        def __init__(self) -> None:
            self.told: list[tuple[float, int]] = []

        def report(self, score: float, epoch: int) -> None:
            self.told.append((score, epoch))

        def set_user_attr(self, *_: object) -> None:
            pass

        def should_prune(self) -> bool:
            return len(self.told) == 2

    import optuna

    trial = Trial()
    told = tune._pruned(optuna, trial)  # type: ignore[arg-type]
    valid = {"a": {"ndcg@20": 0.2}, "b": {"ndcg@20": 0.1}}
    told({"epoch": 1, "seconds": 1.0, "valid": valid})
    told({"epoch": 2, "seconds": 1.0, "valid": None})
    with pytest.raises(optuna.TrialPruned):
        told({"epoch": 3, "seconds": 1.0, "valid": valid})
    assert trial.told == [(pytest.approx(0.3), 1), (pytest.approx(0.3), 3)]


def test_a_run_keeps_what_was_tried(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    told = ["--set", "model.dim=8", "--set", "training.steps=2", "--epochs", "1", "--no-umap"]
    told += ["--no-baselines", "--tune", "2", "--device", "cpu", "--preset", "paper"]
    assert main(["train", str(data), "--out", str(out), *told]) == 0
    capsys.readouterr()
    run = open_run(out)
    tried = run.frame(TUNING)
    best = tried.loc[tried["score"].idxmax()]
    assert len(tried) == 2
    settings = settings_of(run.info)
    assert settings.training.learning_rate == best["learning_rate"]
    assert settings.recipe == "paper" and not settings.model.memory
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(("model", "trials"), [("inmo", 3), ("micrec", -1)])
def test_what_cannot_be_searched_is_refused(data, tmp_path, model: str, trials: int) -> None:
    settings = RunSettings(model=ModelSettings(name=model))
    with pytest.raises(ConfigError, match="searches for micrec alone"):
        tuned(data, tmp_path / "run", settings, trials)


def test_without_optuna_the_package_is_named(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'micrec-explorer\[tune\]'"):
        searched(data, tmp_path / "run", 1)
