"""Selecting the best of what was scored: block by block of users, or of items for all users."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.compiled import keep_top, sort_top
from micrec_core.evaluation.parallel import map_pieces


class Kept(NamedTuple):
    """The best items met so far: rows [n, k], their scores [n, k], and how many [n]."""

    rows: NDArray[np.int32]
    values: NDArray[np.floating]
    sizes: NDArray[np.int64]

    @staticmethod
    def none(rows: NDArray[np.int32], dtype: np.dtype[Any]) -> Kept:
        """Nothing yet; what will be is put into ``rows``."""
        return Kept(rows, np.full(rows.shape, -np.inf, dtype), np.zeros(len(rows), np.int64))

    def of(self, piece: slice) -> Kept:
        """Of some users, the same memory."""
        return Kept(self.rows[piece], self.values[piece], self.sizes[piece])


@dataclass(frozen=True)
class Selection:
    """What the selection kernel needs beside the scores: the mask's arrays and the candidates."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    masked: bool
    allowed: NDArray[np.bool_]
    k: int
    threads: int

    @staticmethod
    def of(
        mask: sparse.csr_matrix | None, candidates: NDArray[np.bool_] | None, k: int, threads: int
    ) -> Selection:
        empty = (np.zeros(2, np.int64), np.zeros(0, np.int32))
        indptr, indices = empty if mask is None else sorted_rows(mask)
        allowed = np.zeros(0, dtype=bool) if candidates is None else candidates
        return Selection(
            indptr=np.ascontiguousarray(indptr, dtype=np.int64),
            indices=np.ascontiguousarray(indices, dtype=np.int32),
            masked=mask is not None,
            allowed=np.ascontiguousarray(allowed, dtype=bool),
            k=k,
            threads=threads,
        )

    def apply(
        self, block: NDArray[np.floating], rows: NDArray[np.int64], out: NDArray[np.int32]
    ) -> NDArray[np.floating]:
        """Put the best k of each row of ``block`` into ``out``, and give their scores [b, k].

        ``rows``: users of the block in the mask.
        """
        kept = Kept.none(out, block.dtype)
        threads = min(self.threads, max(1, len(block) // 64))
        bounds = np.linspace(0, len(block), threads + 1).astype(np.int64)

        def work(part: tuple[int, int]) -> None:
            self.keep(block, rows, 0, kept, *part)
            sort_top(*part, *kept)

        map_pieces(work, itertools.pairwise(bounds))
        return kept.values

    def keep(
        self,
        block: NDArray[np.floating],
        rows: NDArray[np.int64],
        begin: int,
        kept: Kept,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        """Keep the best of a block of items from row ``begin`` on, beside those kept before."""
        mask_rows = rows if self.masked else np.zeros(len(rows), dtype=np.int64)
        mask = mask_rows, self.indptr, self.indices
        end = len(block) if last is None else last
        keep_top(block, first, end, begin, *mask, self.allowed, *kept)


def sorted_rows(matrix: sparse.csr_matrix) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """indptr and indices of the stored non-zero entries, each row sorted and without duplicates.

    The matrix itself is left as it is.
    """
    csr = sparse.csr_matrix(matrix)
    if not csr.has_canonical_format or np.any(csr.data == 0):
        csr = csr.copy()
        csr.sum_duplicates()
        csr.eliminate_zeros()
    return csr.indptr, csr.indices
