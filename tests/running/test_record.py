"""What a run says of its neighbours: the share of true ones, where not all were looked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from micrec_core.graphs.neighbours import Neighbours
from micrec_core.running.record import neighbour_recall


def found(recall: float) -> Neighbours:
    return Neighbours(np.zeros((1, 1), np.int32), np.ones((1, 1), np.float32), recall)


def test_shares_are_told_where_the_search_was_not_exact() -> None:
    food = SimpleNamespace(
        user_neighbours={"text": found(0.9), "image": found(1.0)},
        item_neighbours={"text": found(0.8), "image": found(1.0)},
    )
    kitchen = SimpleNamespace(
        user_neighbours={"text": found(0.7)}, item_neighbours={"text": found(1.0)}
    )
    nothing = SimpleNamespace(user_neighbours={}, item_neighbours={})
    knowledge: Any = SimpleNamespace(domains=(food, kitchen, nothing))
    assert neighbour_recall(["food", "kitchen", "rest"], knowledge) == {
        "food": {"text": {"users": 0.9, "items": 0.8}},
        "kitchen": {"text": {"users": 0.7}},
    }
