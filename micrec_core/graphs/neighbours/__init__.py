"""Neighbours that were found, and how rows are made ready to be compared by cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

Features: TypeAlias = NDArray[np.float32] | csr_matrix

# A profile mixes the words of many items; the weak ones cost most of the time (they are the
# common ones) and hardly move a cosine.
STRONGEST_TERMS = 64


@dataclass(frozen=True)
class Neighbours:
    """``rows`` int32 [n, k], -1 where there is none; ``similarity`` float32 [n, k], 0 there.

    ``recall``: share of the true neighbours that were found, measured on a sample; 1 where exact.
    """

    rows: NDArray[np.int32]
    similarity: NDArray[np.float32]
    recall: float = 1.0

    @staticmethod
    def none(n: int, k: int) -> Neighbours:
        """Of ``n`` rows, to be filled in: nothing was found yet."""
        return Neighbours(np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def weights(self, temperature: float) -> NDArray[np.float32]:
        """Softmax of similarity / temperature over each row's neighbours: rows sum to 1 or 0."""
        there = self.rows >= 0
        peak = np.max(self.similarity, axis=1, keepdims=True, initial=0.0)
        weights = np.where(there, np.exp((self.similarity - peak) / temperature), 0.0)
        total = weights.sum(axis=1, keepdims=True)
        shares: NDArray[np.float32] = (weights / np.maximum(total, 1e-12)).astype(np.float32)
        return shares

    def density(self) -> NDArray[np.float32]:
        """Mean cosine to the neighbours there are, 0 without any: float32 [n]."""
        counts = (self.rows >= 0).sum(axis=1)
        mean = self.similarity.sum(axis=1) / np.maximum(counts, 1)
        return np.asarray(mean, np.float32)


def strongest(matrix: csr_matrix, n_terms: int = STRONGEST_TERMS) -> csr_matrix:
    """Each row's ``n_terms`` largest entries, rows L2-normalised again."""
    # In the order of columns, so that ties at the cut fall alike however the rows were summed.
    matrix = csr_matrix(matrix, dtype=np.float32).sorted_indices()
    keep = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > n_terms):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        order = np.argsort(-matrix.data[entries], kind="stable")
        keep[entries][order[n_terms:]] = False
    kept = np.concatenate([[0], np.cumsum(keep)])
    parts = matrix.data[keep], matrix.indices[keep], kept[matrix.indptr]
    return normalise_rows(csr_matrix(parts, shape=matrix.shape))


def normalise_rows(matrix: Features, least: float = 1e-12) -> Features:
    """Rows scaled to length 1; zero rows stay zero, and dense ones of at most the ``least`` length
    become so.
    """
    if not isinstance(matrix, np.ndarray):
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        return (sparse.diags(scale) @ matrix).tocsr().astype(np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, norms, out=np.zeros_like(matrix), where=norms > least)
