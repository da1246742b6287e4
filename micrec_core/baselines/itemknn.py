"""Item neighbours by co-occurrence (Sarwar et al., WWW 2001; Deshpande and Karypis, TOIS 2004).

    S_ij = C_ij / (sqrt(d_i d_j) + shrink),  C = X^T X,  score(u, i) = sum over j in N_u of S_ij

j running over the ``nearest`` items most similar to i. Options: ``nearest``, ``shrink`` (the
regularised cosine of Ferrari Dacrema et al., RecSys 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import ClosedForm, Option
from micrec_core.method.knowledge import Knowledge

_BLOCK = 2048


class ItemKNN(ClosedForm):
    """Cosine of co-occurrence, the nearest items of each item."""

    family = "plain"
    options: ClassVar[tuple[Option, ...]] = (
        Option("nearest", 100, 1, 10_000),
        Option("shrink", 0, 0, 1e6),
    )
    grid = ({}, {"shrink": 10}, {"nearest": 500}, {"nearest": 20})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Similarities of each domain, CSC [n_items, n_items], in blocks of items."""
        nearest = int(self.settings.options["nearest"])
        shrink = self.settings.options["shrink"]
        self.similar = [similarities(d.train, nearest, shrink) for d in knowledge.domains]

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Sums of similarities to what was taken."""
        return np.asarray((taken[d] @ self.similar[d]).toarray(), np.float32)

    @property
    def n_learned(self) -> int:
        return int(sum(s.nnz for s in self.similar))


def similarities(train: sparse.csr_matrix, nearest: int, shrink: float) -> sparse.csc_matrix:
    """S with the ``nearest`` largest entries of each column i: CSC."""
    x = sparse.csc_matrix(train, dtype=np.float64)
    length = np.sqrt(np.asarray(x.sum(axis=0)).ravel())

    def cosine(both: NDArray, j: NDArray, i: int) -> NDArray:
        found: NDArray = both / (length[j] * length[i] + shrink)
        return found

    return most_similar(x.T, x, nearest, cosine)


def most_similar(
    left: sparse.spmatrix,
    right: sparse.csc_matrix,
    nearest: int,
    weigh: Callable[[NDArray, NDArray, int], NDArray] = lambda found, j, i: found,
) -> sparse.csc_matrix:
    """The ``nearest`` largest positive entries of each column i of ``left @ right``, no diagonal.

    Parameters
    ----------
    left, right : [n, m] and [m, n]; the product is made block of columns by block
    weigh : of entries [k] of column i and their rows j [k], what they are compared and kept by

    Returns
    -------
    CSC float32 [n, n]; of equal entries those in lower rows
    """
    n_items, left = right.shape[1], sparse.csr_matrix(left)
    rows, values, counts = [], [], np.zeros(n_items, np.int64)
    for start in range(0, n_items, _BLOCK):
        block = sparse.csc_matrix(left @ right[:, start : start + _BLOCK])
        for place in range(block.shape[1]):
            span = slice(block.indptr[place], block.indptr[place + 1])
            others = block.indices[span]
            found = weigh(block.data[span], others, start + place)
            found = np.where(others == start + place, 0.0, found)
            best = np.lexsort((others, -found))[:nearest]
            best = best[found[best] > 0]
            rows.append(others[best])
            values.append(found[best])
            counts[start + place] = len(best)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data = np.concatenate(values).astype(np.float32)
    return sparse.csc_matrix((data, np.concatenate(rows), indptr), shape=(n_items, n_items))
