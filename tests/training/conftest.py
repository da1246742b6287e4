"""A world to train on, and a trainer that leaves out what a run adds around it."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from micrec_core.config import ModelSettings, TrainSettings, make_settings
from micrec_core.method.micrec import MICRec
from micrec_core.training.build import effective_training
from micrec_core.training.trainer import Trainer
from tests.method import worlds

QUICK = worlds.QUICK | {"new_items_batch": 32, "contrast_batch": 8}

Start = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def small() -> worlds.World:
    return worlds.small()


@pytest.fixture(scope="session")
def trainer(small: worlds.World) -> Callable[..., Trainer]:
    """``trainer(model={...}, training={...}, seed=0, score=..., ...)``, fresh each time."""

    def make(
        model: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        *,
        seed: int = 0,
        score: Callable[[MICRec], float] | None = None,
        on_epoch: Callable[[dict[str, Any], MICRec], None] | None = None,
        checkpoint: Path | None = None,
        world: worlds.World = small,
    ) -> Trainer:
        built, inputs = world.build(seed, **(model or {}))
        named = make_settings(ModelSettings, model or {})
        settings = effective_training(
            named, make_settings(TrainSettings, {**QUICK, **(training or {})})
        )
        validate = score or spread
        return Trainer(
            built,
            inputs,
            world.edges,
            settings,
            seed,
            lambda m: {"score": validate(m), "valid": {"d0": {}}},
            on_epoch,
            checkpoint,
        )

    def spread(model: MICRec) -> float:
        """Some number that depends on every parameter of the model."""
        return float(sum(p.detach().abs().sum() for p in model.parameters()))

    return make


@pytest.fixture
def same() -> Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]:
    """Whether two states are equal bit for bit."""

    def compare(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
        return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)

    return compare


@pytest.fixture(scope="session")
def start() -> Start:
    """``start(n, cases, folder)``: so many workers; their processes, when all have ended."""
    from tests.training.sharing import work

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.warm"])

    def run(size: int, cases: list[Any], folder: Path) -> list[Any]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = [
            context.Process(target=work, args=(shared | {"RANK": str(rank)}, cases, str(folder)))
            for rank in range(size)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(250)
            assert process.exitcode is not None, "a worker waits for ever"
        return processes

    return run
