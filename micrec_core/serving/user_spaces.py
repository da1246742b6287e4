"""The profiles by which a user's neighbours are found: computed at the first search, or stored.

They follow from train interactions and features, to the last bit, so a run of few users is not made
larger by them; of many they would take a while, and are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags

from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features
from micrec_core.method.profiles import Links, Profiles, degrees, joint_sums, own_sums

# Products that are added up, at most: a fifth of a second, and once.
MOST = 2**24


def are_quick(
    trains: Sequence[csr_matrix], features: Sequence[Mapping[str, FeatureMatrix]]
) -> bool:
    """Whether the spaces of all domains take no more than a moment.

    Parameters
    ----------
    trains : binary CSR [n_users, n_items] of each domain
    features : modality -> those of the items of each domain
    """
    products = 0
    for train, here in zip(trains, features, strict=True):
        taken = degrees(train)[1].astype(np.int64)
        for x in here.values():
            products += (train.nnz + train.shape[0]) * x.dim
            if x.sparse is not None:
                products += int(taken @ np.diff(x.sparse.indptr))
    return products <= MOST


def user_spaces(
    trains: Sequence[csr_matrix], features: Sequence[Mapping[str, FeatureMatrix]], links: Links
) -> list[dict[str, Features]]:
    """Of each domain, modality -> ``ModalityArrays.user_space``.

    Parameters
    ----------
    links : of what others took counts beside one's own, as in ``joint_sums``; none for nothing
    """
    own = [
        {m: own_sums(train, x) for m, x in here.items()}
        for train, here in zip(trains, features, strict=True)
    ]
    return [
        {m: anchors(train, joint_sums(own, links, d, m).profiles()) for m in features[d]}
        for d, train in enumerate(trains)
    ]


def anchors(train: csr_matrix, profiles: Profiles) -> Features:
    """The rows in which neighbours are found, those of whoever may not be one being zero."""
    may = profiles.has & (degrees(train)[0] > 0)
    space = profiles.space
    if isinstance(space, np.ndarray):
        return np.where(may[:, None], space, 0).astype(np.float32)
    only = csr_matrix(diags(may.astype(np.float32)) @ space)
    only.eliminate_zeros()
    return only
