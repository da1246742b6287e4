"""Rows of sparse matrices through chains of more, 64 of them side by side, on the processor.

SciPy multiplies row by row, and looks every entry of an intermediate row up and sorts it out again.
Here the same place of 64 rows lies together (a *tile*, float32 [n, 64], or a multiple of 64 side by
side): what a matrix takes from a place is then 64 numbers at once, and its cost is in its entries,
whatever is asked.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel
from micrec_core.graphs.simd import WIDTH, fused, load, prefetch, store, zeros

Tile: TypeAlias = NDArray[np.float32]
# How many entries ahead rows are asked for.
_AHEAD = np.uint64(8)
_ONE = np.uint64(1)
# Places of a tile that are turned to rows at a time, so that each gets whole lines of the cache.
_SOME = np.uint64(64)


def own_array(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of one that may not be written, as what another process sent may not.

    Kernels are compiled for arrays that may, and torch complains of others.
    """
    return np.require(array, requirements="W")


class Packed(NamedTuple):
    """A CSR matrix [n_rows, n_columns] as the kernels take it, in float32.

    Places are unsigned: numba asks of a signed one whether it counts from the end.
    """

    starts: NDArray[np.uint64]
    columns: NDArray[np.uint32]
    values: NDArray[np.float32]
    n_columns: int

    @staticmethod
    def of(matrix: csr_matrix) -> Packed:
        return Packed(
            matrix.indptr.astype(np.uint64),
            matrix.indices.astype(np.uint32),
            own_array(matrix.data.astype(np.float32, copy=False)),
            matrix.shape[1],
        )

    @staticmethod
    def turned(matrix: csr_matrix) -> Packed:
        """Of the transposed matrix."""
        return Packed.of(csr_matrix(matrix.T))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def through(self, tile: Tile, out: Tile | None = None, rows: slice = slice(None)) -> Tile:
        """The product with a tile, [n_columns, 64] -> [n_rows, 64], put into ``out`` if given.

        ``rows`` : of this matrix, adjacent ones
        """
        first, end, _ = rows.indices(len(self))
        if out is None:
            out = np.empty((end - first, tile.shape[1]), np.float32)
        _through(self.starts[first : end + 1], self.columns, self.values, tile, out)
        return out

    def into(self, out: NDArray[np.float32], tile: Tile) -> None:
        """``out`` [m, n_rows] = the first m columns of the product with a tile, as rows."""
        _into(self.starts, self.columns, self.values, tile, out)


def lay(tile: Tile, rows: csr_matrix, *chain: Packed) -> None:
    """Add at most 64 rows, side by side, as they are or times two more matrices, to a tile."""
    first = Packed.of(rows)
    if not chain:
        _lay(*first[:3], tile)
        return
    second, third = chain
    between = np.zeros(second.n_columns, np.float32)
    touched = np.empty(second.n_columns, np.uint32)
    met = np.zeros(second.n_columns, np.bool_)
    _lay_multiplied(*first[:3], *second[:3], *third[:3], between, met, touched, tile)


def add_product(rows: Packed, weights: Packed, out: NDArray[np.float32]) -> None:
    """``out`` += rows @ weights; a row may have thousands, so they are added up in float64."""
    _add_product(*rows[:3], *weights[:3], out)


@kernel(nogil=True, boundscheck=False)
def _through(starts, columns, values, tile, out):
    last = np.uint64(max(columns.shape[0], 1) - 1)
    for side in range(np.uint64(0), np.uint64(tile.shape[1]), np.uint64(WIDTH)):
        for row in range(np.uint64(out.shape[0])):
            total = zeros()
            for at in range(np.uint64(starts[row]), np.uint64(starts[row + _ONE])):
                prefetch(tile, np.uint64(columns[min(at + _AHEAD, last)]), side)
                total = fused(values[at], load(tile, np.uint64(columns[at]), side), total)
            store(out, row, side, total)


@kernel(nogil=True, boundscheck=False)
def _into(starts, columns, values, tile, out):
    some = np.empty((_SOME, WIDTH), np.float32)
    n = np.uint64(starts.shape[0] - 1)
    for begin in range(np.uint64(0), n, _SOME):
        here = min(_SOME, n - begin)
        _through(starts[begin : begin + here + _ONE], columns, values, tile, some[:here])
        for m in range(np.uint64(out.shape[0])):
            row = out[m]
            for at in range(here):
                row[begin + at] = some[at, m]


@kernel(nogil=True)
def _lay(starts, columns, values, out):
    for row in range(starts.shape[0] - 1):
        for at in range(starts[row], starts[row + 1]):
            out[columns[at], row] += values[at]


@kernel(nogil=True)
def _lay_multiplied(
    starts_a, columns_a, a, starts_b, columns_b, b, starts_c, columns_c, c,
    between, met, touched, out,
):  # fmt: skip
    """``between``: zeros, a row of the first product; ``touched``: its columns, ``met`` each."""
    for row in range(starts_a.shape[0] - 1):
        n = 0
        for at in range(starts_a[row], starts_a[row + 1]):
            weight, middle = a[at], columns_a[at]
            for to in range(starts_b[middle], starts_b[middle + 1]):
                column = columns_b[to]
                if not met[column]:
                    met[column] = True
                    touched[n] = column
                    n += 1
                between[column] += weight * b[to]
        for at in range(n):
            middle = touched[at]
            weight, between[middle], met[middle] = between[middle], 0, False
            for to in range(starts_c[middle], starts_c[middle + 1]):
                out[columns_c[to], row] += weight * c[to]


@kernel(nogil=True)
def _add_product(starts_a, columns_a, a, starts_b, columns_b, b, out):
    total = np.zeros(out.shape[1])
    for row in range(out.shape[0]):
        if starts_a[row] == starts_a[row + 1]:
            continue
        for at in range(starts_a[row], starts_a[row + 1]):
            weight, middle = np.float64(a[at]), columns_a[at]
            for to in range(starts_b[middle], starts_b[middle + 1]):
                total[columns_b[to]] += weight * b[to]
        for column in range(total.shape[0]):
            out[row, column] += total[column]
            total[column] = 0
