"""Sums of scattered rows of a table: float32, as many columns as 64 goes into.

``bounds`` [n_parts + 1] cuts the rows into parts of about as many summands each. Arguments that
may be None are compiled in or out. Each number is summed in the order in which torch's product of
a CSR matrix sums it.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrec_core.compiling import kernel
from micrec_core.graphs.simd import WIDTH, fused, load, plus, prefetch, store, zeros

if TYPE_CHECKING:
    from micrec_core.graphs.sparse import SparseMatrix

# How many summands ahead rows are asked for: 8 KiB of them.
_AHEAD = np.uint64(32)
_ONE = np.uint64(1)
# Pieces of a sum that threads take; enough that uneven ones even out.
_N_PARTS = 64
JIT: dict[str, Any] = {"parallel": True, "nogil": True, "boundscheck": False}


def bounds(indptr: NDArray[np.int32]) -> NDArray[np.int64]:
    """Rows at which work is cut into parts of about as many entries each."""
    # A row costs something too: about as much as an entry.
    work = indptr + np.arange(len(indptr))
    cuts = np.searchsorted(work, np.linspace(0, work[-1], _N_PARTS + 1))
    cuts[0], cuts[-1] = 0, len(indptr) - 1
    return cuts.astype(np.int64)


def array(x: Tensor | None) -> NDArray[Any] | None:
    """A tensor of the host as the kernels take it, without a copy where rows are adjacent."""
    return None if x is None else x.detach().contiguous().numpy()


def entries(matrix: SparseMatrix) -> tuple[Any, ...]:
    """What the kernels take of a matrix."""
    pattern = matrix.pattern
    parts = pattern.indptr, pattern.indices, matrix.values
    return pattern.bounds, *(part.numpy() for part in parts)


def sum_rows(
    matrix: SparseMatrix,
    x: Tensor,
    start: Tensor | None = None,
    also: Tensor | None = None,
    scale: Tensor | None = None,
    onto: Tensor | None = None,
    only: Tensor | None = None,
) -> Tensor:
    """(start + also) + (onto + matrix (scale x)): [n_cols, dim] -> [n_rows, dim].

    ``only``: bool [n_rows], the rows that are computed; what the others hold means nothing.
    """
    out = torch.empty(matrix.pattern.n_rows, x.shape[1])
    rest = (array(part) for part in (x, start, also, scale, onto, only))
    _sum_rows(*entries(matrix), *rest, matrix.thin, out.numpy())
    return out


@numba.njit(inline="always")
def place(n):
    """``n`` as a place in an array: numba asks of a signed one whether it counts from the end."""
    return np.uint64(n)


@numba.njit(inline="always")
def sum_row(total, first, end, indices, values, x, column):
    """``total`` and the sum of values[e] * x[indices[e], column:] over the summands e."""
    last = place(indices.shape[0] - 1)
    for e in range(place(first), place(end)):
        prefetch(x, place(indices[min(e + _AHEAD, last)]), column)
        total = fused(values[e], load(x, place(indices[e]), column), total)
    return total


@kernel(**JIT)
def _sum_rows(bounds, indptr, indices, values, x, start, also, scale, onto, only, thin, out):
    """``thin``: values of 0 are many; the others of a part are listed first, without a branch
    that half of them would mislead."""
    for part in numba.prange(bounds.shape[0] - 1):
        top, bottom = place(bounds[part]), place(bounds[part + 1])
        begin, stop = place(indptr[top]), place(indptr[bottom])
        columns, weights = indices[begin:stop], values[begin:stop]
        ends = np.empty(bottom - top + _ONE, np.int64)
        for r in range(top, bottom + _ONE):
            ends[r - top] = place(indptr[r]) - begin
        if scale is not None:
            weights = weights.copy()
            for e in range(weights.shape[0]):
                weights[e] *= scale[columns[e]]
        if thin:
            columns = np.empty(stop - begin + _ONE, np.int32)
            weights = np.empty(stop - begin + _ONE, np.float32)
            n = place(0)
            for r in range(top, bottom):
                ends[r - top] = n
                for e in range(place(indptr[r]), place(indptr[r + _ONE])):
                    columns[n] = indices[e]
                    weights[n] = values[e]
                    n += place(values[e] != 0.0)
            ends[bottom - top] = n
            columns = columns[: max(n, _ONE)]
        for column in range(0, x.shape[1], WIDTH):
            for r in range(top, bottom):
                if only is not None:  # noqa: SIM102 - compiled out where there is none
                    if not only[r]:
                        continue
                total = zeros()
                if onto is not None:
                    total = load(onto, r, column)
                first, end = ends[r - top], ends[r - top + _ONE]
                total = sum_row(total, first, end, columns, weights, x, column)
                if start is not None:
                    begun = load(start, r, column)
                    if also is not None:
                        begun = plus(begun, load(also, r, column))
                    total = plus(begun, total)
                store(out, r, column, total)
