"""What a run says of how it came about: neighbours that were missed, threads that summed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from micrec_core.config import RunSettings
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.running import record
from micrec_core.running.record import neighbour_recall, require_same
from micrec_core.runs import RunWriter


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


@pytest.mark.parametrize(
    ("device", "now", "told"), [("cpu", 2, False), ("cpu", 1, True), ("cuda", 1, False)]
)
def test_other_threads_are_told_of_where_they_change_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, device: str, now: int, told: bool
) -> None:
    settings, data = RunSettings(), SimpleNamespace(fingerprint="0" * 16, name="tiny")
    about = {"name": "tiny", "fingerprint": "0" * 16}
    config = settings.model_dump(mode="json")
    threads = {"torch": 2, "numba": 2}
    RunWriter(tmp_path / "a", {"config": config, "dataset": about, "threads": threads}).cancel()
    monkeypatch.setattr(record, "threads", lambda: {"torch": now, "numba": 2})
    require_same(tmp_path / "a", settings, data, device)  # type: ignore[arg-type]
    said = [entry.getMessage() for entry in caplog.records]
    assert bool(said) == told
    assert not told or "2 numba and 2 torch threads and goes on with 2 numba and 1 torch" in said[0]
