"""Made-up inputs of stated sizes, the same each time: interactions and sparse profiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Exponents of the power laws by which users and items get interactions; about as uneven as the
# interactions of Amazon's grocery and kitchen categories.
USER_SKEW, ITEM_SKEW = 0.5, 0.8


def interactions(n_users: int, n_items: int, n_edges: int, seed: int = 0) -> sparse.csr_matrix:
    """Binary CSR float32 [n_users, n_items] with exactly ``n_edges`` entries, unevenly spread."""
    rng = np.random.default_rng(seed)
    users, items = _shares(rng, n_users, USER_SKEW), _shares(rng, n_items, ITEM_SKEW)
    keys = np.zeros(0, np.int64)
    while len(keys) < n_edges:
        u = rng.choice(n_users, n_edges, p=users)
        i = rng.choice(n_items, n_edges, p=items)
        keys = np.union1d(keys, u * n_items + i)
    keys = rng.permutation(keys)[:n_edges]
    ones = np.ones(n_edges, np.float32)
    return sparse.csr_matrix((ones, (keys // n_items, keys % n_items)), shape=(n_users, n_items))


def _shares(rng: np.random.Generator, n: int, skew: float) -> NDArray[np.float64]:
    shares = (rng.permutation(n) + 10.0) ** -skew
    return shares / shares.sum()


def documents(n: int, vocabulary: int, terms: int, seed: int = 0) -> sparse.csr_matrix:
    """CSR float32 [n, vocabulary], rows of length 1 with about ``terms`` entries.

    Terms follow Zipf's law and weigh more the rarer they are, as TF-IDF weighs them.
    """
    rng = np.random.default_rng(seed)
    share = (np.arange(vocabulary) + 5.0) ** -0.9
    share /= share.sum()
    columns = rng.choice(vocabulary, n * terms, p=share)
    rows = np.repeat(np.arange(n), terms)
    weights = -np.log(share[columns]) * rng.uniform(0.5, 1.5, len(columns))
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(n, vocabulary))
    matrix.sum_duplicates()
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1.0 / norms) @ matrix, dtype=np.float32)


def vectors(n: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Standard normal float32 [n, dim]."""
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)
