"""Peak memory of a piece of work: what it took, not what the process held or had freed before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from micrec_core.comparing.comparison import cost_table
from micrec_core.comparing.trainings import ANSWERED, TRAINED, Training, cost
from micrec_core.config import RunSettings
from micrec_core.report.render import render
from micrec_core.running import cost as memory
from micrec_core.running.cost import peak_memory

MIB = 2**20
told = pytest.mark.skipif(not memory._forget_peak(), reason="the system does not tell the peak")


def take(mib: int) -> None:
    np.ones(mib * MIB // 8)


@told
def test_the_peak_is_of_the_work_alone() -> None:
    held = np.ones(150 * MIB // 8)
    take(300)
    with peak_memory("cpu") as small:
        take(64)
    with peak_memory("cpu") as nothing:
        pass
    assert small.mb == pytest.approx(64, abs=12) and held.all()
    assert nothing.mb is not None and nothing.mb < 12


@told
def test_memory_that_was_freed_in_small_pieces_counts_again() -> None:
    def pieces() -> None:
        # Too small for the C library to give each back by itself.
        made = [np.ones(2000) for _ in range(5000)]
        del made

    pieces()
    with peak_memory("cpu") as again:
        pieces()
    assert again.mb is not None and again.mb > 50


def test_a_system_that_does_not_tell_gives_nothing(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "no" / "clear_refs")
    with peak_memory("cpu") as peak:
        take(1)
    assert peak.mb is None
    monkeypatch.undo()
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    with peak_memory("cpu") as peak:
        take(1)
    assert peak.mb is None


def stored(folder: Path, seed: int, peak: float | None) -> Training:
    """A finished training; one of before memory was measured where there is no peak."""
    training = Training(RunSettings(seed=seed), folder, "data")
    training.path.mkdir(parents=True)
    about = {"score": 0.1, "best_epoch": 3, "seconds": 2.0, "n_parameters": 7}
    about |= {} if peak is None else {"peak_mb": peak}
    (training.path / TRAINED).write_text(json.dumps(about))
    (training.path / ANSWERED).write_text(json.dumps({"lists": 4, "seconds": 1.0}))
    return training


def test_costs_tell_the_least_peak_and_nothing_of_old_trainings(tmp_path) -> None:
    row = [stored(tmp_path, 0, 180.0), stored(tmp_path, 1, 20.4), stored(tmp_path, 2, None)]
    assert cost(row[2])["peak_mb"] is None
    (spent,) = cost_table([row])
    assert spent["peak_mb"] == 20.4 and spent["seconds"] == 2.0
    (old,) = cost_table([row[2:]])
    assert old["peak_mb"] is None
    unmeasured = {k: v for k, v in old.items() if k != "peak_mb"}
    text = render("cost.md", cost=[spent, old, unmeasured])
    rows = [line for line in text.splitlines() if line.startswith("| micrec |")]
    assert rows[0] == "| micrec | 2.0 | 20 | 3 | 7 | 250.000 |"
    assert rows[1] == rows[2] == "| micrec | 2.0 |  | 3 | 7 | 250.000 |"
