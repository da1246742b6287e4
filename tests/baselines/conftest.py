"""Baselines built and trained on the tiny worlds of the model tests."""

from __future__ import annotations

from typing import Any

import pytest

from micrec_core.config import RunSettings, make_settings
from micrec_core.training.prepare import Material, Prepared, prepare
from tests.method import worlds


def prepared_for(
    world: worlds.World, name: str, seed: int = 0, training: dict[str, Any] | None = None, **model
) -> Prepared:
    """What the pipeline would train the named model on."""
    options = {"steps": 20} if name in ("emcdr", "ptupcdr") else {}
    settings = make_settings(
        RunSettings,
        {
            "model": {"name": name, "dim": 8, "neighbours": 3, "options": options, **model},
            "training": {**worlds.QUICK, **(training or {})},
            "seed": seed,
        },
    )
    return prepare(Material(world.dataset, world.split, world.features), settings, "cpu")


@pytest.fixture(scope="session")
def small() -> worlds.World:
    return worlds.small()


@pytest.fixture(scope="session")
def tiny() -> worlds.World:
    return worlds.tiny()
