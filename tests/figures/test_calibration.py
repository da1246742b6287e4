"""Whether a weight foretells an effect: found where it does, and not where it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import calibration

LABELS = {"food": "Food", "kitchen": "Kitchen"}


@pytest.fixture(scope="module")
def weights() -> pd.DataFrame:
    """In food the effect goes with the weight, in kitchen it has nothing to do with it."""
    rng, n = np.random.default_rng(0), 400
    share = rng.uniform(0.2, 0.8, 2 * n)
    told = np.where(np.arange(2 * n) < n, share, 0.5)
    noise = rng.normal(0, 0.3, 2 * n)
    frame = pd.DataFrame(
        {
            "entity": "user",
            "domain": np.repeat(["food", "kitchen"], n),
            "id": [f"u{i}" for i in range(2 * n)],
            "w_text": share,
            "w_image": 1 - share,
            "has_text": True,
            "has_image": True,
            "drop_text": told + noise,
            "drop_image": 1 - told + rng.normal(0, 0.3, 2 * n),
            "alone_text": 2 * told + noise,
            "alone_image": 2 - 2 * told + noise + rng.normal(0, 0.2, 2 * n),
        }
    )
    frame.loc[:9, "alone_text"] = np.nan
    frame.loc[10:14, "has_image"] = False
    items = frame.head(30).assign(entity="item")
    return pd.concat([frame, items], ignore_index=True)


def test_agreement_is_spearmans_where_there_is_some(weights: pd.DataFrame) -> None:
    rows = calibration.measured(weights, ("text", "image"))
    assert len(rows) == 2 * (800 - 15)
    assert rows.groupby("id")["ahead"].sum().abs().max() < 1e-9
    of = rows[rows["modality"] == "text"].groupby("domain")
    food, kitchen = (calibration.agreement(of.get_group(d), "ahead") for d in LABELS)
    assert food is not None and food.low > 0.7 and food.n == 385
    assert kitchen is not None and kitchen.low < 0 < kitchen.high
    assert calibration.agreement(of.get_group("food").head(5), "ahead") is None
    first, second = calibration.words(rows, LABELS, "text")
    assert "foretells it" in first and "does not foretell it" in second


def test_the_chart_draws_every_domain_and_modality(weights: pd.DataFrame) -> None:
    table = calibration.by_fifth(calibration.measured(weights, ("text", "image")))
    assert len(table) == 2 * 2 * calibration.FIFTHS
    food = table[(table["domain"] == "food") & (table["modality"] == "text")]
    assert food["mean"].is_monotonic_increasing and food["weight"].is_monotonic_increasing
    figure = calibration.chart(table, LABELS)
    assert [trace.name for trace in figure.data] == ["Text", "Image"] * 2


def test_runs_of_before_have_nothing_to_show(weights: pd.DataFrame) -> None:
    old = weights.drop(columns=["drop_text"])
    assert calibration.measured(old, ("text", "image")).empty
