"""A sparse matrix as it takes a dense vector: 16 of its rows side by side.

Row by row, the end of each is guessed wrong and waited for. Here rows of about the same length
stand together, the first entry of each, then the second of each, filled up with zeros
(SELL-C-sigma: Kreutzer et al., SIAM Journal on Scientific Computing, 2014, section 4).
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel

_LANES = 16


class Lanes(NamedTuple):
    """A matrix [n_rows, n_columns].

    Attributes
    ----------
    starts : where each group of 16 rows begins among the entries
    columns, values : of the entries, 16 side by side
    rows : which row each lane is, [n_rows]
    """

    starts: NDArray[np.uint64]
    columns: NDArray[np.uint32]
    values: NDArray[np.float32]
    rows: NDArray[np.uint32]

    @staticmethod
    def turned(matrix: csr_matrix) -> Lanes:
        """Of the transposed matrix."""
        rows = csr_matrix(matrix.T)
        lengths = np.diff(rows.indptr)
        order = np.argsort(-lengths, kind="stable")
        starts = np.concatenate([[0], np.cumsum(lengths[order[::_LANES]], dtype=np.int64)]) * _LANES
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        group, lane = np.divmod(np.repeat(place, lengths), _LANES)
        along = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], lengths)
        at = starts[group] + along * _LANES + lane
        columns, values = np.zeros(starts[-1], np.uint32), np.zeros(starts[-1], np.float32)
        columns[at], values[at] = rows.indices, rows.data
        return Lanes(starts.astype(np.uint64), columns, values, order.astype(np.uint32))

    def product(self, dense: NDArray[np.float64]) -> NDArray[np.float64]:
        """With a vector, [n_columns] -> [n_rows]; rows are added up in float64, in order."""
        out = np.empty(len(self.rows))
        _product(*self, dense, out)
        return out


@kernel(nogil=True, boundscheck=False)
def _product(starts, columns, values, rows, dense, out):
    lanes, total = np.uint64(_LANES), np.empty(_LANES)
    for group in range(np.uint64(starts.shape[0] - 1)):
        total[:] = 0
        for at in range(starts[group], starts[group + np.uint64(1)], lanes):
            for lane in range(lanes):
                total[lane] += values[at + lane] * dense[columns[at + lane]]
        first = group * lanes
        for lane in range(min(lanes, np.uint64(rows.shape[0]) - first)):
            out[rows[first + lane]] = total[lane]
