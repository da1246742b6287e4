"""Kernels of one sparse vector: through a sparse matrix (``graphs.vector``), or with its rows."""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from micrec_core.compiling import kernel
from micrec_core.graphs.vector import WIDE


def through(
    at: NDArray[np.integer], values: NDArray[np.float64], matrix: csr_matrix
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Where the product is not 0, in order, and what it is there."""
    n = matrix.shape[1]
    total, met, touched = np.zeros(n), np.zeros(n, np.bool_), np.empty(n, np.int32)
    n = _through(*_places(at, matrix), values, matrix.data, total, met, touched)
    # In order, so that rows of the next matrix are met as they lie in memory.
    found = np.flatnonzero(met) if WIDE * n > len(met) else np.sort(touched[:n])
    return found, total[found]


def onto(
    at: NDArray[np.integer],
    values: NDArray[np.float64],
    matrix: csr_matrix,
    out: NDArray[np.float64],
) -> None:
    """``out`` += the product."""
    _onto(*_places(at, matrix), values, matrix.data, out)


def add_lists(
    space: csc_matrix,
    terms: NDArray[np.integer],
    values: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """``scores`` [n] += space [n, vocabulary] times a vector of these terms, each in turn."""
    _add_lists(space.indptr, space.indices, space.data, terms, values, scores)


def _places(at: NDArray[np.integer], matrix: csr_matrix) -> tuple[NDArray[np.uint32], ...]:
    """As unsigned numbers: numba asks of a signed place whether it counts from the end."""
    places = at, matrix.indptr, matrix.indices
    return tuple(x.astype(np.int32, copy=False).view(np.uint32) for x in places)


@kernel(nogil=True)
def _through(at, starts, columns, values, data, total, met, touched):
    """``total``: zeros, the product; ``touched``: its places, in which it was ``met``."""
    n = 0
    for row in range(at.shape[0]):
        weight = values[row]
        for place in range(starts[at[row]], starts[at[row] + 1]):
            column = columns[place]
            if not met[column]:
                met[column] = True
                touched[n] = column
                n += 1
            total[column] += weight * data[place]
    return n


@kernel(nogil=True)
def _onto(at, starts, columns, values, data, out):
    for row in range(at.shape[0]):
        weight = values[row]
        for place in range(starts[at[row]], starts[at[row] + 1]):
            out[columns[place]] += weight * data[place]


@kernel(nogil=True)
def _add_lists(starts, rows, data, terms, values, scores):
    for at in range(terms.shape[0]):
        for place in range(starts[terms[at]], starts[terms[at] + 1]):
            scores[rows[place]] += values[at] * data[place]
