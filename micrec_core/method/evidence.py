"""What is known of one user, and what it says in a modality (docs/method.md, section 6.1).

The same sums as ``profiles``, for one user and with each contribution kept apart, so that an
explanation can name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.features import CANCELLED, FeatureMatrix, centre
from micrec_core.method.arrays import Floats, ModelArrays, Rows
from micrec_core.method.profiles import OTHER_DOMAIN, user_statistics
from micrec_core.method.search import Query


@dataclass(frozen=True, eq=False)
class Person:
    """A user to be folded in. Nothing is learned of them.

    Attributes
    ----------
    rows : per domain the user's own row in training, -1 for none
    items : per domain the rows of what they took, sorted
    unchanged : per domain, whether ``items`` is the training history and nothing else was given
    documents : modality -> what they wrote or showed, encoded (one row, not centred)
    counts_as : how many items taken, which say the same, each document counts as
    """

    rows: tuple[int, ...]
    items: tuple[Rows, ...]
    unchanged: tuple[bool, ...]
    documents: Mapping[str, FeatureMatrix]
    counts_as: float = field(default=1.0, kw_only=True)


@dataclass(frozen=True)
class Evidence:
    """Features that enter a profile.

    Attributes
    ----------
    domain : of the items; -1 for a document
    rows : item rows [n], empty for a document
    dense : float64 [n, dim] (a document: one row), times the weight
    terms, values : the sparse entries of all of them, times the weight
    count : how much they count for
    """

    domain: int
    rows: Rows
    dense: NDArray[np.float64]
    terms: Rows | None
    values: Floats | None
    count: float


@dataclass(frozen=True)
class Profile:
    """A profile in one modality of one domain.

    Attributes
    ----------
    query : the unnormalised sums
    evidence : what they are sums of
    statistics : float32 [signals without the degree], of this domain's items and documents
    """

    query: Query
    evidence: tuple[Evidence, ...]
    statistics: NDArray[np.float32]

    @property
    def has(self) -> bool:
        """Whether there is anything to go by."""
        return any(e.count > 0 for e in self.evidence)

    @property
    def coherence(self) -> float:
        """Mean pairwise cosine of this domain's items and documents; 0 below two."""
        return float(self.statistics[0])

    def shares(self) -> list[tuple[Evidence, NDArray[np.float64]]]:
        """Each piece of evidence with its part of the query, normalised."""
        length = float(np.linalg.norm(self.query.dense))
        return [(e, e.dense / length) for e in self.evidence] if length > CANCELLED else []


def profile_of(model: ModelArrays, user: Person, d: int, m: str, others: list[int]) -> Profile:
    """The profile of a user in modality ``m`` of domain ``d``; items of ``others`` count half."""
    own = [_items(model, d, m, user.items[d], 1.0)]
    if m in user.documents:
        own.append(_document(centre(user.documents[m], model.means[m][d]), user.counts_as))
    rest = [_items(model, s, m, user.items[s], OTHER_DOMAIN) for s in others]
    alone = _sum(own)
    squared = _squared(alone)
    count = np.array([sum(e.count for e in own)], np.float32)
    statistics = user_statistics(np.array([squared], np.float32), count)[0]
    return Profile(_sum([*own, *rest]) if rest else alone, (*own, *rest), statistics)


def _items(model: ModelArrays, d: int, m: str, rows: Rows, weight: float) -> Evidence:
    features = model.domains[d].modalities[m].features
    rows = rows[features.present[rows]]
    terms, values = None, None
    if features.sparse is not None:
        terms, values = _gather(features.sparse, rows)
        values = values * np.float32(weight)
    dense = features.dense[rows].astype(np.float64) * weight
    return Evidence(d, rows, dense, terms, values, weight * len(rows))


def _document(matrix: FeatureMatrix, counts_as: float) -> Evidence:
    query, none = Query.of(matrix), np.zeros(0, np.int64)
    values = None if query.values is None else query.values * np.float32(counts_as)
    dense = query.dense[None, :] * counts_as
    return Evidence(-1, none, dense, query.terms, values, counts_as)


def _gather(rows: csr_matrix, which: Rows) -> tuple[Rows, Floats]:
    """Columns and entries of some rows, one after the other."""
    places = [np.arange(*rows.indptr[r : r + 2], dtype=np.int64) for r in which]
    at = np.concatenate(places) if places else np.zeros(0, np.int64)
    return rows.indices[at].astype(np.int64), rows.data[at].astype(np.float32)


def _sum(parts: Iterable[Evidence]) -> Query:
    parts = list(parts)
    dense = np.concatenate([e.dense for e in parts]).sum(axis=0)
    if any(e.terms is None or e.values is None for e in parts):
        return Query(dense)
    terms = np.concatenate([e.terms for e in parts if e.terms is not None])
    values = np.concatenate([e.values for e in parts if e.values is not None])
    columns, place = np.unique(terms, return_inverse=True)
    totals = np.bincount(place, weights=values, minlength=len(columns)).astype(np.float32)
    return Query(dense, columns, totals)


def _squared(query: Query) -> float:
    """Squared length in the view that neighbours are found in."""
    values = query.dense if query.values is None else query.values.astype(np.float64)
    return float(values @ values)
