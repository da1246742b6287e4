"""CPU kernels of the sparse products, compiled by numba.

A bipartite graph of the method is binary up to a factor per row and a factor per column, so one
index array and two short scale vectors stand for the matrix in both directions; only neighbour
graphs carry a value per edge. Sources: LightGCN (He et al., 2020, eq. 3) for the normalisation,
INMO (Wu et al., 2022) for the dropout of summands.

These are plain loops for operands of any width and precision; ``wide`` has those of float32 whose
width is a multiple of 64, which are the usual ones.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Pointers = NDArray[np.int32]
Floats = NDArray[np.float32]

_JIT = {"parallel": True, "fastmath": True, "cache": True, "nogil": True, "boundscheck": False}


@numba.njit(inline="always")
def keep(left: int, right: int, seed: np.uint32, threshold: np.uint32) -> np.bool_:
    """Whether the edge (left, right) survives a dropout; the same answer in both directions.

    A 32-bit mix of the two rows and the seed: uniform enough for dropout, free of state, and no
    mask has to be stored or transposed.
    """
    x = np.uint32(left) * np.uint32(0x9E3779B1)
    x ^= np.uint32(right) * np.uint32(0x85EBCA77)
    x = np.uint32(x + np.uint32(seed))
    x ^= x >> np.uint32(16)
    x = np.uint32(x * np.uint32(0x7FEB352D))
    x ^= x >> np.uint32(15)
    x = np.uint32(x * np.uint32(0x846CA68B))
    x ^= x >> np.uint32(16)
    return x >= np.uint32(threshold)


@numba.njit(**_JIT)
def scaled_sum_rows(
    indptr: Pointers,
    indices: Pointers,
    row_scale: Floats,
    col_scale: Floats,
    x: Floats,
    out: Floats,
) -> None:
    """out[r] = row_scale[r] * sum over row r of col_scale[c] * x[c]; x [n_cols, dim]."""
    dim = x.shape[1]
    for r in numba.prange(out.shape[0]):
        row = out[r]
        for d in range(dim):
            row[d] = 0.0
        scale = row_scale[r]
        for e in range(indptr[r], indptr[r + 1]):
            source = x[indices[e]]
            weight = scale * col_scale[indices[e]]
            for d in range(dim):
                row[d] += weight * source[d]


@numba.njit(**_JIT)
def scaled_sum_rows_dropped(
    indptr: Pointers,
    indices: Pointers,
    row_scale: Floats,
    col_scale: Floats,
    x: Floats,
    out: Floats,
    seed: np.uint32,
    threshold: np.uint32,
    flip: bool,
) -> None:
    """As scaled_sum_rows over the edges that keep lets through; flip: transposed direction."""
    dim = x.shape[1]
    for r in numba.prange(out.shape[0]):
        row = out[r]
        for d in range(dim):
            row[d] = 0.0
        scale = row_scale[r]
        for e in range(indptr[r], indptr[r + 1]):
            c = indices[e]
            kept = keep(c, r, seed, threshold) if flip else keep(r, c, seed, threshold)
            if kept:
                source = x[c]
                weight = scale * col_scale[c]
                for d in range(dim):
                    row[d] += weight * source[d]


@numba.njit(**_JIT)
def weighted_sum_rows(
    indptr: Pointers, indices: Pointers, values: Floats, x: Floats, out: Floats
) -> None:
    """out[r] = sum of values * x[indices] over row r, for neighbour graphs."""
    dim = x.shape[1]
    for r in numba.prange(out.shape[0]):
        row = out[r]
        for d in range(dim):
            row[d] = 0.0
        for e in range(indptr[r], indptr[r + 1]):
            source = x[indices[e]]
            weight = values[e]
            for d in range(dim):
                row[d] += weight * source[d]


@numba.njit(**_JIT)
def row_products(a: Floats, b: Floats, out: Floats) -> None:
    """out[r] = a[r] . b[r]; a and b [n, dim]."""
    for r in numba.prange(out.shape[0]):
        total = np.float32(0.0)
        for d in range(a.shape[1]):
            total += a[r, d] * b[r, d]
        out[r] = total


@numba.njit(fastmath=True, cache=True, nogil=True, boundscheck=False)
def add_rows(rows: NDArray[np.int64], given: Floats, out: Floats) -> None:
    """out[rows[n]] += given[n], in order; given [n, dim]."""
    for n in range(rows.shape[0]):
        row = out[rows[n]]
        for d in range(given.shape[1]):
            row[d] += given[n, d]


@numba.njit(cache=True, nogil=True, boundscheck=False)
def entries_to_keep(
    indptr: Pointers,
    indices: Pointers,
    keep: NDArray[np.bool_],
    left_indptr: Pointers,
    left_indices: Pointers,
) -> None:
    """Structure of a matrix whose other entries are taken out; left_indices [n_kept]."""
    n = 0
    for r in range(indptr.shape[0] - 1):
        left_indptr[r] = n
        for e in range(indptr[r], indptr[r + 1]):
            if keep[e]:
                left_indices[n] = indices[e]
                n += 1
    left_indptr[indptr.shape[0] - 1] = n


@numba.njit(**_JIT)
def add_shared(scale: Floats, shared: Floats, own: Floats, factor: np.float32, out: Floats) -> None:
    """out[r] += scale[r] * shared + factor * own[r]; without rows of ``own`` the first alone."""
    for r in numba.prange(out.shape[0]):
        row, weight = out[r], scale[r]
        if own.shape[0] > 0:
            for d in range(row.shape[0]):
                row[d] += weight * shared[d] + factor * own[r, d]
        else:
            for d in range(row.shape[0]):
                row[d] += weight * shared[d]


@numba.njit(**_JIT)
def shared_gradients(
    scale: Floats,
    own: Floats,
    factor: np.float32,
    flow: Floats,
    of_shared: Floats,
    of_factor: Floats,
    of_own: Floats,
) -> None:
    """Gradients of ``add_shared`` from that of its out, ``flow``: sums by pieces of the rows.

    of_shared [n_pieces, dim] = sum scale[r] flow[r], of_factor [n_pieces] = sum own[r] . flow[r],
    of_own [n, dim] = factor flow, the last two where ``own`` has rows.
    """
    n, pieces = flow.shape[0], of_shared.shape[0]
    for piece in numba.prange(pieces):
        total, dot = of_shared[piece], np.float32(0.0)
        for d in range(total.shape[0]):
            total[d] = 0.0
        for r in range(n * piece // pieces, n * (piece + 1) // pieces):
            row, weight = flow[r], scale[r]
            for d in range(row.shape[0]):
                total[d] += weight * row[d]
            if own.shape[0] > 0:
                for d in range(row.shape[0]):
                    dot += own[r, d] * row[d]
                    of_own[r, d] = factor * row[d]
        of_factor[piece] = dot
