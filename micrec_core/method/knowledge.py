"""What is known before training: profiles, neighbours and gate statistics of every domain.

NumPy on the host, from train interactions and features alone; ``inputs`` has the same as tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.engines import HERE, Engine
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features, Neighbours
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.method.profiles import (
    SIGNALS,
    Links,
    Profiles,
    Scaling,
    columns,
    degrees,
    fit_scaling,
    item_statistics,
    joint_sums,
    own_sums,
)


@dataclass(frozen=True)
class NeighbourSettings:
    """``k`` neighbours, weighed by softmax(similarity / ``temperature``)."""

    k: int = 10
    temperature: float = 0.2
    cross_profile: bool = True


@dataclass(frozen=True)
class DomainKnowledge:
    """All that was derived from one domain's train interactions and features (NumPy, on the host).

    Attributes
    ----------
    train : binary CSR [n_users, n_items]
    features : modality -> FeatureMatrix of the items
    profiles : modality -> Profiles of the users, other domains counted half
    user_neighbours, item_neighbours : modality -> Neighbours
    user_scaling, item_scaling : of the gate signals
    """

    train: csr_matrix
    features: dict[str, FeatureMatrix]
    profiles: dict[str, Profiles]
    user_neighbours: dict[str, Neighbours]
    item_neighbours: dict[str, Neighbours]
    user_scaling: Scaling
    item_scaling: Scaling

    @property
    def user_degree(self) -> NDArray[np.float32]:
        return degrees(self.train)[0]

    @property
    def item_degree(self) -> NDArray[np.float32]:
        return degrees(self.train)[1]


@dataclass(frozen=True)
class Knowledge:
    """All domains, and the rows of the users that each ordered pair of them shares."""

    domains: tuple[DomainKnowledge, ...]
    links: Links
    modalities: tuple[str, ...]
    settings: NeighbourSettings


def derive_knowledge(
    trains: Sequence[csr_matrix],
    links: Links,
    features: Mapping[str, Sequence[FeatureMatrix]],
    settings: NeighbourSettings,
    device: str = "cpu",
    engine: Engine = HERE,
) -> Knowledge:
    """Profiles, neighbours and gate statistics, from train interactions and features alone.

    Parameters
    ----------
    trains : per domain, binary CSR [n_users, n_items]
    links : (source, target) -> rows of the users with train interactions in both
    features : modality -> FeatureMatrix of the items of each domain
    device : where the products of dense rows are computed
    engine : what looks neighbours up
    """
    own = [
        {m: own_sums(train, matrices[d]) for m, matrices in features.items()}
        for d, train in enumerate(trains)
    ]
    crossing = links if settings.cross_profile else {}
    joint = [
        {m: joint_sums(own, crossing, d, m).profiles() for m in features}
        for d in range(len(trains))
    ]
    # Of a million users larger than all else, and not wanted any more.
    del own
    domains = []
    for d, train in enumerate(trains):
        here = {m: matrices[d] for m, matrices in features.items()}
        domains.append(_domain(train, here, joint[d], settings, device, engine))
    return Knowledge(tuple(domains), dict(links), tuple(features), settings)


def items_alike(
    features: Mapping[str, FeatureMatrix],
    degree: NDArray[np.float32],
    k: int,
    device: str,
    engine: Engine = HERE,
) -> dict[str, Neighbours]:
    """Each item's ``k`` nearest in each modality, among those with train interactions.

    ``degree``: train interactions of each item, [n_items].
    """
    return {
        m: _among(x.space, x.present & (degree > 0), k, device, engine) for m, x in features.items()
    }


def _among(
    space: Features, ok: NDArray[np.bool_], k: int, device: str, engine: Engine
) -> Neighbours:
    """The neighbours of every row among those that may be one."""
    every = np.arange(len(ok))
    return nearest(space, space, k, same=every, device=device, anchor_ok=ok, engine=engine)


def _domain(
    train: csr_matrix,
    features: dict[str, FeatureMatrix],
    profiles: dict[str, Profiles],
    settings: NeighbourSettings,
    device: str,
    engine: Engine,
) -> DomainKnowledge:
    n_users, n_items = train.shape
    user_degree, item_degree = degrees(train)
    item_neighbours = items_alike(features, item_degree, settings.k, device, engine)
    user_neighbours = {
        m: _among(x.space, x.has & (user_degree > 0), settings.k, device, engine)
        for m, x in profiles.items()
    }
    width = len(SIGNALS) - 1
    of_users = columns([profiles[m].statistics for m in features], n_users, width)
    of_items = columns([item_statistics(item_neighbours[m]) for m in features], n_items, width)
    user_has = columns([profiles[m].has for m in features], n_users)
    item_has = columns([f.present for f in features.values()], n_items)
    return DomainKnowledge(
        train,
        features,
        profiles,
        user_neighbours,
        item_neighbours,
        fit_scaling(of_users, user_degree, user_has),
        fit_scaling(of_items, item_degree, item_has),
    )
