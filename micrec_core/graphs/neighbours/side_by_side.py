"""All pairs of sparse rows with 16 queries side by side, for rows that have much in common.

Through an inverted index a pair costs a scattered sum for each column that both rows have. Here an
anchor goes once over its own columns for 16 queries at a time, whatever they have in common, which
is cheaper where that is much: texts of few words, of which everybody has the common ones.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel
from micrec_core.graphs.chain import Packed, own_array
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.graphs.neighbours.nn_descent import put
from micrec_core.graphs.simd import LINE, any_above, load_line, plus, store, times, zero_line

# The share of rows that have a column of another, on the mean over its columns, from which on this
# is quicker: measured in docs/notes/2026-11-29-growth.md.
COMMON = 0.12
_PARTS = 64
_ONE = np.uint64(1)


def much_in_common(rows: csr_matrix) -> bool:
    """Whether rows have so much in common that they are compared more cheaply side by side."""
    counts = np.bincount(rows.indices, minlength=rows.shape[1]).astype(float)
    return bool(counts @ counts > COMMON * rows.shape[0] * rows.nnz)


class SideBySide:
    """Anchors, each of which is compared with every query.

    Parameters
    ----------
    anchors : CSR [n_anchors, vocabulary], rows L2-normalised or zero
    ok : bool [n_anchors], rows that may be found
    """

    def __init__(self, anchors: csr_matrix, ok: NDArray[np.bool_]):
        self.allowed = np.flatnonzero(ok)
        self.rows = Packed.of(csr_matrix(anchors[self.allowed]))

    def nearest(self, queries: csr_matrix, k: int, same: NDArray[np.int64]) -> Neighbours:
        """The ``k`` nearest, in descending order, ties by lower row; ``same`` is left out."""
        found, width = Neighbours.none(queries.shape[0], k), queries.shape[1]
        parts = *Packed.of(csr_matrix(queries))[:3], *(own_array(part) for part in self.rows[:3])
        own = own_array(self.allowed), width, own_array(same)
        _nearest(*parts, *own, found.rows, found.similarity)
        return found


@kernel(parallel=True, nogil=True, boundscheck=False)
def _nearest(
    q_ptr, q_ind, q_val, a_ptr, a_ind, a_val, allowed, width, same, rows, similarity
):  # fmt: skip
    """A group of queries after the other; a thread keeps its columns and clears what it filled."""
    groups = (len(rows) + LINE - 1) // LINE
    parts = min(groups, _PARTS)
    for part in numba.prange(parts):
        tile = np.zeros((width, LINE), np.float32)
        for group in range(part * groups // parts, (part + 1) * groups // parts):
            first, last = group * LINE, min((group + 1) * LINE, len(rows))
            for q in range(first, last):
                for e in range(q_ptr[q], q_ptr[q + 1]):
                    tile[q_ind[e], q - first] = q_val[e]
            _compare(
                a_ptr, a_ind, a_val, tile, allowed, same[first:last], rows[first:last],
                similarity[first:last],
            )  # fmt: skip
            for q in range(first, last):
                for e in range(q_ptr[q], q_ptr[q + 1]):
                    tile[q_ind[e], q - first] = 0.0


@kernel(nogil=True, boundscheck=False)
def _compare(starts, columns, values, tile, allowed, same, rows, similarity):
    """Put the best of all anchors into the lists of some queries, [16 or fewer, k].

    Sums are rounded as those through the index are, where columns are in order.
    """
    none, least = np.uint64(0), similarity.shape[1] - 1
    bounds, found = np.zeros((1, LINE), np.float32), np.empty((1, LINE), np.float32)
    for at in range(np.uint64(allowed.shape[0])):
        total = zero_line()
        for e in range(np.uint64(starts[at]), np.uint64(starts[at + _ONE])):
            row = load_line(tile, np.uint64(columns[e]), none)
            total = plus(total, times(values[e], row))
        if any_above(total, load_line(bounds, none, none)):
            store(found, none, none, total)
            for q in range(rows.shape[0]):
                if found[0, q] > bounds[0, q] and same[q] != allowed[at]:
                    put(rows, similarity, q, allowed[at], found[0, q])
                    bounds[0, q] = similarity[q, least]
