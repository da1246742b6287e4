"""Data of many a first try that no shop has: it trains, and what is served was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.config import RunSettings, TrainSettings
from micrec_core.data.readers import read_dataset
from micrec_core.running.train import train_run
from micrec_core.runs import open_run
from micrec_core.serving import Recommender

WORDS = ("green", "tea", "pot", "rice", "oil", "mug", "bowl", "red", "soup", "mill")


def tables(folder: Path, n_items: dict[str, int], per_user: dict[str, int], n_users: int) -> Path:
    """Everybody takes exactly so many items of each domain, by chance."""
    rng = np.random.default_rng(0)
    items = [
        (f"{d}{row}", d, " ".join(rng.choice(WORDS, 3)))
        for d, n in n_items.items()
        for row in range(n)
    ]
    taken = [
        (f"u{user}", f"{d}{row}", d)
        for d, n in n_items.items()
        for user in range(n_users)
        for row in rng.choice(n, per_user[d], replace=False)
    ]
    folder.mkdir()
    pd.DataFrame(items, columns=["item_id", "domain", "title"]).to_csv(
        folder / "items.csv", index=False
    )
    pd.DataFrame(taken, columns=["user_id", "item_id", "domain"]).to_csv(
        folder / "interactions.csv", index=False
    )
    return folder


@pytest.mark.parametrize(
    ("n_items", "per_user", "n_users"),
    [
        # Of one domain two items are trained on, opposite to each other about their mean: whoever
        # took both has a profile of nothing but rounding.
        ({"a": 3, "b": 40}, {"a": 2, "b": 5}, 60),
        # Everybody has as many as everybody else, so that degrees deviate by rounding alone.
        ({"a": 150, "b": 100}, {"a": 3, "b": 3}, 600),
    ],
)
def test_it_trains_and_is_served_as_trained(
    tmp_path: Path, n_items: dict[str, int], per_user: dict[str, int], n_users: int
) -> None:
    data = read_dataset(tables(tmp_path / "data", n_items, per_user, n_users))
    settings = RunSettings(split="inductive", training=TrainSettings(epochs=1, steps=4))
    train_run(
        data, tmp_path / "run", settings, device="cpu", umap=False, baselines=False,
        cache=tmp_path / "cache",
    )  # fmt: skip
    recommender = Recommender.open(open_run(tmp_path / "run"))
    user = recommender.user(likes={"b": [data.domains[1].item_ids[0]]})
    found = recommender.recommend(user, "b", 5).items
    assert len(found) == 5 and np.isfinite(found["score"]).all()
