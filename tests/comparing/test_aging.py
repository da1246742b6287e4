"""Slices of time, and what is asked of a run at each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.comparing.aging import GROUPS, SYSTEMS, age, compared, cut, with_validation
from micrec_core.errors import DataError
from micrec_core.running.settings import run_settings
from micrec_core.sample.generate import generate_sample


def log(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 40, n).astype(str),
            "item_id": rng.integers(0, 60, n).astype(str),
            "domain": rng.choice(["a", "b"], n),
            "timestamp": rng.integers(0, 1000, n).astype(float),
        }
    )


def pairs(table: pd.DataFrame) -> set[tuple[str, str, str]]:
    return set(zip(table["user_id"], table["domain"], table["item_id"], strict=True))


def test_slices_hide_the_future_and_share_out_everything() -> None:
    whole = log()
    base, slices = cut(whole, 5)
    everything = pairs(base)
    for number, part in enumerate(slices, 1):
        assert part.number == number
        known, asked = pairs(part.known), pairs(part.asked)
        assert everything <= known and not known & asked
        # Of each person the earlier ones of the slice are known, and no less than are asked.
        here = part.known[len(everything) :]
        first = here.groupby("user_id")["timestamp"].max()
        for user, some in part.asked.groupby("user_id"):
            assert some["timestamp"].min() >= first[user]
            assert len(some) <= (here["user_id"] == user).sum()
        everything = known | asked
    assert everything == pairs(whole)
    assert base["timestamp"].max() <= slices[0].asked["timestamp"].min()


def test_the_latest_tenth_validates() -> None:
    table = pd.DataFrame({"user_id": ["a"] * 25 + ["b"] * 9, "timestamp": range(34)})
    split = with_validation(table)["split"].tolist()
    assert split == ["train"] * 23 + ["valid"] * 2 + ["train"] * 9
    table = pd.DataFrame({"user_id": ["a"] * 3 + ["b"] * 2, "timestamp": range(5)})
    assert with_validation(table)["split"].tolist() == ["train", "train", "valid", "train", "train"]


def test_comparisons_are_of_the_same_people() -> None:
    rng = np.random.default_rng(0)
    untouched = rng.uniform(0, 0.5, 60)
    asked = pd.DataFrame(
        {"group": "all", "untouched": untouched, "updated": untouched + 0.2,
         "retrained": untouched + 0.2 + rng.normal(0, 0.01, 60)}
    )  # fmt: skip
    (row,) = compared(asked, ["group"]).to_dict("records")
    assert row["gain"] == pytest.approx(0.2) and row["gain_p"] < 0.01
    assert row["gain_low"] == pytest.approx(row["gain_high"])
    assert row["left_low"] < row["left"] < row["left_high"] and row["n"] == 60


@pytest.mark.usefixtures("one_thread")
def test_a_study_of_one_slice(tmp_path: Path) -> None:
    generate_sample(tmp_path / "data", users=60, items=(30, 24), seed=1, pictures=False)
    model, training = {"dim": 8}, {"epochs": 1, "steps": 2, "learning_rate": 0.02}
    settings = run_settings({"model": model, "training": training, "image": "none"}, [])
    found = age(tmp_path / "data", tmp_path / "runs", settings, slices=1, device="cpu")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["slice-0", "slice-1"]
    whole = found["groups"].set_index("group").loc[GROUPS[0]]
    assert whole["n"] == found["slices"]["n"].item() > 10
    assert 0 < found["slices"]["late"].item() < 0.5
    assert ((found["asked"][list(SYSTEMS)] >= 0) & (found["asked"][list(SYSTEMS)] <= 1)).all().all()
    # An item that the untouched run has never heard of is on none of its lists.
    new = found["asked"][found["asked"]["group"].str.endswith("new item")]
    assert (new["untouched"] == 0).all()
    table = pd.read_csv(tmp_path / "data" / "interactions.csv").drop(columns="timestamp")
    table.to_csv(tmp_path / "data" / "interactions.csv", index=False)
    with pytest.raises(DataError, match="no column 'timestamp'"):
        age(tmp_path / "data", tmp_path / "runs", settings, slices=1)
