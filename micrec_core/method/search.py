"""Neighbours of one query among the users or items of a domain, and the top of a score list.

One query at a time and plain NumPy: no parallel kernel is started, so threads may ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.features import CANCELLED, FeatureMatrix
from micrec_core.graphs.neighbours import STRONGEST_TERMS, Features
from micrec_core.graphs.vector import walk

Floats: TypeAlias = NDArray[np.float32]

# Scores of which the best is taken first, where there are many.
_TOGETHER = 256


@dataclass(frozen=True)
class Query:
    """One vector in both views of a modality.

    Attributes
    ----------
    dense : float64 [dim], not normalised
    terms, values : columns and float32 entries of the sparse view, or None where there is none
    """

    dense: NDArray[np.float64]
    terms: NDArray[np.int64] | None = None
    values: Floats | None = None

    @staticmethod
    def of(matrix: FeatureMatrix) -> Query:
        """The only row of a matrix."""
        dense = matrix.dense[0].astype(np.float64)
        if matrix.sparse is None:
            return Query(dense)
        rows = matrix.sparse
        return Query(dense, rows.indices.astype(np.int64), rows.data.astype(np.float32))

    def normalised(self, n_terms: int | None = None) -> Query:
        """Both views of length 1 (zero stays zero), the sparse one cut to its strongest terms."""
        length = float(np.linalg.norm(self.dense))
        dense = self.dense / length if length > CANCELLED else np.zeros_like(self.dense)
        terms, values = self.terms, self.values
        if terms is None or values is None:
            return Query(dense)
        if n_terms is not None and len(terms) > n_terms:
            best = np.sort(np.argsort(-values, kind="stable")[:n_terms])
            terms, values = terms[best], values[best]
        norm = float(np.linalg.norm(values))
        return Query(dense, terms, (values / norm if norm > 0 else values).astype(np.float32))

    def cosine(self, other: Query) -> float:
        """Of two normalised queries, in the view that neighbours are found in."""
        if self.terms is None or self.values is None:
            return float(self.dense @ other.dense)
        if other.terms is None or other.values is None:
            return 0.0
        _, here, there = np.intersect1d(
            self.terms, other.terms, assume_unique=True, return_indices=True
        )
        return float(self.values[here] @ other.values[there])

    def as_profile(self) -> Query:
        """As users are searched: normalised, the strongest terms only."""
        return self.normalised(STRONGEST_TERMS)


class Index:
    """Cosines of a query with every row of a space.

    Parameters
    ----------
    space : rows L2-normalised or zero, dense [n, dim] or CSR [n, vocabulary]
    """

    def __init__(self, space: Features):
        self.n = space.shape[0]
        self._space = space if isinstance(space, np.ndarray) else sparse.csc_matrix(space)

    def cosines(self, query: Query) -> Floats:
        """float32 [n]; 0 where the two share nothing."""
        space = self._space
        if isinstance(space, np.ndarray):
            return space @ query.dense.astype(np.float32)
        scores = np.zeros(self.n, np.float32)
        pointers, rows, data = space.indptr, space.indices, space.data
        if query.terms is None or query.values is None:
            return scores
        kernel = walk()
        if kernel is not None:
            kernel.add_lists(space, query.terms, query.values, scores)
            return scores
        for term, value in zip(query.terms.tolist(), query.values, strict=True):
            start, stop = pointers[term], pointers[term + 1]
            scores[rows[start:stop]] += value * data[start:stop]
        return scores

    def nearest(
        self, query: Query, k: int, ok: NDArray[np.bool_] | None = None, without: int = -1
    ) -> tuple[NDArray[np.int64], Floats]:
        """Rows and cosines of the at most ``k`` nearest with a positive cosine, best first."""
        scores = self.cosines(query)
        if ok is not None:
            scores = np.where(ok, scores, 0.0)
        if without >= 0:
            scores[without] = 0.0
        rows = top_rows(scores, k)
        rows = rows[scores[rows] > 0]
        return rows, scores[rows]


def top_rows(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The ``k`` rows of the highest scores, best first, ties by lower row; minus infinity never."""
    n = len(scores)
    if k < 1:
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(scores >= _reached(scores, k)) if k < n else np.arange(n)
    rows = rows[scores[rows] > -np.inf]
    return rows[np.argsort(-scores[rows], kind="stable")][:k]


def _reached(scores: NDArray[np.floating], k: int) -> np.floating:
    """A score that at least ``k`` reach, and of many scores few more."""
    some = len(scores) // _TOGETHER
    if some >= 4 * k:
        # The best of so many each, which is quicker found than the best of all.
        scores = scores[: some * _TOGETHER].reshape(some, _TOGETHER).max(axis=1)
    least: np.floating = np.partition(scores, len(scores) - k)[len(scores) - k]
    return least


def softmax_weights(similarity: Floats, temperature: float) -> NDArray[np.float64]:
    """As ``Neighbours.weights`` for one list without gaps: sums to 1."""
    if not len(similarity):
        return np.zeros(0)
    weights: NDArray[np.float64] = np.exp(
        (similarity.astype(np.float64) - similarity.max()) / temperature
    )
    weights /= weights.sum()
    return weights


def repeated_rows(matrix: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first, later) rows of equal vectors: a product may round equal rows differently."""
    if not matrix.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # Adding zero turns -0 into +0, so that equal values are equal bytes.
    rows = np.ascontiguousarray(matrix + np.float32(0))
    # Few rows repeat: only those are compared whole whose bytes add up to the same number.
    words = rows.view(np.uint32).astype(np.uint64) if rows.shape[1] % 2 else rows.view(np.uint64)
    sums = words @ np.random.default_rng(0).integers(1, 2**64, words.shape[1], np.uint64)
    ordered = np.sort(sums)
    some = np.flatnonzero(np.isin(sums, ordered[1:][ordered[1:] == ordered[:-1]]))
    if not len(some):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    as_bytes = rows[some].view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, group = np.unique(as_bytes, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[group] != np.arange(len(some)))
    return some[first[group][later]], some[later]
