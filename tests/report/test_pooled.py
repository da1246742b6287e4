"""Cold users of several draws: averaged per user, then paired."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from micrec_core.data.spreadsheets import CsvFolder
from micrec_core.report.pooled import OWN_USERS, cold_users_together, poolable, pooled_cold
from micrec_core.report.render import render
from micrec_core.running.frames import COLD_REFERENCES
from micrec_core.runs import open_run

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"


@dataclass
class Stored:
    """What the pooling reads of a run."""

    frames: dict[str, pd.DataFrame]
    info: Any = field(default_factory=lambda: SimpleNamespace(model="micrec"))

    def has(self, path: str) -> bool:
        return path in self.frames

    def frame(self, path: str) -> pd.DataFrame:
        return self.frames[path]


def users(ids: list[str], values: list[float], **more: str) -> pd.DataFrame:
    frame = pd.DataFrame({"domain": "food", "user_id": ids, "ndcg@20": values, "cohort": "all"})
    return frame.assign(**more)


@pytest.fixture
def draws() -> list[Any]:
    first = {
        OWN_USERS: users(["a", "b"], [0.4, 0.2]),
        COLD_REFERENCES: pd.concat(
            [users(["a", "b"], [0.1, 0.2], model="ridge"), users(["a", "b"], [0, 0], model="pop")]
        ),
    }
    second = {
        OWN_USERS: users(["b", "c"], [0.6, 0.9]),
        COLD_REFERENCES: pd.concat(
            [users(["b", "c"], [0.4, 0.3], model="ridge"), users(["b", "c"], [0, 0], model="pop")]
        ),
    }
    return [Stored(first), Stored(second)]


def test_a_user_of_two_draws_counts_once(draws: list[Any]) -> None:
    table = pooled_cold(draws).set_index("name")
    own, ridge = np.array([0.4, 0.4, 0.9]), np.array([0.1, 0.3, 0.3])
    assert set(table.index) == {"ridge", "pop"}
    assert table.at["ridge", "n"] == 3
    assert table.at["ridge", "mean"] == pytest.approx(ridge.mean())
    assert table.at["ridge", "reference_mean"] == pytest.approx(own.mean())
    assert table.at["ridge", "diff"] == pytest.approx((ridge - own).mean())


def test_the_order_of_the_runs_changes_nothing(draws: list[Any]) -> None:
    pd.testing.assert_frame_equal(pooled_cold(draws), pooled_cold(draws[::-1]))


def test_a_run_without_the_values_of_its_references_is_left_out(draws: list[Any]) -> None:
    bare = Stored({OWN_USERS: users(["a"], [0.4])})
    assert poolable([*draws, bare]) == draws  # type: ignore[list-item]


def test_the_report_says_what_was_put_together(draws: list[Any], tmp_path: Path) -> None:
    info = open_run(SAMPLE).info
    for seed, draw in enumerate(draws):
        draw.info = info.model_copy(update={"config": {**info.config, "split_seed": seed}})
    (found,) = cold_users_together(draws, CsvFolder(tmp_path))
    text = render("pooled.md", table=found)
    table = pooled_cold(draws).set_index("name")
    assert "cold users of 2 draws" in text and "Split seeds 0, 1" in text
    assert f"| ridge | food | {table.at['ridge', 'mean']:.4f} |" in text
    stored = pd.read_csv(next(tmp_path.glob("*.csv"))).set_index("name")
    assert stored.at["ridge", "diff"] == pytest.approx(table.at["ridge", "diff"])
    assert cold_users_together(draws[:1], CsvFolder(tmp_path)) == []
