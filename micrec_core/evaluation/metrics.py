"""Ranking metrics per user, from ranked lists and held-out positives.

With T_u the positives of user u, r_j = 1 where the item at place j (from 1) is one of them, and
h_K = sum_{j <= K} r_j:

    recall@K    = h_K / |T_u|
    precision@K = h_K / K
    hr@K        = 1 if h_K > 0 else 0
    mrr@K       = 1 / (place of the first hit), 0 where there is none within K
    ndcg@K      = sum_{j <= K} r_j / log2(j + 1)  /  sum_{j <= min(|T_u|, K)} 1 / log2(j + 1)

Source: Jaervelin & Kekaelaeinen (2002) for NDCG with binary gains; the ideal list is as long as the
positives allow. Checked in the tests against ``torch_geometric.metrics``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.compiled import find_hits
from micrec_core.evaluation.selection import sorted_rows
from micrec_core.names import METRICS

CUTOFFS = (5, 10, 20, 50)


def hit_matrix(
    ranked: NDArray[np.integer], positives: sparse.csr_matrix
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which places of each list hold a positive, and how many positives each list has.

    Parameters
    ----------
    ranked : [n, K] item rows, best first, -1 for an empty place
    positives : CSR [n, n_items], row-aligned with ``ranked``; explicit zeros do not count

    Returns
    -------
    hits : bool [n, K]
    n_positives : int64 [n]
    """
    ranked = np.atleast_2d(ranked)
    if ranked.shape[0] != positives.shape[0]:
        raise ValueError(f"{ranked.shape[0]} lists for {positives.shape[0]} rows of positives")
    indptr, indices = sorted_rows(positives)
    hits = np.zeros(ranked.shape, dtype=bool)
    find_hits(np.ascontiguousarray(ranked), indptr, indices, hits)
    return hits, np.diff(indptr).astype(np.int64)


def metric_curves(
    hits: NDArray[np.bool_], n_positives: NDArray[np.int64], cutoffs: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Every metric at every cutoff.

    Parameters
    ----------
    hits : bool [n, K]
    n_positives : int [n], each at least 1
    cutoffs : each between 1 and K

    Returns
    -------
    dict from the names in METRICS to float64 [n, len(cutoffs)]
    """
    n, depth = hits.shape
    ks = np.asarray(cutoffs, dtype=np.int64)
    if len(ks) == 0 or ks.min() < 1 or ks.max() > depth:
        raise ValueError(f"cutoffs must lie between 1 and {depth}, the length of the lists")
    if n and n_positives.min() < 1:
        raise ValueError("users without positives have no metrics; drop them first")
    discount = 1.0 / np.log2(np.arange(2, depth + 2))
    ideal = np.cumsum(discount)
    n_hits = np.cumsum(hits, axis=1)[:, ks - 1].astype(np.float64)
    gain = np.cumsum(hits * discount, axis=1)[:, ks - 1]
    best = ideal[np.minimum(n_positives[:, None], ks[None, :]) - 1]
    found = hits.any(axis=1)
    place = np.where(found, hits.argmax(axis=1) + 1, depth + 1)[:, None]
    return {
        "recall": n_hits / n_positives[:, None],
        "ndcg": gain / best,
        "hr": (n_hits > 0).astype(np.float64),
        "mrr": np.where(place <= ks[None, :], 1.0 / place, 0.0),
        "precision": n_hits / ks[None, :],
    }


def ranking_metrics(
    ranked: NDArray[np.integer],
    positives: sparse.csr_matrix,
    cutoffs: Sequence[int] = CUTOFFS,
) -> pd.DataFrame:
    """Metrics of each user that has positives.

    Parameters
    ----------
    ranked : [n, K] item rows, best first, -1 for an empty place; K at least the largest cutoff
    positives : CSR [n, n_items], row-aligned with ``ranked``

    Returns
    -------
    DataFrame
        Index ``row``: the position in ``ranked``; columns ``n_positives`` and ``metric@k``,
        metric by metric, float64, not rounded. Users without positives are left out, and
        ``attrs["n_dropped"]`` says how many there were.
    """
    hits, n_positives = hit_matrix(ranked, positives)
    rows = np.flatnonzero(n_positives)
    curves = metric_curves(hits[rows], n_positives[rows], cutoffs)
    columns: dict[str, NDArray] = {"n_positives": n_positives[rows]}
    for metric in METRICS:
        for j, k in enumerate(cutoffs):
            columns[f"{metric}@{k}"] = curves[metric][:, j]
    frame = pd.DataFrame(columns, index=pd.Index(rows, name="row"))
    frame.attrs["n_dropped"] = len(n_positives) - len(rows)
    return frame
