"""Better neighbours from neighbours: a neighbour's neighbours are likely one's own.

Rounds of NN-descent (Dong, Moses and Li, WWW 2011) without reverse neighbours, over rows that look
for each other: each row is compared with the neighbours of its neighbours, exactly, and keeps the
k best of all it has seen.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.compiling import kernel

_PARTS = 64
_JIT = {"parallel": True, "nogil": True, "boundscheck": False}


def descend(
    features: NDArray[np.float32] | sparse.csr_matrix,
    rows: NDArray[np.int32],
    similarity: NDArray[np.float32],
    rounds: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Rows and similarities [n, k] after some rounds, in descending order, ties by lower row.

    Parameters
    ----------
    features : dense [n, dim] or CSR [n, vocabulary], rows L2-normalised or zero
    rows, similarity : of neighbours found so far, -1 and 0 where there is none
    """
    for _ in range(rounds):
        # Each round reads the lists of the one before, so that threads do not decide the outcome.
        before, rows, similarity = rows, rows.copy(), similarity.copy()
        if isinstance(features, np.ndarray):
            _dense_round(np.ascontiguousarray(features), before, rows, similarity)
        else:
            data = features.data.astype(np.float32, copy=False)
            parts = features.indptr, features.indices, data, features.shape[1]
            _sparse_round(*parts, before, rows, similarity)
    return rows, similarity


@numba.njit(inline="always")
def put(rows, similarity, q, a, value):
    """Put an anchor into the list of a query, if it belongs there."""
    k = rows.shape[1]
    last = k - 1
    if value <= 0.0 or value < similarity[q, last]:
        return
    if value == similarity[q, last] and rows[q, last] >= 0 and rows[q, last] < a:
        return
    place = last
    while place > 0 and (
        similarity[q, place - 1] < value
        or (similarity[q, place - 1] == value and rows[q, place - 1] > a)
    ):
        similarity[q, place] = similarity[q, place - 1]
        rows[q, place] = rows[q, place - 1]
        place -= 1
    similarity[q, place] = value
    rows[q, place] = a


@kernel(nogil=True, boundscheck=False)
def offer(queries, anchors, values, rows, similarity):
    """Put what was found for some queries, [m, k] each, into the lists [n, k] of all."""
    for place in range(queries.shape[0]):
        q = queries[place]
        for column in range(anchors.shape[1]):
            a = anchors[place, column]
            known = a < 0
            for other in range(rows.shape[1]):
                known |= rows[q, other] == a
            if not known:
                put(rows, similarity, q, a, values[place, column])


@numba.njit(inline="always")
def _mark(before, seen, q):
    """Mark a query and what it has already as seen by it."""
    seen[q] = q
    for place in range(before.shape[1]):
        if before[q, place] >= 0:
            seen[before[q, place]] = q


@kernel(**_JIT)
def _sparse_round(indptr, indices, data, width, before, rows, similarity):
    n, k = rows.shape
    parts = min(n, _PARTS)
    for part in numba.prange(parts):
        seen = np.full(n, -1, np.int32)
        own = np.zeros(width, np.float32)
        for q in range(part * n // parts, (part + 1) * n // parts):
            for e in range(indptr[q], indptr[q + 1]):
                own[indices[e]] = data[e]
            _mark(before, seen, q)
            for place in range(k):
                near = before[q, place]
                for other in range(k if near >= 0 else 0):
                    a = before[near, other]
                    if a >= 0 and seen[a] != q:
                        seen[a] = q
                        value = np.float32(0.0)
                        for e in range(indptr[a], indptr[a + 1]):
                            value += own[indices[e]] * data[e]
                        put(rows, similarity, q, a, value)
            for e in range(indptr[q], indptr[q + 1]):
                own[indices[e]] = 0.0


@kernel(**_JIT)
def _dense_round(features, before, rows, similarity):
    n, k = rows.shape
    parts = min(n, _PARTS)
    for part in numba.prange(parts):
        seen = np.full(n, -1, np.int32)
        for q in range(part * n // parts, (part + 1) * n // parts):
            _mark(before, seen, q)
            for place in range(k):
                near = before[q, place]
                for other in range(k if near >= 0 else 0):
                    a = before[near, other]
                    if a >= 0 and seen[a] != q:
                        seen[a] = q
                        value = np.float32(0.0)
                        for column in range(features.shape[1]):
                            value += features[q, column] * features[a, column]
                        put(rows, similarity, q, a, value)
