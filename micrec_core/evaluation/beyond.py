"""What accuracy does not say of lists: coverage, popularity, similarity within a list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.graphs.neighbours import normalise_rows

# Entries of gathered features that are held at a time (float32 bytes x 4).
_PIECE_ENTRIES = 16 * 2**20


def coverage(
    ranked: NDArray[np.integer], n_items: int, candidates: NDArray[np.bool_] | None = None
) -> float:
    """Share of the items that may be recommended which some list holds.

    Parameters
    ----------
    ranked : [n, k] item rows, -1 for an empty place
    n_items : items of the domain
    candidates : bool [n_items], the items that may be recommended; None for all
    """
    seen = np.zeros(n_items, dtype=bool)
    seen[ranked[ranked >= 0]] = True
    possible = np.ones(n_items, dtype=bool) if candidates is None else candidates
    total = np.count_nonzero(possible)
    return float(np.count_nonzero(seen & possible) / total) if total else float("nan")


def mean_popularity(ranked: NDArray[np.integer], degree: NDArray[np.integer]) -> float:
    """Mean train degree of the recommended items: the mean per list, averaged over lists.

    Parameters
    ----------
    ranked : [n, k] item rows, -1 for an empty place; empty lists are left out
    degree : int [n_items]
    """
    taken = ranked >= 0
    lengths = taken.sum(axis=1)
    sums = np.where(taken, np.asarray(degree)[ranked], 0).sum(axis=1, dtype=np.float64)
    kept = lengths > 0
    return float(np.mean(sums[kept] / lengths[kept])) if kept.any() else float("nan")


def intra_list_similarity(
    ranked: NDArray[np.integer], features: NDArray[np.floating] | sparse.csr_matrix
) -> float:
    """Mean cosine between two different items of a list, averaged over lists.

    With x_1..x_c the unit vectors of a list's items that have features, the mean over its pairs is
    (|sum x|^2 - c) / (c (c - 1)).

    Parameters
    ----------
    ranked : [n, k] item rows, -1 for an empty place
    features : dense [n_items, dim] or CSR; rows of zeros are missing and left out. Rows need not
        be normalised

    Returns
    -------
    float
        NaN where no list has two items with features.
    """
    unit = normalise_rows(features)
    present = np.asarray((unit != 0).sum(axis=1)).ravel() > 0
    taken = (ranked >= 0) & present[ranked]
    lists = np.flatnonzero(taken.sum(axis=1) > 1)
    if len(lists) == 0:
        return float("nan")
    width = ranked.shape[1] * (unit.shape[1] if isinstance(unit, np.ndarray) else 256)
    size = max(1, _PIECE_ENTRIES // max(1, width))
    values = np.empty(len(lists))
    for start in range(0, len(lists), size):
        rows = lists[start : start + size]
        values[start : start + size] = _squared_sums(ranked[rows], taken[rows], unit)
    count = taken[lists].sum(axis=1)
    return float(np.mean((values - count) / (count * (count - 1))))


def _squared_sums(
    ranked: NDArray[np.integer],
    taken: NDArray[np.bool_],
    unit: NDArray[np.float32] | sparse.csr_matrix,
) -> NDArray[np.float64]:
    """Squared norm of the sum of the taken items' vectors, per list."""
    if isinstance(unit, np.ndarray):
        total = np.einsum("nkd,nk->nd", unit[ranked], taken.astype(np.float32))
        return np.sum(total.astype(np.float64) ** 2, axis=1)
    row, place = np.nonzero(taken)
    shape = (len(ranked), unit.shape[0])
    pick = sparse.csr_matrix((np.ones(len(row), np.float32), (row, ranked[row, place])), shape)
    total = pick @ unit
    return np.asarray(total.multiply(total).sum(axis=1), dtype=np.float64).ravel()
