"""Data of one domain: what acts across domains is left out by default and refused by name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from micrec_core.comparing import compare as comparing
from micrec_core.comparing.plan import Plan
from micrec_core.comparing.variants import _wanted
from micrec_core.config import RunSettings
from micrec_core.data import Dataset, make_split, read_dataset
from micrec_core.errors import ConfigError
from micrec_core.evaluation.questions import questions
from micrec_core.evaluation.stress import curves_of, plan_stresses
from micrec_core.mechanisms import MECHANISMS
from micrec_core.running.train import train_run
from micrec_core.sample.generate import generate_sample

ACROSS = {"als-joint", "cmf", "emcdr", "bitgcf", "ptupcdr"}
IDLE = {name for name, mechanism in MECHANISMS.items() if mechanism.overlap}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "two"
    generate_sample(folder, users=60, items=24, seed=3, pictures=False)
    return folder


@pytest.fixture(scope="module")
def one(both: Path) -> Path:
    folder = both.parent / "one"
    folder.mkdir()
    for name in ("items.csv", "interactions.csv"):
        rows = pd.read_csv(both / name, dtype=str, keep_default_na=False)
        rows[rows["domain"] == "food"].to_csv(folder / name, index=False)
    return folder


def full(folder: Path) -> Any:
    """What variants look at of a run on this data."""
    dataset = read_dataset(folder)
    features = SimpleNamespace(modalities=("text",))
    return SimpleNamespace(dataset=dataset, split=make_split(dataset, "known"), features=features)


def test_variants_by_default(one: Path, both: Path) -> None:
    assert {"bridge", "contrast", "cross-domain", "transfer"} == IDLE
    found = {part for c in _wanted(None, full(one)) for part in c.without}
    assert found and not found & IDLE
    assert {part for c in _wanted(None, full(both)) for part in c.without} == found | IDLE
    with pytest.raises(ConfigError, match="'contrast' is off in any case; leave it out"):
        _wanted(["text", "contrast"], full(one))


@pytest.mark.parametrize("name", sorted(IDLE))
def test_a_training_is_not_told_to_do_without_what_does_nothing(
    one: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is off in any case"):
        train_run(one, tmp_path / "run", RunSettings(model={"without": (name,)}), device="cpu")
    assert not (tmp_path / "run").exists()


def test_comparisons_by_default(one: Path, tmp_path: Path, monkeypatch) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr(comparing, "_run", lambda plan, *rest: plans.append(plan) or {})
    comparing.compare(one, tmp_path / "a", device="cpu")
    comparing.compare(one, tmp_path / "b", models=("bitgcf",), device="cpu")
    assert "ease" in plans[0].names() and not ACROSS & set(plans[0].names())
    assert plans[1].names() == ["bitgcf"], "who names a model gets it"
    with pytest.raises(ConfigError, match="'cross-domain' is off"):
        comparing.compare(one, tmp_path / "c", without=("cross-domain",), device="cpu")


def test_curves(one: Path, both: Path) -> None:
    def there(dataset: Dataset) -> list[str]:
        return curves_of(dataset, make_split(dataset, "known"), ("text",))

    alone = read_dataset(one)
    assert there(alone) == ["sparsity", "missing"]
    assert there(read_dataset(both)) == ["sparsity", "missing", "overlap"]
    split = make_split(alone, "known")
    with pytest.raises(ConfigError, match="nothing that the curve 'overlap' could take away"):
        plan_stresses(alone, split, ("text",), ("sparsity", "overlap"))
    with pytest.raises(ConfigError, match="'missing'"):
        plan_stresses(alone, split, (), ("missing",))


def test_what_is_asked(one: Path) -> None:
    dataset = read_dataset(one)
    asked = questions(dataset, make_split(dataset, "inductive"))
    assert {q.protocol for q in asked} == {"known", "new-users", "new-items"}
    assert all(q.cohort is None for q in asked), "there is nobody to be told apart"
