"""EASE^R: a linear autoencoder without a diagonal (Steck, WWW 2019).

    P = (X^T X + penalty I)^-1,  B_ij = -P_ij / P_jj,  B_ii = 0,  score(u, .) = X_u B

Closed form, no gradient. Cost: for n items with train interactions n^3 multiply-adds (Cholesky
and inverse) and 4 n^2 bytes once, for both happen in the array of the Gram matrix: 3.1 GB at
27,637 items, 6.2 GB at the peak, when the matrix is mirrored; a few minutes on two cores. Items
without train interactions are left out, as the formula gives them zero rows and columns.
Option: ``penalty``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from micrec_core.baselines.contract import ClosedForm, Option
from micrec_core.errors import ConfigError
from micrec_core.method.knowledge import DomainKnowledge, Knowledge

_BLOCK = 4096


class Ease(ClosedForm):
    """One dense item-to-item matrix per domain, float32."""

    family = "plain"
    options: ClassVar[tuple[Option, ...]] = (Option("penalty", 200, 1e-3, 1e9),)
    grid = ({}, {"penalty": 100}, {"penalty": 1000}, {"penalty": 20})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Weights of each domain between the items that were taken at all."""
        penalty = self.settings.options["penalty"]
        self.kept = [np.flatnonzero(part.item_degree) for part in knowledge.domains]
        on_gpu = torch.device(device).type == "cuda"
        self.weights = []
        for part, kept in zip(knowledge.domains, self.kept, strict=True):
            gram = gram_matrix(self.rows(part, kept), penalty)
            self.weights.append(weights(_inverse_torch(gram, device) if on_gpu else inverse(gram)))

    def rows(self, part: DomainKnowledge, kept: NDArray[np.integer]) -> sparse.csc_matrix:
        """X, [n_users, n_kept]."""
        return sparse.csc_matrix(part.train[:, kept])

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """X_u B; 0 for items without train interactions."""
        kept = self.kept[d]
        out = np.zeros(taken[d].shape, np.float32)
        out[:, kept] = sparse.csr_matrix(taken[d][:, kept], dtype=np.float32) @ self.weights[d]
        return out

    @property
    def n_learned(self) -> int:
        return int(sum(len(k) * (len(k) - 1) for k in self.kept))


def gram_matrix(train: sparse.csc_matrix, penalty: float) -> NDArray[np.float32]:
    """X^T X + penalty I, dense float32 [n, n], filled in blocks."""
    n = train.shape[1]
    out = np.empty((n, n), np.float32)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        out[start:stop] = (train[:, start:stop].T @ train).toarray()
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
        raise ConfigError("ease cannot be solved with so low a penalty; raise its option 'penalty'")
    # Only the lower triangle was computed: mirror it, block by block.
    n = len(found)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        found[start:stop, stop:] = found[stop:, start:stop].T
        own = np.tril(found[start:stop, start:stop])
        found[start:stop, start:stop] = own + np.tril(own, -1).T
    return found.T


def _inverse_torch(gram: NDArray[np.float32], device: str | torch.device) -> NDArray[np.float32]:
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram).to(device))
    if failed:
        raise ConfigError("ease cannot be solved with so low a penalty; raise its option 'penalty'")
    return torch.cholesky_inverse(factor).cpu().numpy()


def weights(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """B from P, in its place."""
    diagonal = np.diagonal(p).copy()
    p /= -diagonal[None, :]
    np.fill_diagonal(p, 0.0)
    return p
