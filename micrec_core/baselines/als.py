"""ALS: matrix factorisation of implicit feedback (Hu, Koren and Volinsky, ICDM 2008).

    min sum over u, i of c_ui (r_ui - x_u . y_i)^2 + regularisation (|X|^2 + |Y|^2)
    c_ui = 1 + alpha r_ui;  score(u, i) = x_u . y_i

over all pairs, r 1 where u took i and else 0. Each side is solved for with the other one fixed, and
whoever is asked about is solved for by what it took, in training or not. ``als-joint`` is one model
of all domains: an overlapping user is one row, the items of all domains are the columns, and who
took nothing in a domain is solved for by the rest.

With G = Y^T Y + regularisation I a row that took the items V [n, factors] of Y is, exactly::

    (G + alpha V^T V)^-1 (1 + alpha) V^T 1  =  (1 + alpha) G^-1 V^T (I + alpha V G^-1 V^T)^-1 1

whose right side costs n^2 factors instead of factors^3, and most take few: rows that took as many
are solved together. It starts at the singular vectors. Options: ``factors``, ``regularisation``,
``alpha``, ``rounds``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from micrec_core.baselines.cmf import people
from micrec_core.baselines.contract import KNOWN, ClosedForm, Option
from micrec_core.method.knowledge import Knowledge

Vectors = NDArray[np.float64]

# Numbers that are gathered at a time.
_BATCH = 1 << 22
# Smaller side up to which the singular vectors are exact.
_EXACT_SVD = 600
_SEED = 0


class Als(ClosedForm):
    """Factors of each domain's items."""

    family = "plain"
    options = (
        Option("factors", 128, 1, 1024),
        Option("regularisation", 30, 1e-6, 1e6),
        Option("alpha", 40, 0, 1e6),
        Option("rounds", 15, 1, 1000),
    )
    grid = ({}, {"alpha": 10}, {"regularisation": 100}, {"factors": 64})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Rounds of both sides."""
        self.sides = [self.fitted(part.train) for part in knowledge.domains]

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Users solved for, times items."""
        side = self.sides[d]
        return np.asarray(side.solve(taken[d]) @ side.vectors.T, np.float32)

    @property
    def n_learned(self) -> int:
        return sum(side.vectors.size for side in self.sides)

    def fitted(self, train: sparse.csr_matrix) -> Side:
        """The items of a domain."""
        told = self.settings.options
        alpha, regularisation = told["alpha"], told["regularisation"]
        items = Side(singular(train, int(told["factors"])), alpha, regularisation)
        columns = sparse.csr_matrix(train.T)
        for _ in range(int(told["rounds"])):
            users = Side(items.solve(train), alpha, regularisation)
            items = Side(users.solve(columns), alpha, regularisation)
        return items


class AlsJoint(Als):
    """Factors of the items of all domains together."""

    family = "cross-domain"
    answers = KNOWN | {"new-users", "cold-domain"}
    uses_overlap = True

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """As one domain."""
        trains = [part.train for part in knowledge.domains]
        person = people([train.shape[0] for train in trains], knowledge.links)
        n = 1 + max(int(rows.max()) for rows in person)
        blocks = []
        for rows, train in zip(person, trains, strict=True):
            where = (np.ones(len(rows), np.float32), (rows, np.arange(len(rows))))
            blocks.append(sparse.csr_matrix(where, (n, len(rows))) @ train)
        self.sides = [self.fitted(sparse.csr_matrix(sparse.hstack(blocks)))]
        self.ends = np.cumsum([0, *(train.shape[1] for train in trains)])

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Users solved for by all that they took."""
        side = self.sides[0]
        items = side.vectors[self.ends[d] : self.ends[d + 1]]
        users = side.solve(sparse.csr_matrix(sparse.hstack(taken)))
        return np.asarray(users @ items.T, np.float32)


class Side:
    """One side's vectors [n, factors], held fixed to solve for the other."""

    def __init__(self, vectors: Vectors, alpha: float, regularisation: float):
        self.vectors, self.alpha = vectors, alpha
        self.gram = vectors.T @ vectors + regularisation * np.eye(vectors.shape[1])
        self.divided = np.linalg.solve(self.gram, vectors.T).T

    def solve(self, taken: sparse.csr_matrix) -> Vectors:
        """Vectors [n_rows, factors] of binary rows [n_rows, n]; 0 of empty ones."""
        dim = self.vectors.shape[1]
        out = np.zeros((taken.shape[0], dim))
        counts = np.diff(taken.indptr)
        for count in np.unique(counts[counts > 0]):
            rows = np.flatnonzero(counts == count)
            for part in np.array_split(rows, -(-rows.size * int(count) * dim // _BATCH)):
                entries = taken.indptr[part][:, None] + np.arange(count)
                out[part] = self._solved(taken.indices[entries])
        return out

    def _solved(self, columns: NDArray[np.integer]) -> Vectors:
        """Of rows that took as many, int [b, count]."""
        mine, scale = self.vectors[columns], 1.0 + self.alpha
        if columns.shape[1] > mine.shape[2]:
            grams = self.gram + self.alpha * (mine.transpose(0, 2, 1) @ mine)
            return np.linalg.solve(grams, scale * mine.sum(1)[:, :, None])[:, :, 0]
        divided = self.divided[columns]
        inner = self.alpha * (mine @ divided.transpose(0, 2, 1)) + np.eye(columns.shape[1])
        shares = np.linalg.solve(inner, np.full((*columns.shape, 1), scale))
        return (divided.transpose(0, 2, 1) @ shares)[:, :, 0]


def singular(train: sparse.csr_matrix, factors: int) -> Vectors:
    """V sqrt(S) [n_items, factors] of the leading singular vectors; fewer where there are fewer."""
    factors = min(factors, *train.shape)
    if min(train.shape) <= _EXACT_SVD:
        _, s, v = np.linalg.svd(train.toarray().astype(np.float64), full_matrices=False)
    else:
        _, s, v = randomized_svd(train.astype(np.float64), factors, random_state=_SEED)
    return np.asarray(v[:factors].T * np.sqrt(s[:factors]))
