"""What users are like in a modality, inferred from the items they took; and gate signals.

A profile is the normalised sum of the features of a user's items; items of another domain count
half. The dense view feeds the projection, the sparse view (where the encoder has
one) finds neighbours. Train or support interactions only: the caller passes no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.features import CANCELLED, FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours, normalise_rows, strongest

OTHER_DOMAIN = 0.5
# What the gate looks at: the statistics of users or items in a modality, and their degree.
SIGNALS = ("coherence", "log degree")
# A signal that differs by less is the same for everyone: what differs is rounding, or a few whom a
# division by next to nothing would put thousands of deviations away.
_LEAST = np.array([1e-4, 0.05], np.float32)
# (source, target) -> rows in either domain of the users with train interactions in both.
Links: TypeAlias = Mapping[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Profiles:
    """What users are like in a modality.

    Attributes
    ----------
    content : float32 [n, dim], rows L2-normalised, zero where the user has nothing
    scale : float32 [n], what the sums over items were scaled by
    space : normalised rows of the view in which neighbours are found, ``content`` or CSR
        [n, vocabulary]
    count : float32 [n], items with the modality (items of other domains count half)
    statistics : float32 [n, signals without the degree], of the user's own items of this domain
    """

    content: NDArray[np.float32]
    scale: NDArray[np.float32]
    space: NDArray[np.float32] | csr_matrix
    count: NDArray[np.float32]
    statistics: NDArray[np.float32]

    @property
    def has(self) -> NDArray[np.bool_]:
        return self.count > 0

    @property
    def coherence(self) -> NDArray[np.float32]:
        """float32 [n], mean pairwise cosine of the user's items; 0 below two."""
        return self.statistics[:, 0]


@dataclass(frozen=True)
class ProfileSums:
    """Unnormalised sums over items, so that domains can be added before normalising.

    Attributes
    ----------
    dense : float32 [n, dim], sum of item features
    sparse : CSR [n, vocabulary] or None
    count, statistics : as of ``Profiles``
    """

    dense: NDArray[np.float32]
    sparse: csr_matrix | None
    count: NDArray[np.float32]
    statistics: NDArray[np.float32]

    def profiles(self) -> Profiles:
        """Normalised."""
        lengths = np.linalg.norm(self.dense, axis=1)
        scale = np.zeros_like(lengths)
        np.divide(1.0, lengths, out=scale, where=lengths > CANCELLED)
        content = normalise_rows(self.dense, CANCELLED)
        space = content if self.sparse is None else strongest(self.sparse)
        return Profiles(content, scale, space, self.count, self.statistics)

    def plus(
        self,
        other: ProfileSums,
        weight: float,
        rows: NDArray[np.int64],
        other_rows: NDArray[np.int64],
    ) -> ProfileSums:
        """Add ``weight`` times the sums ``other_rows`` of another domain to ``rows``."""
        move = csr_matrix(
            (np.full(len(rows), weight, np.float32), (rows, other_rows)),
            shape=(len(self.count), len(other.count)),
        )
        return ProfileSums(
            self.dense + (move @ other.dense).astype(np.float32),
            None if self.sparse is None else (self.sparse + move @ other.sparse).tocsr(),
            self.count + (move @ other.count).astype(np.float32),
            self.statistics,
        )


def joint_sums(
    own: Sequence[Mapping[str, ProfileSums]],
    links: Links,
    d: int,
    modality: str,
) -> ProfileSums:
    """Those of domain ``d`` with what its users took in other domains added at half weight.

    Parameters
    ----------
    own : per domain, modality -> sums over that domain's items alone
    links : (source, target) -> rows of the users with train interactions in both
    """
    joint = own[d][modality]
    for (source, target), (there, here) in links.items():
        if target == d:
            joint = joint.plus(own[source][modality], OTHER_DOMAIN, here, there)
    return joint


def own_sums(history: csr_matrix, features: FeatureMatrix) -> ProfileSums:
    """Sums over users' items, from binary interactions [n_users, n_items] and item features."""
    history = csr_matrix(history, dtype=np.float32)
    dense = np.asarray(history @ features.dense, dtype=np.float32)
    terms = None if features.sparse is None else (history @ features.sparse).tocsr()
    count = np.asarray(history @ features.present.astype(np.float32), dtype=np.float32)
    if terms is None:
        squared = np.einsum("nd,nd->n", dense, dense)
    else:
        squared = np.asarray(terms.multiply(terms).sum(axis=1)).ravel()
    return ProfileSums(dense, terms, count, user_statistics(squared, count))


def user_statistics(
    squared: NDArray[np.float32], count: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What the gate looks at in users: float32 [n, signals without the degree].

    Parameters
    ----------
    squared : [n], squared length of the sum of their items' features, in the view of neighbours
    count : [n], their items with the modality
    """
    return np.stack([coherence_of(squared, count)], axis=1)


def item_statistics(near: Neighbours) -> NDArray[np.float32]:
    """The same of items, for which coherence is how near their neighbours are."""
    return np.stack([near.density()], axis=1)


def coherence_of(squared: NDArray[np.float32], count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean pairwise cosine of n unit vectors whose sum has squared length ``squared``.

    (squared - n) / (n (n - 1)); 0 for fewer than two vectors.
    """
    pairs, coherence = count * (count - 1.0), np.zeros(len(count), np.float32)
    np.divide(squared - count, pairs, out=coherence, where=count >= 2)
    return coherence


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each of ``SIGNALS``, [n_modalities, signals]; stored."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def apply(
        self, statistics: NDArray[np.float32], degree: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Standardised [n, n_modalities, signals] from statistics and degree [n]."""
        return ((stack_signals(statistics, degree) - self.mean) / self.std).astype(np.float32)


def stack_signals(
    statistics: NDArray[np.float32], degree: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``SIGNALS`` from statistics [n, n_modalities, signals - 1], log(1 + degree) the last."""
    logs = np.broadcast_to(np.log1p(degree)[:, None, None], (*statistics.shape[:2], 1))
    return np.concatenate([statistics, logs], axis=-1).astype(np.float32)


def fit_scaling(
    statistics: NDArray[np.float32], degree: NDArray[np.float32], has: NDArray[np.bool_]
) -> Scaling:
    """Mean and deviation over the entities in training that have the modality.

    The deviation is 1 where a signal is the same for all of them.
    """
    signals = stack_signals(statistics, degree)
    _, n, width = signals.shape
    mean, std = np.zeros((n, width), np.float32), np.ones((n, width), np.float32)
    for m in range(n):
        rows = has[:, m] & (degree > 0)
        if rows.sum() > 1:
            mean[m] = signals[rows, m].mean(axis=0)
            deviation = signals[rows, m].std(axis=0)
            std[m] = np.where(deviation > _LEAST, deviation, 1.0)
    return Scaling(mean, std)


def degrees(train: csr_matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Number of train interactions of each user and of each item."""
    users: NDArray[np.float32] = np.diff(train.indptr).astype(np.float32)
    return users, np.bincount(train.indices, minlength=train.shape[1]).astype(np.float32)


def columns(parts: Sequence[NDArray[Any]], n: int, *width: int) -> NDArray[Any]:
    """Arrays [n, *width] side by side, [n, len(parts), *width], also where there are none."""
    return np.stack(parts, axis=1) if parts else np.zeros((n, 0, *width), np.float32)
