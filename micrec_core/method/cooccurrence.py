"""BM25 weights of interactions (Robertson et al., TREC-3, 1994), users as documents of items.

    w_ui = idf_i (k1 + 1) / (k1 (1 - b + b d_u / mean d) + 1),   idf_i = ln(n_users) - ln(1 + d_i)

W^T W says how much two items were taken together, users who take everything and items that all
take counting less.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

K1, B = 0.5, 0.3


def bm25_weights(train: sparse.csr_matrix, k1: float = K1, b: float = B) -> sparse.csc_matrix:
    """W, CSC [n_users, n_items], of binary train interactions."""
    x = sparse.csr_matrix(train, dtype=np.float64)
    degree = np.diff(x.indptr)
    of_users = (k1 + 1) / (k1 * (1 - b + b * degree / max(degree.mean(), 1e-12)) + 1)
    idf = np.log(x.shape[0]) - np.log1p(np.asarray(x.sum(axis=0)).ravel())
    return sparse.csc_matrix(sparse.diags(of_users) @ x @ sparse.diags(idf))
