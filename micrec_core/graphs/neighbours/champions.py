"""The nearest sparse rows by lists that are cut: of each column the rows that weigh most in it.

Champion lists (Manning, Raghavan and Schuetze, Introduction to Information Retrieval, 2008,
section 7.1.3): what a query's columns add up to over lists of at most ``LONGEST`` rows says who may
be near, and the ``COMPARED`` best of those are compared in full. A query costs the same however
many rows there are. Texts of many words are found so, since who is near shares words that few have;
rows of few common columns are not, for who is near them is no champion in any.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel
from micrec_core.graphs.chain import Packed, own_array
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.graphs.neighbours.nn_descent import put

# Recall and time grow with both; measured in docs/notes/2026-11-29-growth.md.
LONGEST, COMPARED = 1000, 400
_BINS = 512  # of sums, to find the best without sorting them
_PARTS = 64


class Champions:
    """Lists of the anchors, made once and asked often.

    Parameters
    ----------
    anchors : CSR [n_anchors, vocabulary], rows L2-normalised or zero
    ok : bool [n_anchors], rows that may be found
    """

    def __init__(self, anchors: csr_matrix, ok: NDArray[np.bool_]):
        self.anchors = anchors
        inverted = sparse.csc_matrix(sparse.diags(ok.astype(np.float32)) @ anchors)
        inverted.eliminate_zeros()
        counts = np.diff(inverted.indptr)
        column = np.repeat(np.arange(len(counts)), counts)
        order = np.lexsort((-np.abs(inverted.data), column))
        place = np.arange(len(order)) - inverted.indptr[column]
        kept = np.sort(order[place < LONGEST])  # rows of a list ascend again
        self.lengths = np.minimum(counts, LONGEST)
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.lists = csr_matrix(
            (inverted.data[kept], inverted.indices[kept], starts), inverted.shape[::-1]
        )

    def nearest(self, queries: csr_matrix, k: int, same: NDArray[np.integer]) -> Neighbours:
        """The ``k`` best of those compared, in descending order, ties by lower row.

        ``same``: int [n_queries], the anchor that is left out, -1 for none.
        """
        found = Neighbours.none(queries.shape[0], k)
        # Most that a query can touch: all of its lists.
        starts = np.concatenate([[0], np.cumsum(self.lengths[queries.indices])])[queries.indptr]
        room = int(np.diff(starts).max(initial=0)) + 1
        matrices = queries, self.anchors, self.lists
        parts = [part for matrix in matrices for part in Packed.of(matrix)[:3]]
        sizes = *self.anchors.shape, room, max(COMPARED, k)
        _nearest(*parts, *sizes, own_array(same), found.rows, found.similarity)
        return found


@kernel(parallel=True, nogil=True, boundscheck=False)
def _nearest(
    q_ptr, q_ind, q_val, a_ptr, a_ind, a_val, l_ptr, l_ind, l_val,
    n_anchors, width, room, compared, same, rows, similarity,
):  # fmt: skip
    """Every query on its own; a thread keeps its sums and clears what it touched."""
    n = len(rows)
    parts = min(n, _PARTS)
    for part in numba.prange(parts):
        sums = np.zeros(n_anchors, np.float32)
        query = np.zeros(width, np.float32)
        near = np.empty(room, np.uint32)
        counts = np.zeros(_BINS, np.int64)
        for q in range(part * n // parts, (part + 1) * n // parts):
            first, last = q_ptr[q], q_ptr[q + 1]
            n_near = _add_up(q_ind, q_val, first, last, l_ptr, l_ind, l_val, sums, near)
            if same[q] >= 0:
                sums[same[q]] = 0.0
            least = _least(sums, near, n_near, counts, compared)
            for e in range(first, last):
                query[q_ind[e]] = q_val[e]
            for i in range(n_near):
                a = near[i]
                # Cleared at once, for a sum that was zero for a moment was noted twice.
                if sums[a] > 0.0 and sums[a] >= least:
                    value = np.float32(0.0)
                    for e in range(a_ptr[a], a_ptr[a + np.uint32(1)]):
                        value += query[a_ind[e]] * a_val[e]
                    put(rows, similarity, q, a, value)
                sums[a] = 0.0
            for e in range(first, last):
                query[q_ind[e]] = 0.0


@kernel(nogil=True, boundscheck=False)
def _add_up(q_ind, q_val, first, last, l_ptr, l_ind, l_val, sums, near):
    """Sums over the lists of a query's entries; how many rows were noted in ``near``."""
    n_near = np.uint64(0)
    for e in range(first, last):
        term, weight = q_ind[e], q_val[e]
        for p in range(l_ptr[term], l_ptr[term + np.uint32(1)]):
            a = l_ind[p]
            before = sums[a]
            near[n_near] = a
            n_near += np.uint64(before == np.float32(0.0))
            sums[a] = before + weight * l_val[p]
    return n_near


@kernel(nogil=True, boundscheck=False)
def _least(sums, near, n_near, counts, compared):
    """A sum that at most ``compared`` reach, unless more are as good as the best."""
    top = np.float32(0.0)
    for i in range(n_near):
        top = max(top, sums[near[i]])
    if top <= 0.0:
        return top
    scale = np.float32(_BINS - 1) / top
    for place in range(_BINS):
        counts[place] = 0
    for i in range(n_near):
        counts[np.uint64(max(sums[near[i]], np.float32(0.0)) * scale)] += 1
    place = _BINS - 1
    reached = counts[place]
    while place > 0 and reached + counts[place - 1] <= compared:
        place -= 1
        reached += counts[place]
    return np.float32(place) / scale
