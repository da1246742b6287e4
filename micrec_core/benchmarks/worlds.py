"""Made-up inputs of stated sizes, the same each time: interactions and sparse profiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Exponents of the power laws by which users and items get interactions; about as uneven as the
# interactions of Amazon's grocery and kitchen categories.
USER_SKEW, ITEM_SKEW = 0.5, 0.8


def interactions(n_users: int, n_items: int, n_edges: int, seed: int = 0) -> sparse.csr_matrix:
    """Binary CSR float32 [n_users, n_items] with exactly ``n_edges`` entries, unevenly spread.

    Everyone and everything has one at least, where there are enough.
    """
    rng = np.random.default_rng(seed)
    user_shares, item_shares = _shares(rng, n_users, USER_SKEW), _shares(rng, n_items, ITEM_SKEW)

    def draw(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return rng.choice(n_users, n, p=user_shares), rng.choice(n_items, n, p=item_shares)

    keys = np.arange(n_users) * n_items + draw(n_users)[1]
    keys = np.union1d(keys, draw(n_items)[0] * n_items + np.arange(n_items))
    if len(keys) > n_edges:
        keys = rng.permutation(keys)[:n_edges]
    while len(keys) < n_edges:
        users, items = draw(n_edges)
        new = np.setdiff1d(users * n_items + items, keys)
        keys = np.concatenate([keys, rng.permutation(new)[: n_edges - len(keys)]])
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


def crowds(n: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors float32 [n, dim] around centres of uneven sizes, as features of pictures are."""
    n_crowds, latent = 400, 24
    rng = np.random.default_rng(seed)
    share = (np.arange(n_crowds) + 5.0) ** -0.8
    which = rng.choice(n_crowds, n, p=share / share.sum())
    inner = rng.standard_normal((n_crowds, latent))[which] + 0.6 * rng.standard_normal((n, latent))
    rows = inner @ rng.standard_normal((latent, dim)) / np.sqrt(latent)
    rows += 0.3 * rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
