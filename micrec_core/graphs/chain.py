"""Rows of a sparse matrix through a chain of two more, into a dense result.

SciPy looks every entry of an intermediate row up and sorts it out again; the kernel adds each row
up in a vector of its own. Its cost is in the entries that are touched.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel

# Unsigned: numba asks of a signed place whether it counts from the end.
Index: TypeAlias = NDArray[np.uint32]
Floats: TypeAlias = NDArray[np.floating]


def multiplied(rows: csr_matrix, first: csr_matrix, second: csr_matrix) -> NDArray[np.float32]:
    """``rows @ first @ second`` of CSR float64 matrices, dense float32 [n, n_columns]."""
    inner, columns = second.shape
    out = np.zeros((rows.shape[0], columns), np.float32)
    parts = [
        part
        for m in (rows, first, second)
        for part in (_unsigned(m.indptr), _unsigned(m.indices), m.data)
    ]
    _multiply(
        *parts,
        np.zeros(inner),
        np.zeros(inner, np.bool_),
        np.empty(inner, np.uint32),
        out,
    )
    return out


def _unsigned(numbers: NDArray[np.integer]) -> Index:
    found: Index = numbers.astype(np.int32, copy=False).view(np.uint32)
    return found


@kernel(nogil=True)
def _multiply(
    starts_a: Index, columns_a: Index, a: Floats,
    starts_b: Index, columns_b: Index, b: Floats,
    starts_c: Index, columns_c: Index, c: Floats,
    between: Floats, met: NDArray[np.bool_], touched: Index, out: Floats,
) -> None:  # fmt: skip
    """``between``: zeros, a row of the first product; ``touched``: its columns, ``met`` each."""
    for row in range(len(out)):
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
                out[row, columns_c[to]] += weight * c[to]
