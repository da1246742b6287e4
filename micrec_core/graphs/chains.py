"""One sparse row after another multiplied through sparse matrices from the left, by numba.

What a row has reached is a list of places in dense room to add up in, which is cleared as it is
read: nothing is sorted or allocated on the way, and the time is that of the entries met.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# An entry added to wherever it belongs costs as much as so many that are read in order.
_IN_ORDER = 6


class Reached:
    """A row [n] under way, empty at first and whenever it was handed on."""

    def __init__(self, n: int):
        self.values = np.zeros(n)
        self.marks = np.zeros(n, np.bool_)
        self.places = np.empty(n, np.int32)
        self.count = 0

    def add(self, matrix: csr_matrix, row: int, weight: float = 1.0) -> None:
        """Add ``weight`` times a row of ``matrix`` [any, n]."""
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        self.count = _add(
            matrix.indices[span], matrix.data[span], weight,
            self.values, self.marks, self.places, self.count,
        )  # fmt: skip

    def scale(self, factors: NDArray[np.floating]) -> None:
        """Multiply by ``factors`` [n], place by place."""
        places = self.places[: self.count]
        self.values[places] *= factors[places]

    def through(
        self, matrix: csr_matrix, into: Reached, transposed: csr_matrix | None = None
    ) -> None:
        """Hand the row times ``matrix`` [n, m] on to what ``into`` [m] has.

        With ``transposed`` [m, n] at hand a row that has reached much is read in order instead.
        """
        mine = self.values, self.marks, self.places[: self.count]
        theirs = into.values, into.marks, into.places, into.count
        if transposed is not None and self.count * _IN_ORDER > len(self.values):
            arrays = transposed.indptr, transposed.indices, transposed.data
            into.count = _gather(*mine, *arrays, *theirs)
        else:
            arrays = matrix.indptr, matrix.indices, matrix.data
            into.count = _through(*mine, *arrays, *theirs)
        self.count = 0

    def leave(self, out: NDArray[np.float32]) -> None:
        """Hand the row on as dense ``out`` [n], which was zero."""
        places = self.places[: self.count]
        out[places] = self.values[places]
        self.values[places], self.marks[places], self.count = 0.0, False, 0


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _add(columns, data, weight, values, marks, places, count):
    for e in range(columns.shape[0]):
        j = columns[e]
        if not marks[j]:
            marks[j] = True
            places[count] = j
            count += 1
        values[j] += weight * data[e]
    return count


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _through(own, own_marks, rows, indptr, indices, data, values, marks, places, count):
    for place in range(rows.shape[0]):
        row = rows[place]
        weight = own[row]
        own[row], own_marks[row] = 0.0, False
        if weight == 0.0:
            continue
        for e in range(indptr[row], indptr[row + 1]):
            j = indices[e]
            if not marks[j]:
                marks[j] = True
                places[count] = j
                count += 1
            values[j] += weight * data[e]
    return count


@numba.njit(cache=True, nogil=True, boundscheck=False, fastmath=True)
def _gather(own, own_marks, rows, indptr, indices, data, values, marks, places, count):
    for j in range(indptr.shape[0] - 1):
        total = 0.0
        for e in range(indptr[j], indptr[j + 1]):
            total += data[e] * own[indices[e]]
        if total != 0.0:
            if not marks[j]:
                marks[j] = True
                places[count] = j
                count += 1
            values[j] += total
    for place in range(rows.shape[0]):
        own[rows[place]], own_marks[rows[place]] = 0.0, False
    return count
