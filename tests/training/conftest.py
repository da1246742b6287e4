"""A world to train on, and a trainer that leaves out what a run adds around it."""

from __future__ import annotations

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
