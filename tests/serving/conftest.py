"""A small trained run to serve from, written once for all tests of serving."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from micrec_core.config import ModelSettings, RunSettings, TrainSettings
from micrec_core.data import make_split, read_dataset
from micrec_core.method.bridge import Bridge, fit_bridge
from micrec_core.method.inductive import alone_users, encode, encode_by_source
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.knowledge import Knowledge
from micrec_core.method.likeness import likeness_of
from micrec_core.method.memory import Constants, remember
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.method.regression import regression
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import taken_elsewhere
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.names import PARAMETERS
from micrec_core.runs import Run, RunWriter, open_run
from micrec_core.sample.generate import generate_sample
from micrec_core.serving import Recommender, write_bundle
from micrec_core.training.build import build_model, effective_training
from micrec_core.training.prepare import Material, prepare
from micrec_core.training.trainer import Trainer


@dataclass(frozen=True)
class Trained:
    """A run with what it was made from."""

    world: Material
    knowledge: Knowledge
    inputs: ModelInputs
    model: MICRec
    encoded: list[Encoded]
    bridges: dict[tuple[int, int], Bridge]
    run: Run
    recommender: Recommender


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("data") / "sample"
    generate_sample(folder, users=200, items=130, seed=3, picture_size=48)
    dataset = read_dataset(folder)
    split = make_split(dataset, "inductive", seed=0)
    fit = []
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        mask = torch.ones(domain.n_items, dtype=torch.bool).numpy()
        mask[part.new_items] = False
        fit.append(mask)
    return Material(dataset, split, encode_dataset(dataset, fit_items=fit))


@pytest.fixture(scope="session")
def make_run(world: Material, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """Train a model for a few epochs, write its bundle, open it; the same settings only once."""
    made: dict[tuple, Trained] = {}

    def make(name: str = "micrec", without: tuple[str, ...] = (), epochs: int = 3) -> Trained:
        key = (name, without)
        if key not in made:
            made[key] = _train(world, tmp_path_factory.mktemp("runs"), name, without, epochs)
        return made[key]

    return make


@pytest.fixture(scope="session")
def trained(make_run: Callable[..., Trained]) -> Trained:
    """The full model."""
    return make_run(epochs=6)


def remembered(knowledge: Knowledge, d: int) -> Remembered:
    """A memory of about the embeddings' weight, with a part of every sort."""
    constants = Constants(
        lend=0.3, elsewhere=0.2, content=0.0, regress=2.0, penalty=20.0, newcomers=0.4,
        everybody=0.2, similar=0.6, similar_new=0.9, similar_elsewhere=0.7,
    )  # fmt: skip
    trains = [part.train for part in knowledge.domains]
    near = list(knowledge.domains[d].item_neighbours.values())
    there = taken_elsewhere(trains, knowledge.links, d)
    weights = regression(trains[d], there, constants.penalty)
    memory = remember(trains, knowledge.links, d, near, 0.2, constants, weights)
    spaces = [[p.features[m].space for m in knowledge.modalities] for p in knowledge.domains]
    likeness = likeness_of(spaces, d, knowledge.domains[d].item_degree == 0, True)
    return Remembered(memory, constants, 0.5, weights, likeness)


def _train(
    world: Material, folder: Path, name: str, without: tuple[str, ...], epochs: int
) -> Trained:
    torch.set_num_threads(1)
    settings = ModelSettings(name=name, without=without, dim=16)
    training = TrainSettings(epochs=epochs, batch_size=256, learning_rate=2e-2, negatives=32)
    prepared = prepare(world, RunSettings(model=settings), "cpu")
    knowledge, inputs = prepared.knowledge, prepared.inputs
    model = build_model(settings, inputs, seed=0)
    trainer = Trainer(
        model, inputs, [p.train for p in world.split.domains],
        effective_training(settings, training), 0,
        lambda _: {"score": time.monotonic()},
    )  # fmt: skip
    trainer.fit()
    encoded = encode(model, inputs)
    bridges = {}
    if model.settings.transfer:
        for (source, target), (there, here) in knowledge.links.items():
            alone = alone_users(model, knowledge, inputs, encoded, source, there)
            users = encoded[target].users[here].numpy()
            bridges[source, target] = fit_bridge(alone, users, ridge=1.0, share=0.5)
    writer = RunWriter(folder / "tiny", {"model": name, "split": "inductive"})
    writer.write_tensors(PARAMETERS, {k: v.numpy() for k, v in model.state_dict().items()})
    by_source = encode_by_source(model, inputs)
    memories = [remembered(knowledge, d) if model.settings.memory else None for d in range(2)]
    write_bundle(writer, prepared, model, by_source, bridges, memories)
    writer.finish()
    run = open_run(folder / "tiny")
    recommender = Recommender.open(run)
    return Trained(world, knowledge, inputs, model, encoded, bridges, run, recommender)
