"""A test edge leaked on purpose is caught, of whatever kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from micrec_core.data.types import Edges
from micrec_core.errors import DataError
from micrec_core.evaluation.leaks import require_disjoint
from tests.method import worlds


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.small()


def together(*edges: Edges) -> Edges:
    return Edges(
        np.concatenate([e.user for e in edges]), np.concatenate([e.item for e in edges])
    )  # fmt: skip


def leak(world: worlds.World, **changes: Edges):
    first, *others = world.split.domains
    return replace(world.split, domains=(replace(first, **changes), *others))


@pytest.mark.parametrize("kind", ["known", "inductive"])
def test_a_split_as_it_is_made_leaks_nothing(kind) -> None:
    world = worlds.small(kind=kind)
    require_disjoint(world.dataset, world.split)


@pytest.mark.parametrize(
    ("into", "what", "said"),
    [
        ("train", "test", "1 test interactions are in training too"),
        ("train", "valid", "1 validation interactions are in training too"),
        ("valid", "test", "1 test interactions are in validation too"),
        ("new_user_support", "new_user_test", "1 interactions of new users are shown and scored"),
        ("train", "new_user_test", "1 interactions of new users are in training"),
        ("train", "cold_test", "1 interactions of cold users are in training"),
        ("train", "new_item_test", "1 interactions with new items are in training"),
    ],
)
def test_one_leaked_interaction_is_caught(world, into, what, said) -> None:
    part = world.split.domains[0]
    leaked = getattr(part, what)[:1]
    split = leak(world, **{into: together(getattr(part, into), leaked)})
    with pytest.raises(DataError, match=f"domain 'd0': {said}"):
        require_disjoint(world.dataset, split)
