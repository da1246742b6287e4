"""Item neighbours by co-occurrence (Sarwar et al., WWW 2001; Deshpande and Karypis, TOIS 2004).

    S_ij = C_ij / (sqrt(d_i d_j) + shrink),  C = X^T X,  score(u, i) = sum over j in N_u of S_ij

j running over the ``nearest`` items most similar to i. Options: ``nearest``, ``shrink`` (the
regularised cosine of Ferrari Dacrema et al., RecSys 2019).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import ClosedForm, Option

_BLOCK = 2048


class ItemKNN(ClosedForm):
    """Cosine of co-occurrence, the nearest items of each item."""

    family = "plain"
    options = (Option("nearest", 100, 1, 10_000), Option("shrink", 0, 0, 1e6))
    grid = ({}, {"shrink": 10}, {"nearest": 500}, {"nearest": 20})

    def solve(self, trains: list[sparse.csr_matrix], device: str | torch.device = "cpu") -> None:
        """Similarities of each domain, CSC [n_items, n_items], in blocks of items."""
        nearest = int(self.settings.options["nearest"])
        shrink = self.settings.options["shrink"]
        self.similar = [similarities(train, nearest, shrink) for train in trains]

    def scores(self, d: int, taken: sparse.csr_matrix) -> NDArray[np.float32]:
        """Sums of similarities to what was taken."""
        return np.asarray((taken @ self.similar[d]).toarray(), np.float32)

    @property
    def n_learned(self) -> int:
        return int(sum(s.nnz for s in self.similar))


def similarities(train: sparse.csr_matrix, nearest: int, shrink: float) -> sparse.csc_matrix:
    """S with the ``nearest`` largest entries of each column i, ties by lower row: CSC."""
    x = sparse.csc_matrix(train, dtype=np.float64)
    length = np.sqrt(np.asarray(x.sum(axis=0)).ravel())
    n_items = x.shape[1]
    rows, values, counts = [], [], np.zeros(n_items, np.int64)
    for start in range(0, n_items, _BLOCK):
        block = sparse.csc_matrix(x.T @ x[:, start : start + _BLOCK])
        for place in range(block.shape[1]):
            span = slice(block.indptr[place], block.indptr[place + 1])
            others = block.indices[span]
            found = block.data[span] / (length[others] * length[start + place] + shrink)
            found[others == start + place] = 0.0
            best = np.lexsort((others, -found))[:nearest]
            best = best[found[best] > 0]
            rows.append(others[best])
            values.append(found[best])
            counts[start + place] = len(best)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data = np.concatenate(values).astype(np.float32)
    return sparse.csc_matrix((data, np.concatenate(rows), indptr), shape=(n_items, n_items))
