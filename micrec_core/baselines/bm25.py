"""Item neighbours by BM25-weighted co-occurrence (Robertson et al., TREC-3, 1994).

    w_ui = idf_i (k1 + 1) / (k1 (1 - b + b d_u / mean d) + 1),   idf_i = ln(n_users) - ln(1 + d_i)
    S = W^T W,   score(u, i) = sum over j in N_u of S_ji

j running over the ``nearest`` items most similar to i; users are documents and items their terms,
as in the public library ``implicit``. Options: ``nearest``, ``k1``, ``b``.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from micrec_core.baselines.contract import Option
from micrec_core.baselines.itemknn import ItemKNN, most_similar
from micrec_core.method.knowledge import Knowledge


class Bm25(ItemKNN):
    """Products of weighted columns, the nearest items of each item."""

    options = (
        Option("nearest", 500, 1, 10_000),
        Option("k1", 0.5, 0, 1000),
        Option("b", 0.3, 0, 1),
    )
    grid = ({}, {"k1": 1.2, "b": 0.75}, {"nearest": 50}, {"k1": 0.1, "b": 1})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Similarities of each domain, CSC [n_items, n_items]."""
        told = self.settings.options
        self.similar = []
        for part in knowledge.domains:
            w = weighted(part.train, told["k1"], told["b"])
            self.similar.append(most_similar(w.T, w, int(told["nearest"])))


def weighted(train: sparse.csr_matrix, k1: float, b: float) -> sparse.csc_matrix:
    """W, CSC [n_users, n_items]."""
    x = sparse.csr_matrix(train, dtype=np.float64)
    degree = np.diff(x.indptr)
    of_users = (k1 + 1) / (k1 * (1 - b + b * degree / max(degree.mean(), 1e-12)) + 1)
    idf = np.log(x.shape[0]) - np.log1p(np.asarray(x.sum(axis=0)).ravel())
    return sparse.csc_matrix(sparse.diags(of_users) @ x @ sparse.diags(idf))
