"""How well items of each degree are found: recall seen from the item's side.

For an item i with test positives P_i (users), its hits are the users of P_i whose top k holds i.
The recall of a set of items is sum of hits / sum of positives: the share of the test interactions
with these items that the lists contain. Intervals resample items, since items are what a bin holds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from micrec_core.evaluation.metrics import hit_matrix
from micrec_core.evaluation.selection import sorted_rows
from micrec_core.evaluation.significance import bootstrap_sums, percentiles, sign_flip_p_values
from micrec_core.names import DEGREE_BINS, DEGREE_STARTS, LOW_BINS


def degree_bins(degree: ArrayLike) -> NDArray[np.object_]:
    """The label in DEGREE_BINS of each degree (number of train interactions)."""
    degree = np.asarray(degree)
    if degree.size and degree.min() < 0:
        raise ValueError("a degree cannot be negative")
    labels = np.array(DEGREE_BINS, dtype=object)
    return labels[np.searchsorted(DEGREE_STARTS, degree, side="right") - 1]


def item_recall(
    ranked: NDArray[np.integer],
    positives: sparse.csr_matrix,
    degree: NDArray[np.integer],
    k: int = 20,
) -> pd.DataFrame:
    """Positives and hits of every item that has test positives.

    Parameters
    ----------
    ranked : [n, K] item rows, best first, -1 for an empty place, K >= k
    positives : CSR [n, n_items], row-aligned with ``ranked``
    degree : int [n_items], train interactions of each item
    k : how much of each list counts

    Returns
    -------
    DataFrame
        item_row, degree, bin (ordered categorical), n_positives, hits, by item row
    """
    if ranked.shape[1] < k:
        raise ValueError(f"lists of {ranked.shape[1]} items cannot be cut at {k}")
    top = np.asarray(ranked)[:, :k]
    hits, _ = hit_matrix(top, positives)
    n_items = positives.shape[1]
    n_hits = np.bincount(top[hits], minlength=n_items)
    n_positives = np.bincount(sorted_rows(positives)[1], minlength=n_items)
    rows = np.flatnonzero(n_positives)
    degree = np.asarray(degree)[rows]
    return pd.DataFrame(
        {
            "item_row": rows,
            "degree": degree,
            "bin": pd.Categorical(degree_bins(degree), categories=DEGREE_BINS, ordered=True),
            "n_positives": n_positives[rows],
            "hits": n_hits[rows],
        }
    )


def degree_table(items: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Recall of each bin with a bootstrap interval over its items.

    Parameters
    ----------
    items : DataFrame with bin, n_positives and hits, as ``item_recall`` gives

    Returns
    -------
    DataFrame
        bin, n_items, n_positives, recall, low, high; a row for every bin, NaN where empty
    """
    return _by_bin(items, "recall", seed)


def degree_differences(items: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Recall of each bin minus that of another model on the same items, paired by ``item_row``.

    Returns
    -------
    DataFrame
        bin, n_items, n_positives, diff, low, high; a row for every bin, NaN where empty
    """
    other_hits = reference[["item_row", "hits"]]
    both = items.merge(other_hits, on="item_row", suffixes=("", "_reference"))
    return _by_bin(both, "diff")


def low_degree_test(items: pd.DataFrame, reference: pd.DataFrame | None) -> dict[str, float]:
    """Recall of items with few train interactions, but some (LOW_BINS), and its test.

    The test is of the difference from another model on the same items: the paired permutation
    test, an item's sign being drawn, since items are what is sampled.

    Returns
    -------
    dict
        n_items, n_positives, recall, low, high; diff, diff_low, diff_high and the uncorrected p,
        NaN without a reference or items
    """
    few = items[items["bin"].isin(LOW_BINS)]
    untested = dict.fromkeys(("diff", "diff_low", "diff_high", "p"), np.nan)
    own = _shares(few["hits"], few["n_positives"])
    out = {
        "n_items": len(few),
        "n_positives": int(few["n_positives"].sum()),
        **dict(zip(("recall", "low", "high"), own, strict=True)),
    }
    if reference is None or few.empty:
        return out | untested
    both = few.merge(reference[["item_row", "hits"]], on="item_row", suffixes=("", "_reference"))
    gain = both["hits"] - both["hits_reference"]
    found = _shares(gain, both["n_positives"])
    p = sign_flip_p_values(gain.to_numpy(np.float64)[:, None], seed=1)
    return out | dict(zip(("diff", "diff_low", "diff_high", "p"), (*found, float(p[0]))))


def _shares(counts: pd.Series, totals: pd.Series, seed: int = 0) -> tuple[float, float, float]:
    """Sum of counts / sum of totals, and its bootstrap interval over the items; NaN without any."""
    if not len(totals):
        return np.nan, np.nan, np.nan
    sums = bootstrap_sums(np.column_stack([counts, totals]), seed=seed)
    low, high = percentiles(sums[:, 0] / sums[:, 1])
    return float(counts.sum() / totals.sum()), float(low), float(high)


def _by_bin(items: pd.DataFrame, name: str, seed: int = 0) -> pd.DataFrame:
    """(hits - hits of the reference, where there is one) / positives, and its interval."""
    rows: list[tuple] = []
    for label in DEGREE_BINS:
        part = items[items["bin"] == label]
        if not len(part):
            rows.append((label, 0, 0, np.nan, np.nan, np.nan))
            continue
        gain, total = part["hits"] - part.get("hits_reference", 0), part["n_positives"]
        rows.append((label, len(part), int(total.sum()), *_shares(gain, total, seed)))
    return pd.DataFrame(rows, columns=["bin", "n_items", "n_positives", name, "low", "high"])
