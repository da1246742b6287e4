"""Likeness in content: the cosines of what somebody took with every item (ours, section 12).

    score(u, i) = sum over j in N_u and modalities m of cos(f_mj, f_mi)

As a content profile has it (Lops et al., 2011, section 3.3.1.1) but for its length. Neighbours
(section 6.2) are the ten most alike; here is everything, for where little was taken by few, what an
item says is all there is to go by. Linear in what was taken, and nothing of items x items is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.graphs.neighbours import Features
from micrec_core.method.search import Query


@dataclass(frozen=True)
class Likeness:
    """What the items of a domain say.

    Attributes
    ----------
    spaces : of each modality, features of the items in which neighbours are found: rows of length 1
        or 0, dense [n, width] or CSR [n, vocabulary]
    new : bool [n], items that nobody took
    """

    spaces: tuple[Features, ...]
    new: NDArray[np.bool_]

    @cached_property
    def _turned(self) -> list[Features]:
        return [x.T if isinstance(x, np.ndarray) else csr_matrix(x.T) for x in self.spaces]

    def scores(self, taken: csr_matrix) -> NDArray[np.float32]:
        """Of all items, float32 [n_asked, n].

        ``taken`` : CSR [n_asked, n], or of fewer columns: of the items before those that joined
        """
        rows = csr_matrix(taken, dtype=np.float32)
        out = np.zeros((rows.shape[0], len(self.new)), np.float32)
        for space, turned in zip(self.spaces, self._turned, strict=True):
            out += _dense((rows @ self._first(space, rows.shape[1])) @ turned)
        return out

    def scores_of(self, taken: csr_matrix, item: int) -> NDArray[np.float32]:
        """As ``scores`` of one item, float32 [n_asked], in the time of its own column."""
        alike = self.columns(taken.shape[1], np.array([item]))
        found: NDArray[np.float32] = (taken @ alike).ravel().astype(np.float32)
        return found

    def columns(self, n: int, targets: NDArray[np.integer]) -> NDArray[np.float32]:
        """Of the first ``n`` items with some, float32 [n, n_targets]."""
        out = np.zeros((n, len(targets)), np.float32)
        for space in self.spaces:
            out += _dense(self._first(space, n) @ space[targets].T)
        return out

    def _first(self, space: Features, n: int) -> Features:
        return space if n == len(self.new) else space[:n]

    def among(
        self, items: NDArray[np.integer], targets: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Of some items with others, float64 [n_items, n_targets]."""
        out = np.zeros((len(items), len(targets)))
        for space in self.spaces:
            out += _dense(space[items] @ space[targets].T)
        return out

    def with_item(self, said: Sequence[Query | None]) -> Likeness:
        """The same with one item more, the last.

        ``said`` : in each modality, normalised; None where it says nothing
        """
        pairs = zip(self.spaces, said, strict=True)
        return Likeness(
            tuple(_with_row(space, query) for space, query in pairs), np.append(self.new, True)
        )


def _with_row(space: Features, query: Query | None) -> Features:
    if isinstance(space, np.ndarray):
        row = np.zeros(space.shape[1]) if query is None else query.dense
        return np.vstack([space, row.astype(np.float32)])
    terms, values = np.zeros(0, np.int64), np.zeros(0, np.float32)
    if query is not None and query.terms is not None and query.values is not None:
        terms, values = query.terms, query.values
    row = csr_matrix((values, terms, [0, len(terms)]), (1, space.shape[1]), dtype=np.float32)
    return csr_matrix(sparse.vstack([space, row]))


def _dense(matrix: Features) -> NDArray[np.float32]:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
