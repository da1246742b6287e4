"""What users took: in a domain, and in the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.method.profiles import Links


class Taken(NamedTuple):
    """What some users took: CSR [n_asked, n] here, and [n_asked, n_other] in other domains."""

    here: csr_matrix
    elsewhere: csr_matrix

    @staticmethod
    def of(taken: Sequence[csr_matrix], d: int) -> Taken:
        """From a matrix a domain, [n_asked, n_items there]."""
        others = [_csr((taken[d].shape[0], 0)), *(x for at, x in enumerate(taken) if at != d)]
        return Taken(_csr(taken[d]), _csr(sparse.hstack(others)))

    @staticmethod
    def one(taken: Sequence[NDArray[np.integer]], widths: Sequence[int], d: int) -> Taken:
        """From the items that one user took in each domain, of ``widths`` items each; as ``of``."""
        others = [s for s in range(len(taken)) if s != d]
        starts = np.cumsum([0, *(widths[s] for s in others)])
        there = [taken[s] + start for s, start in zip(others, starts)]
        elsewhere = np.concatenate(there) if there else np.zeros(0, np.int64)
        return Taken(_row(taken[d], widths[d]), _row(elsewhere, int(starts[-1])))

    def newcomers(self) -> NDArray[np.bool_]:
        """Who took something elsewhere and nothing here, [n_asked]."""
        here, there = (rows.getnnz(axis=1) for rows in self)
        found: NDArray[np.bool_] = (here == 0) & (there > 0)
        return found

    def at_home(self) -> NDArray[np.bool_]:
        """Who took something here, [n_asked]."""
        found: NDArray[np.bool_] = self.here.getnnz(axis=1) > 0
        return found

    def rows(self, which: NDArray[np.integer]) -> Taken:
        """Of some of these users."""
        return Taken(self.here[which], self.elsewhere[which])


def taken_elsewhere(trains: Sequence[csr_matrix], links: Links, d: int) -> csr_matrix:
    """X_o of domain ``d``: its users' train interactions in the others, one domain after the other.

    ``links``: rows of common users of each ordered pair of domains, as in ``knowledge``.
    """
    n = trains[d].shape[0]
    blocks = [csr_matrix((n, 0), dtype=np.float64)]
    for source, train in enumerate(trains):
        if source != d:
            there, here = links[source, d]
            move = csr_matrix((np.ones(len(here)), (here, np.arange(len(here)))), (n, len(here)))
            blocks.append(move @ train[there])
    return _csr(sparse.hstack(blocks))


def _row(columns: NDArray[np.integer], n: int) -> csr_matrix:
    """Ones in some columns, in order, CSR [1, n]."""
    parts = np.ones(len(columns)), columns.astype(np.int32), np.array([0, len(columns)], np.int32)
    return csr_matrix(parts, (1, n))


def _csr(matrix: sparse.spmatrix | tuple[int, int]) -> csr_matrix:
    return csr_matrix(matrix, dtype=np.float64)
