"""Resuming gives what not stopping gives; a damaged checkpoint costs an epoch, two are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from micrec_core.errors import RunError
from micrec_core.training.checkpoint import load_checkpoint
from micrec_core.training.trainer import Trainer, TrainState

LONG = {"epochs": 6, "patience": 99}


class Stopped(Exception):
    """Someone pulled the plug."""


def stop_in(epoch: int) -> Callable[[dict[str, Any], Any], None]:
    def on_epoch(record: dict[str, Any], model: Any) -> None:
        if record["epoch"] == epoch:
            raise Stopped

    return on_epoch


@pytest.fixture(scope="module")
def after_three(trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    made = trainer(training=LONG, on_epoch=stop_in(4), checkpoint=folder)
    with pytest.raises(Stopped):
        made.fit()
    return folder


@pytest.fixture
def stopped(after_three: Path, tmp_path: Path) -> Path:
    """The checkpoint of a training that was stopped in its fourth epoch, after three."""
    return shutil.copytree(after_three, tmp_path / "checkpoint")


def go_on(made: Trainer) -> TrainState:
    assert made.checkpoint is not None
    load_checkpoint(made.checkpoint, made)
    return made.fit()


def scripted(scores: list[float]) -> Callable[[Any], float]:
    left = iter(scores)
    return lambda model: next(left)


def losses(into: list[Any]) -> Callable[[dict[str, Any], Any], None]:
    return lambda record, _: into.append((record["epoch"], record["loss"]))


FALLING = {"schedule": "cosine", "weight_decay": 0.4, "leave_out": True, "views": 0.3}


# The mean of the parameters is then the parameters, in the same memory.
NO_MEAN = {"average": 0.0}


@pytest.mark.parametrize(
    ("model", "more"), [({}, {}), ({"name": "lightgcn"}, {}), ({}, FALLING), ({}, NO_MEAN)]
)
def test_resumed_equals_uninterrupted_bit_for_bit(trainer, same, tmp_path, model, more) -> None:
    whole: list[Any] = []
    straight = trainer(model, LONG | more, on_epoch=losses(whole))
    straight.fit()
    made = trainer(model, LONG | more, on_epoch=stop_in(4), checkpoint=tmp_path)
    with pytest.raises(Stopped):
        made.fit()
    rest: list[Any] = []
    resumed = trainer(model, LONG | more, seed=7, on_epoch=losses(rest), checkpoint=tmp_path)
    state = go_on(resumed)
    assert same(resumed.model.state_dict(), straight.model.state_dict())
    assert rest == whole[3:], "the epoch that was cut short is done again"
    assert (state.epoch, state.best_epoch, state.best_score, state.stale) == (
        straight.state.epoch,
        straight.state.best_epoch,
        straight.state.best_score,
        straight.state.stale,
    )


def test_the_best_so_far_survives_a_stop(trainer, same, tmp_path) -> None:
    scores = [0.5, 0.9, 0.1, 0.1, 0.1, 0.1]
    straight = trainer(training=LONG, score=scripted(scores))
    straight.fit()
    cut = trainer(
        training=LONG,
        score=scripted(scores),
        on_epoch=stop_in(4),
        checkpoint=tmp_path,
    )
    with pytest.raises(Stopped):
        cut.fit()
    resumed = trainer(training=LONG, score=scripted(scores[3:]), checkpoint=tmp_path)
    state = go_on(resumed)
    assert (state.best_epoch, state.best_score, state.stale) == (2, 0.9, 4)
    assert same(resumed.model.state_dict(), straight.model.state_dict())


def test_a_finished_training_resumes_to_itself(trainer, same, tmp_path) -> None:
    first = trainer(checkpoint=tmp_path)
    first.fit()
    again = trainer(seed=5, checkpoint=tmp_path)
    go_on(again)
    assert same(first.model.state_dict(), again.model.state_dict())


def test_resuming_without_a_checkpoint_starts_at_the_beginning(trainer, same, tmp_path) -> None:
    first, second = trainer(), trainer(checkpoint=tmp_path / "none yet")
    first.fit()
    go_on(second)
    assert same(first.model.state_dict(), second.model.state_dict())


def test_without_resume_an_old_checkpoint_is_not_looked_at(trainer, same, stopped) -> None:
    first, second = trainer(training=LONG), trainer(training=LONG, checkpoint=stopped)
    first.fit()
    second.fit()
    assert same(first.model.state_dict(), second.model.state_dict())


def test_two_sets_of_tensors_are_kept_and_nothing_half_written(stopped) -> None:
    assert sorted(p.name for p in stopped.iterdir()) == [
        "state-2.json", "state-3.json", "tensors-2.safetensors", "tensors-3.safetensors",
    ]  # fmt: skip


def test_the_checkpoint_of_an_earlier_version_is_gone_on_with(trainer, same, stopped) -> None:
    """It had no checksum, and there was one of it."""
    record = json.loads((stopped / "state-3.json").read_text())
    old = {key: value for key, value in record.items() if key not in ("content", "sha256")}
    (stopped / "state.json").write_text(json.dumps(old))
    for name in ("state-2.json", "state-3.json", "tensors-2.safetensors"):
        (stopped / name).unlink()
    straight, resumed = trainer(training=LONG), trainer(training=LONG, checkpoint=stopped)
    straight.fit()
    load_checkpoint(stopped, resumed)
    assert resumed.state.epoch == 3
    resumed.fit()
    assert same(resumed.model.state_dict(), straight.model.state_dict())
    assert not (stopped / "state.json").exists()


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def turn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "state-3.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def without_a_moment(folder: Path, change: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
    path = folder / "tensors-3.safetensors"
    tensors = load_file(path)
    moment = tensors.pop("adam.1.exp_avg_sq")
    save_file(tensors if change is None else tensors | {"adam.1.exp_avg_sq": change(moment)}, path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "tensors cut short": lambda f: cut(f / "tensors-3.safetensors", 0.7),
    "tensors empty": lambda f: cut(f / "tensors-3.safetensors", 0),
    "tensors are something else": lambda f: (f / "tensors-3.safetensors").write_bytes(b"x" * 999),
    "tensors gone": lambda f: (f / "tensors-3.safetensors").unlink(),
    "state cut short": lambda f: cut(f / "state-3.json", 0.5),
    "state empty": lambda f: cut(f / "state-3.json", 0),
    "state not text": lambda f: (f / "state-3.json").write_bytes(b"\xff\xfe\x00"),
    "state a list": lambda f: (f / "state-3.json").write_text("[1]"),
    "state a number": lambda f: (f / "state-3.json").write_text("3"),
    "state without epoch": lambda f: edit(f, lambda r: r.pop("epoch")),
    "epoch no number": lambda f: edit(f, lambda r: r.update(epoch="three")),
    "best score gone": lambda f: edit(f, lambda r: r.update(best_score=None)),
    "tensors of nothing": lambda f: edit(f, lambda r: r.update(tensors=None)),
    "a moment gone": lambda f: without_a_moment(f, None),
    "a moment of another shape": lambda f: without_a_moment(f, lambda x: x.flatten()[1:].clone()),
    "a bit turned": lambda f: turn(f / "tensors-3.safetensors"),
    "a number turned": lambda f: edit(f, lambda r: r.update(stale=r["stale"] + 1)),
    "tensors elsewhere": lambda f: edit(f, lambda r: r.update(tensors="../../secret")),
}


@pytest.fixture(scope="module")
def whole(trainer) -> dict[str, torch.Tensor]:
    made = trainer(training=LONG)
    made.fit()
    return made.model.state_dict()


@pytest.mark.parametrize("damage", list(DAMAGE.values()), ids=list(DAMAGE))
def test_damage_costs_an_epoch(trainer, same, stopped, whole, caplog, damage) -> None:
    damage(stopped)
    made = trainer(training=LONG, checkpoint=stopped)
    load_checkpoint(stopped, made)
    assert made.state.epoch == 2
    (said,) = (record.getMessage() for record in caplog.records)
    assert "state-3.json cannot be used" in said and "the one before is taken" in said
    made.fit()
    assert same(made.model.state_dict(), whole)


@pytest.mark.parametrize("damage", list(DAMAGE.values()), ids=list(DAMAGE))
def test_damage_of_both_is_refused_in_one_sentence(trainer, stopped, damage) -> None:
    damage(stopped)
    cut(stopped / "tensors-2.safetensors", 0.5)
    with pytest.raises(RunError, match="cannot be resumed from") as caught:
        go_on(trainer(training=LONG, checkpoint=stopped))
    said = str(caught.value)
    assert "train anew" in said and "\n" not in said and len(said) < 500


@pytest.mark.parametrize(
    "model",
    [{"dim": 4}, {"name": "lightgcn"}, {"without": ("text",)}, {"without": ("cross-domain",)}],
)
def test_a_checkpoint_of_another_model_is_refused(trainer, stopped, model) -> None:
    with pytest.raises(RunError, match="cannot be resumed from"):
        go_on(trainer(model, LONG, checkpoint=stopped))
