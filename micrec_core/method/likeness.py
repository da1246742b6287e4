"""Likeness in content: the cosines of what somebody took with every item (ours, section 12).

    score(u, i) = sum over j in N_u and modalities m of cos(f_mj, f_mi)

As a content profile has it (Lops et al., 2011, section 3.3.1.1) but for its length. Neighbours
(section 6.2) are the ten most alike; here is everything, for where little was taken by few, what an
item says is all there is to go by; and for who took nothing here it goes by what was taken in other
domains. Linear in what was taken, and nothing of items x items is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.graphs.neighbours import Features
from micrec_core.method.search import Query


@dataclass(frozen=True)
class Likeness:
    """What the items of a domain say, and those of the others.

    Attributes
    ----------
    spaces : of each modality, features of the items in which neighbours are found: rows of length 1
        or 0, dense [n, width] or CSR [n, vocabulary]
    new : bool [n], items that nobody took
    elsewhere : the same features of the items of all other domains, one domain after the other,
        [n_other, width]; empty where these cannot be compared, or are not asked for
    """

    spaces: tuple[Features, ...]
    new: NDArray[np.bool_]
    elsewhere: tuple[Features, ...] = ()

    @cached_property
    def _turned(self) -> list[Features]:
        return [x.T if isinstance(x, np.ndarray) else csr_matrix(x.T) for x in self.spaces]

    def scores(self, taken: csr_matrix, elsewhere: bool = False) -> NDArray[np.float32]:
        """Of all items, float32 [n_asked, n].

        Parameters
        ----------
        taken : CSR [n_asked, n], or of fewer columns: of the items before those that joined
        elsewhere : whether ``taken`` is of the items of other domains, [n_asked, n_other]
        """
        rows = csr_matrix(taken, dtype=np.float32)
        out = np.zeros((rows.shape[0], len(self.new)), np.float32)
        for space, turned in zip(self._of(rows.shape[1], elsewhere), self._turned, strict=True):
            out += _dense((rows @ space) @ turned)
        return out

    def scores_of(
        self, taken: csr_matrix, targets: NDArray[np.integer], elsewhere: bool = False
    ) -> NDArray[np.float32]:
        """As ``scores`` of some items, float32 [n_asked, n_targets], in their columns' time."""
        found: NDArray[np.float32] = taken @ self.columns(taken.shape[1], targets, elsewhere)
        return found.astype(np.float32)

    def columns(
        self, n: int, targets: NDArray[np.integer], elsewhere: bool = False
    ) -> NDArray[np.float32]:
        """Of the first ``n`` items, or of all elsewhere, with some: float32 [n, n_targets]."""
        out = np.zeros((n, len(targets)), np.float32)
        for source, space in zip(self._of(n, elsewhere), self.spaces, strict=True):
            out += _dense(source @ space[targets].T)
        return out

    def among(
        self,
        items: NDArray[np.integer],
        targets: NDArray[np.integer],
        elsewhere: bool = False,
    ) -> NDArray[np.float64]:
        """Of some items, here or elsewhere, with others here: float64 [n_items, n_targets]."""
        out = np.zeros((len(items), len(targets)))
        for source, space in zip(self._of(None, elsewhere), self.spaces, strict=True):
            out += _dense(source[items] @ space[targets].T)
        return out

    def _of(self, n: int | None, elsewhere: bool) -> tuple[Features, ...]:
        """Features of what was taken: of all items elsewhere, or of the first ``n`` here."""
        if elsewhere:
            return self.elsewhere
        return self.spaces if n in (None, len(self.new)) else tuple(x[:n] for x in self.spaces)

    def with_item(self, said: Sequence[Query | None]) -> Likeness:
        """The same with one item more, the last.

        ``said`` : in each modality, normalised; None where it says nothing
        """
        pairs = zip(self.spaces, said, strict=True)
        spaces = tuple(_with_row(space, query) for space, query in pairs)
        return replace(self, spaces=spaces, new=np.append(self.new, True))


def likeness_of(
    spaces: Sequence[Sequence[Features]], d: int, new: NDArray[np.bool_], elsewhere: bool
) -> Likeness:
    """Of domain ``d``.

    Parameters
    ----------
    spaces : of each domain, of each modality, as ``Likeness`` has them
    new : items of the domain that nobody took
    elsewhere : whether to hold what those of other domains say too, which is copied for it
    """
    here, others = spaces[d], [there for s, there in enumerate(spaces) if s != d]
    comparable = elsewhere and all(
        type(x) is type(y) and x.shape[1] == y.shape[1]
        for there in others
        for x, y in zip(here, there, strict=True)
    )
    stacked = tuple(_stacked(of_one) for of_one in zip(*others)) if comparable else ()
    return Likeness(tuple(here), new, stacked)


def _stacked(spaces: Sequence[Features]) -> Features:
    if isinstance(spaces[0], np.ndarray):
        return np.vstack(spaces)
    return csr_matrix(sparse.vstack(spaces))


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
