"""How well many blends of two embeddings rank, without ranking by each.

Scores are linear in a user's embedding: those of ``base + weight * other`` are the scores of one
plus ``weight`` times those of the other. So two products serve all weights, and of each blend only
what NDCG needs is counted: how many candidates score above each positive.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.compiled import copy_columns, places_of_blends
from micrec_core.evaluation.metrics import metric_curves
from micrec_core.evaluation.parallel import map_pieces, one_blas_thread
from micrec_core.evaluation.selection import sorted_rows
from micrec_core.method.search import repeated_rows

_BLOCK_BYTES = 16 * 2**20  # of a table of scores
_ROWS = 128  # users at a time, of scores that are there


def ndcg_of_blends(
    bases: Sequence[NDArray[np.float32]],
    other: NDArray[np.float32],
    weights: Sequence[float],
    items: NDArray[np.float32],
    positives: sparse.csr_matrix,
    mask: sparse.csr_matrix,
    candidates: NDArray[np.bool_],
    cutoff: int,
) -> NDArray[np.float64]:
    """NDCG@``cutoff`` of users by each base and weight, [n_bases, n_weights, n], as ``metrics``.

    Parameters
    ----------
    bases, other : embeddings of the same users, [n, dim] each
    items : [n_items, dim]
    positives, mask : CSR [n, n_items], what is to be found, and what is not ranked
    candidates : bool [n_items], what may be ranked

    Notes
    -----
    Ties and what is never ranked are as in ``ranking.rank_users``. A user without positives has 0.
    """
    columns = np.flatnonzero(candidates)
    n_positives = np.diff(sorted_rows(positives)[0]).astype(np.int64)
    starts, found = sorted_rows(sparse.csr_matrix(positives[:, columns]))
    masked = sparse.csr_matrix(mask[:, columns])
    masked.eliminate_zeros()
    items = np.ascontiguousarray(items[columns], np.float32)
    places = np.empty((len(bases), len(weights), len(found)), np.int64)
    alike, shares = repeated_rows(items), np.asarray(weights, np.float32)

    def count(piece: slice) -> None:
        of_other = _scores(other[piece], items, alike)
        entries = slice(starts[piece.start], starts[piece.stop])
        here = starts[piece.start : piece.stop + 1] - entries.start
        at = masked[piece].nonzero()
        for base, out in zip(bases, places, strict=True):
            of_base = _scores(base[piece], items, alike)
            of_base[at] = -np.inf
            told = shares, columns, here, found[entries], cutoff
            places_of_blends(of_base, of_other, *told, out[:, entries])

    step = max(1, _BLOCK_BYTES // (4 * max(len(items), 1)))
    with one_blas_thread():
        map_pieces(count, [slice(s, min(s + step, len(other))) for s in range(0, len(other), step)])
    told = starts, n_positives, cutoff
    return np.array([[_ndcg(of_weight, *told) for of_weight in of_base] for of_base in places])


def ndcg_of_sums(
    base: NDArray[np.float32],
    other: NDArray[np.float32],
    weights: Sequence[float] | NDArray[np.floating],
    order: NDArray[np.int64],
    positives: sparse.csr_matrix,
    cutoff: int,
) -> list[NDArray[np.float64]]:
    """NDCG@``cutoff`` of users by ``base + weight * other`` for each weight, [n] each.

    Parameters
    ----------
    base, other : scores [n, n_items]; what is never ranked has minus infinity in ``base``
    order : int64 [n_items], the place of each item among equals
    positives : CSR [n, n_items], one a user at least
    """
    starts, found = sorted_rows(positives)
    places = np.empty((len(weights), len(found)), np.int64)
    shares = np.asarray(weights, np.float32)

    def count(piece: slice) -> None:
        entries = slice(starts[piece.start], starts[piece.stop])
        here = starts[piece.start : piece.stop + 1] - entries.start
        told = shares, order, here, found[entries], cutoff
        places_of_blends(base[piece], other[piece], *told, places[:, entries])

    map_pieces(count, [slice(s, min(s + _ROWS, len(base))) for s in range(0, len(base), _ROWS)])
    told = starts, np.diff(starts).astype(np.int64), cutoff
    return [_ndcg(of_weight, *told) for of_weight in places]


def _ndcg(
    places: NDArray[np.int64],
    starts: NDArray[np.integer],
    n_positives: NDArray[np.int64],
    cutoff: int,
) -> NDArray[np.float64]:
    """NDCG@``cutoff`` of users [n], of one without positives 0.

    Parameters
    ----------
    places : of what was wanted, from 0, or ``cutoff``; of user u from ``starts[u]``
    n_positives : [n], how many each has, wanted or not
    """
    # A column more than there are places, for what is not among them.
    hits = np.zeros((len(n_positives), cutoff + 1), bool)
    hits[np.repeat(np.arange(len(hits)), np.diff(starts)), places] = True
    out, some = np.zeros(len(hits)), n_positives > 0
    out[some] = metric_curves(hits[some, :cutoff], n_positives[some], (cutoff,))["ndcg"][:, 0]
    return out


def _scores(
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    alike: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> NDArray[np.float32]:
    """Products, the same for equal items wherever they stand."""
    scores: NDArray[np.float32] = np.ascontiguousarray(users, np.float32) @ items.T
    copy_columns(scores, *alike)
    return scores
