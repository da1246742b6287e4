"""What foretells which item, all else that was taken being equal: a sparse linear regression.

    B = argmin |X - [X X_o] B|^2 + penalty |B|^2,   an item's weight for itself 0

X [n_users, n] are a domain's binary train interactions, X_o [n_users, n_other] the same users' in
the other domains. With P = ([X X_o]^T [X X_o] + penalty I)^-1 that is B_ij = -P_ij / P_jj: EASE
(Steck, WWW 2019, equations 6 to 8), over all domains at once. Up to ``EXACT`` items it is solved
whole and the ``KEPT`` weights of each item that are furthest from 0 stay. Beyond, each item is
solved for by the ``CANDIDATES`` items that it was most often taken together with, as fsSLIM selects
them (Ning and Karypis, ICDM 2011, section IV-C): its cost grows in proportion to the items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse import csc_matrix, csr_matrix

from micrec_core.errors import ConfigError

EXACT = 4000
KEPT = 400
CANDIDATES = 100
TOO_LOW = "the regression cannot be solved with so low a penalty; raise the option 'penalty'"
_BLOCK = 4096


def regression(train: csr_matrix, elsewhere: csr_matrix, penalty: float) -> csr_matrix:
    """B, CSR float64 [n + n_other, n], of numbers that float32 can hold.

    Items that nobody took have neither a row nor a column.

    Parameters
    ----------
    train, elsewhere : X and X_o; X_o of no columns where there is no other domain

    Raises
    ------
    ConfigError
        The penalty is too low for the regression to be solved.
    """
    both = csc_matrix(sparse.hstack([train, elsewhere]), dtype=np.float32)
    n = train.shape[1]
    if np.count_nonzero(np.diff(both.indptr)) <= EXACT:
        found = _whole(both, n, penalty)
    else:
        found = _among_candidates(both, n, penalty)
    return csr_matrix(found.astype(np.float32), dtype=np.float64)


def _whole(both: csc_matrix, n: int, penalty: float) -> csr_matrix:
    kept = np.flatnonzero(np.diff(both.indptr))
    found = weights(inverse(gram_matrix(csc_matrix(both[:, kept]), penalty)))
    out = np.zeros((both.shape[1], n), np.float32)
    here = kept < n
    out[np.ix_(kept, kept[here])] = found[:, here]
    if len(out) > KEPT:
        least = -np.partition(-np.abs(out), KEPT - 1, axis=0)[KEPT - 1]
        out[np.abs(out) < least] = 0.0
    return csr_matrix(out)


def _among_candidates(both: csc_matrix, n: int, penalty: float) -> csr_matrix:
    gram = csr_matrix(both.T @ both, dtype=np.float64)
    gram.sort_indices()
    rows, values = [], []
    for item in range(n):
        some = slice(gram.indptr[item], gram.indptr[item + 1])
        taken, counts = gram.indices[some], gram.data[some]
        other = taken != item
        taken, counts = taken[other], counts[other]
        if len(taken) > CANDIDATES:
            # In a stable order, so that ties at the cut fall alike everywhere.
            best = np.sort(np.argsort(-counts, kind="stable")[:CANDIDATES])
            taken, counts = taken[best], counts[best]
        among = gram[taken][:, taken].toarray()
        among[np.diag_indices(len(taken))] += penalty
        rows.append(taken)
        values.append(np.linalg.solve(among, counts))
    ends = np.cumsum([0, *map(len, rows)])
    found = csc_matrix((np.concatenate(values), np.concatenate(rows), ends), (both.shape[1], n))
    return csr_matrix(found)


def gram_matrix(taken: csc_matrix, penalty: float) -> NDArray[np.float32]:
    """X^T X + penalty I, dense float32 [n, n], filled in blocks."""
    n = taken.shape[1]
    out = np.empty((n, n), np.float32)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        out[start:stop] = (taken[:, start:stop].T @ taken).toarray()
    out[np.diag_indices(n)] += penalty
    return out


def inverse(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of a symmetric positive definite matrix, in its place.

    Raises
    ------
    ConfigError
        It is not positive definite in float32.
    """
    # A symmetric matrix in rows is itself in columns, as LAPACK wants it: no copy.
    factor, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1, clean=0)
    found, failed_too = (factor, 1) if failed else lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ConfigError(TOO_LOW)
    # Only the lower triangle was computed: mirror it, block by block.
    n = len(found)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        found[start:stop, stop:] = found[stop:, start:stop].T
        own = np.tril(found[start:stop, start:stop])
        found[start:stop, start:stop] = own + np.tril(own, -1).T
    whole: NDArray[np.float32] = found.T
    return whole


def weights(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """B from P, in its place."""
    diagonal = np.diagonal(p).copy()
    p /= -diagonal[None, :]
    np.fill_diagonal(p, 0.0)
    return p
