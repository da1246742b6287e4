"""Small reshapings of the metric tables of a run, shared by figures and findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from micrec_core.names import POOLED


def pick(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Rows whose columns have these values; a column that the table lacks does not filter."""
    keep = pd.Series(True, index=frame.index)
    for column, value in values.items():
        if column in frame.columns:
            wanted = value if isinstance(value, (list, tuple, set)) else [value]
            keep &= frame[column].isin(list(wanted))
    return frame[keep]


def of_pair(alignment: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Alignment metrics of two domains, whichever of them was named first."""
    return pick(alignment, a=[a, b], b=[a, b])


def mean_interval(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of ``value`` per group with its 95 % normal interval and n.

    Returns
    -------
    DataFrame with the group columns, mean, low, high, n; groups without a value are left out
    """
    groups = frame.dropna(subset=[value]).groupby(list(by), observed=True, sort=False)[value]
    out = groups.agg(mean="mean", sd="std", n="size").reset_index()
    half = 1.96 * out["sd"].fillna(0.0) / np.sqrt(out["n"])
    out["low"], out["high"] = out["mean"] - half, out["mean"] + half
    return out.drop(columns="sd")


def own_seed(frame: pd.DataFrame, seed: int | None = None) -> pd.DataFrame:
    """Rows to quote: values pooled over seeds where there are any, else one training's.

    That training is the one with the given seed where the table has it, else its first seed.
    """
    if "seed" not in frame.columns or frame.empty:
        return frame
    seeds = set(frame["seed"].unique())
    chosen = POOLED if POOLED in seeds else seed if seed in seeds else min(seeds)
    return frame[frame["seed"] == chosen]
