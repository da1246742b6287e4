"""A sparse vector through sparse matrices, in the time of the entries that it meets.

SciPy's product of two sparse matrices looks at every column once or more, however few are met, and
at every entry through a list of those met before. One vector needs neither. The kernel takes a
third of NumPy's time and half a second to load: it is used once somebody loaded it.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# Above this share of a matrix's entries, all of them are gone through: in order, they are faster.
_SHARE = 0.25
# Up to so many entries are gathered here; of more, SciPy's own selection of rows is quicker.
_FEW = 20_000
# Where columns are so many times the entries, these are sorted: cheaper than a zero a column.
WIDE = 32


class Vector(NamedTuple):
    """Where a vector of ``n`` numbers is not 0, in order, and what it is there."""

    at: NDArray[np.integer]
    values: NDArray[np.float64]
    n: int

    @staticmethod
    def of(matrix: csr_matrix, row: int) -> Vector:
        """A row of a matrix, which names no column twice."""
        here = slice(*matrix.indptr[row : row + 2])
        return Vector(matrix.indices[here], matrix.data[here].astype(np.float64), matrix.shape[1])

    @staticmethod
    def where(dense: NDArray[np.float64]) -> Vector:
        """What of a dense vector is not 0."""
        at = np.flatnonzero(dense)
        return Vector(at, dense[at], len(dense))

    def through(self, matrix: csr_matrix) -> Vector:
        """The product with a matrix [n, m]: a vector of m numbers."""
        kernel, n = walk(), matrix.shape[1]
        if kernel is not None:
            at, values = kernel.through(self.at, self.values, matrix)
            return Vector(at, values, n)
        met = self._met(matrix)
        if met is None:
            return Vector.where(self._dense_product(matrix))
        return _added_up(*met, n)

    def onto(self, matrix: csr_matrix, out: NDArray[np.float64]) -> None:
        """Add the product with a matrix to [m] numbers."""
        kernel = walk()
        if kernel is not None:
            kernel.onto(self.at, self.values, matrix, out)
        else:
            out += self._dense_product(matrix)

    def _met(self, matrix: csr_matrix) -> tuple[NDArray[np.integer], NDArray[np.float64]] | None:
        """Columns that are met, as often as they are, and what each adds; None of too many."""
        firsts = matrix.indptr[self.at]
        counts = matrix.indptr[self.at + 1] - firsts
        ends = np.cumsum(counts)
        if not len(ends) or ends[-1] > _FEW:
            return None
        met = np.repeat(firsts - ends + counts, counts) + np.arange(ends[-1])
        return matrix.indices[met], matrix.data[met] * np.repeat(self.values, counts)

    def _dense_product(self, matrix: csr_matrix) -> NDArray[np.float64]:
        """The product, float64 [m]."""
        n_met = int((matrix.indptr[self.at + 1] - matrix.indptr[self.at]).sum())
        found: NDArray[np.float64]
        if n_met < _SHARE * matrix.nnz:
            found = matrix[self.at].T @ self.values
        else:
            dense = np.zeros(self.n)
            dense[self.at] = self.values
            found = matrix.T @ dense
        return found


def walk() -> Any:
    """The module of the kernels, where somebody loaded it."""
    return sys.modules.get("micrec_core.graphs.walk")


def _added_up(at: NDArray[np.integer], values: NDArray[np.float64], n: int) -> Vector:
    """Of places that may repeat, in any order."""
    if n > WIDE * len(at):
        places, which = np.unique(at, return_inverse=True)
        return Vector(places, np.asarray(np.bincount(which, values, len(places)), np.float64), n)
    return Vector.where(np.asarray(np.bincount(at, values, n), np.float64))
