"""EASE^R: a linear autoencoder without a diagonal (Steck, WWW 2019).

    P = (X^T X + penalty I)^-1,  B_ij = -P_ij / P_jj,  B_ii = 0,  score(u, .) = X_u B

Closed form, no gradient. Cost: for n items with train interactions n^3 multiply-adds (Cholesky
and inverse) and 4 n^2 bytes once, for both happen in the array of the Gram matrix: 3.1 GB at
27,637 items, 6.2 GB at the peak, when the matrix is mirrored; a few minutes on two cores. Items
without train interactions are left out, as the formula gives them zero rows and columns.
``ease-joint`` regresses a domain's items on those of all domains, whose rows are the domain's users
with what they took elsewhere: n is then the items of all domains. Option: ``penalty``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm, Option
from micrec_core.errors import ConfigError
from micrec_core.method.knowledge import DomainKnowledge, Knowledge
from micrec_core.method.regression import TOO_LOW, gram_matrix, inverse, weights
from micrec_core.method.taken import Taken, taken_elsewhere


class Ease(ClosedForm):
    """One dense item-to-item matrix per domain, float32."""

    family = "plain"
    options: ClassVar[tuple[Option, ...]] = (Option("penalty", 200, 1e-3, 1e9),)
    grid = ({}, {"penalty": 100}, {"penalty": 1000}, {"penalty": 20})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Weights of each domain between the items that were taken at all."""
        penalty = self.settings.options["penalty"]
        self.kept = [np.flatnonzero(part.item_degree) for part in knowledge.domains]
        self.weights = []
        for part, kept in zip(knowledge.domains, self.kept, strict=True):
            self.weights.append(solved(self.rows(part, kept), penalty, device))

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


class EaseJoint(ClosedForm):
    """EASE of each domain on the items of all."""

    family = "cross-domain"
    options = (Option("penalty", 500, 1e-3, 1e9),)
    grid = ({}, {"penalty": 200}, {"penalty": 2000}, {"penalty": 50})
    answers = KNOWN | {"new-users", "cold-domain"}
    uses_overlap = True

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Weights to each domain's items from those of all domains that its users took."""
        trains = [part.train for part in knowledge.domains]
        self.kept, self.weights = [], []
        for d, train in enumerate(trains):
            there = taken_elsewhere(trains, knowledge.links, d)
            rows = sparse.csc_matrix(sparse.hstack([train, there]), dtype=np.float32)
            kept = np.flatnonzero(np.diff(rows.indptr))
            found = solved(rows[:, kept], self.settings.options["penalty"], device)
            self.kept.append(kept)
            self.weights.append(np.ascontiguousarray(found[:, kept < train.shape[1]]))

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """[X_u X_o] B; 0 for items without train interactions."""
        here, elsewhere = Taken.of(taken, d)
        kept, n = self.kept[d], taken[d].shape[1]
        out = np.zeros(taken[d].shape, np.float32)
        rows = sparse.csr_matrix(sparse.hstack([here, elsewhere]), dtype=np.float32)
        out[:, kept[kept < n]] = sparse.csr_matrix(rows[:, kept]) @ self.weights[d]
        return out

    @property
    def n_learned(self) -> int:
        return int(sum(w.size - w.shape[1] for w in self.weights))


def solved(
    rows: sparse.csc_matrix, penalty: float, device: str | torch.device
) -> NDArray[np.float32]:
    """B, dense [n, n], of interactions [n_users, n]."""
    gram = gram_matrix(rows, penalty)
    on_gpu = torch.device(device).type == "cuda"
    return weights(_inverse_torch(gram, device) if on_gpu else inverse(gram))


def _inverse_torch(gram: NDArray[np.float32], device: str | torch.device) -> NDArray[np.float32]:
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(gram).to(device))
    if failed:
        raise ConfigError(TOO_LOW)
    return torch.cholesky_inverse(factor).cpu().numpy()
