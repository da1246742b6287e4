"""A small world and a model trained on it, for all that is chosen after a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.config import ModelSettings, RunSettings, TrainSettings
from micrec_core.running.fit import fit
from micrec_core.sample.generate import generate_sample
from micrec_core.training.prepare import Prepared, encode_material, load_dataset, prepare

TRAINING = TrainSettings(epochs=2, batch_size=256, steps=3)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    generate_sample(folder / "tiny", users=150, items=(60, 50), seed=3, picture_size=32)
    return folder


@pytest.fixture(scope="session")
def made(place: Path) -> Callable[..., Prepared]:
    """What a model of such settings is trained on."""

    def make(**model: object) -> Prepared:
        settings = RunSettings(
            split="inductive",
            model=ModelSettings(**model),  # type: ignore[arg-type]
            training=TRAINING,
        )
        dataset, split = load_dataset(place / "tiny", settings)
        material = encode_material(dataset, split, settings, "cpu", place / "cache")
        return prepare(material, settings, "cpu")

    return make


@pytest.fixture(scope="session")
def answerer(made: Callable[..., Prepared]) -> MicrecAnswerer:
    found = fit(made()).answerer
    assert isinstance(found, MicrecAnswerer)
    return found
