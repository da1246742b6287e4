"""What a model is trained on: tensors and sparse operators of each domain, no ids, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs.aggregation import NeighbourGraph, Neighbourhood
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.graphs.sparse import SparseMatrix
from micrec_core.method.knowledge import DomainKnowledge, Knowledge
from micrec_core.method.profiles import (
    OTHER_DOMAIN,
    SIGNALS,
    Profiles,
    Scaling,
    columns,
    item_statistics,
)

# To add up one item costs a CPU as much as so many columns of a user's features to be projected.
COLUMNS_AN_ENTRY = 4


@dataclass(frozen=True)
class Side:
    """The users or the items of a domain as the modality-based aggregation sees them.

    Attributes
    ----------
    content : modality -> float [n, dim_m], features of items, inferred features of users; zero
        rows where missing
    has : bool [n, n_modalities]
    neighbours : modality -> NeighbourGraph [n, n_anchors]
    signals : float [n, n_modalities, signals], ``profiles.SIGNALS`` standardised: what the gate
        may look at
    unseen : float [n_modalities], the standardised log degree of an entity without interactions
    degree : float [n], number of train interactions
    sums : modality -> SparseMatrix [n, items of all domains, one domain after the other], of
        which items' features ``content`` is made up; of users in training and where that is the
        shorter way
    """

    content: dict[str, Tensor]
    has: Tensor
    neighbours: Mapping[str, Neighbourhood]
    signals: Tensor
    unseen: Tensor
    degree: Tensor
    sums: Mapping[str, SparseMatrix] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.degree)

    def take(self, rows: Tensor) -> Side:
        """Some of them, int64 [n], with all neighbours that they have."""
        return Side(
            {m: content[rows] for m, content in self.content.items()},
            self.has[rows],
            {m: graph.take(rows) for m, graph in self.neighbours.items()},
            self.signals[rows],
            self.unseen,
            self.degree[rows],
        )


@dataclass(frozen=True)
class DomainInputs:
    """One domain: its train graph and both sides of it."""

    graph: BipartiteGraph
    users: Side
    items: Side

    def without(self, users: Tensor, items: Tensor) -> DomainInputs:
        """The domain as if these of its interactions were not known: int64 [n] each."""
        graph = self.graph.without(users, items)
        of_users, of_items = graph.degrees()
        return DomainInputs(
            graph, replace(self.users, degree=of_users), replace(self.items, degree=of_items)
        )


@dataclass(frozen=True)
class Link:
    """Users with train interactions in two domains, ``source`` and ``target`` (indices).

    Attributes
    ----------
    source_rows, target_rows : int64 [n_overlap], the same users' rows in the two domains
    """

    source: int
    target: int
    source_rows: Tensor
    target_rows: Tensor


@dataclass(frozen=True)
class ModelInputs:
    """All domains, and a link for each ordered pair of them that shares users."""

    domains: tuple[DomainInputs, ...]
    links: tuple[Link, ...]
    modalities: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        return self.domains[0].graph.device

    def content_dims(self) -> dict[str, int]:
        """Width of the features of each modality."""
        items = self.domains[0].items.content
        return {m: items[m].shape[1] for m in self.modalities}


def model_inputs(knowledge: Knowledge, device: str | torch.device = "cpu") -> ModelInputs:
    """What is known of all domains as tensors and operators on ``device``."""
    domains = []
    for part, history in zip(knowledge.domains, _histories(knowledge), strict=True):
        users = user_side(part, part.profiles, part.user_neighbours, knowledge, device)
        sums = {
            m: SparseMatrix.of(sparse.diags(profiles.scale) @ history, device)
            for m, profiles in part.profiles.items()
            if _sums_are_cheaper(history, profiles.content.shape[1], device)
        }
        graph = BipartiteGraph(part.train, device)
        items = _item_side(part, knowledge, device)
        domains.append(DomainInputs(graph, replace(users, sums=sums), items))
    links = tuple(
        Link(source, target, *(torch.from_numpy(rows).to(device) for rows in both))
        for (source, target), both in knowledge.links.items()
        if len(both[0])
    )
    return ModelInputs(tuple(domains), links, knowledge.modalities)


def user_side(
    part: DomainKnowledge,
    profiles: Mapping[str, Profiles],
    neighbours: Mapping[str, Neighbours],
    knowledge: Knowledge,
    device: str | torch.device,
    degree: NDArray[np.float32] | None = None,
) -> Side:
    """The side of the users whom ``profiles`` and ``neighbours`` [n] are of.

    ``degree``: their train interactions, float32 [n]; those of all users by default.
    """
    return _side(
        {m: found.content for m, found in profiles.items()},
        [found.has for found in profiles.values()],
        neighbours,
        [found.statistics for found in profiles.values()],
        part.user_scaling,
        part.user_degree if degree is None else degree,
        (part.train.shape[0], knowledge.settings.temperature, device),
    )


def _item_side(part: DomainKnowledge, knowledge: Knowledge, device: str | torch.device) -> Side:
    return _side(
        {m: matrix.dense for m, matrix in part.features.items()},
        [matrix.present for matrix in part.features.values()],
        part.item_neighbours,
        [item_statistics(found) for found in part.item_neighbours.values()],
        part.item_scaling,
        part.item_degree,
        (part.train.shape[1], knowledge.settings.temperature, device),
    )


def _side(
    content: dict[str, NDArray[np.float32]],
    has: Sequence[NDArray[np.bool_]],
    neighbours: Mapping[str, Neighbours],
    statistics: Sequence[NDArray[np.float32]],
    scaling: Scaling,
    degree: NDArray[np.float32],
    graph: tuple[int, float, str | torch.device],
) -> Side:
    """``statistics``: what the gate looks at beside the degree, a modality; ``graph``: number of
    anchors, temperature and device of the neighbours."""
    n, (n_anchors, temperature, device) = len(degree), graph

    def there(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(device)

    return Side(
        {m: there(x) for m, x in content.items()},
        there(columns(has, n).astype(bool)),
        {
            m: NeighbourGraph(found.rows, found.weights(temperature), n_anchors, device)
            for m, found in neighbours.items()
        },
        there(scaling.apply(columns(statistics, n, len(SIGNALS) - 1), degree)),
        there(-scaling.mean[:, -1] / scaling.std[:, -1]),
        there(degree),
    )


def _histories(knowledge: Knowledge) -> list[sparse.csr_matrix]:
    """Per domain, CSR [n_users, items of all domains]: how often items count in a profile."""
    domains = knowledge.domains
    blocks: list[list[sparse.csr_matrix | None]] = [[None] * len(domains) for _ in domains]
    for d, part in enumerate(domains):
        blocks[d][d] = part.train
    if knowledge.settings.cross_profile:
        for (source, target), (there, here) in knowledge.links.items():
            n_users = domains[target].train.shape[0]
            weights = np.full(len(here), OTHER_DOMAIN, np.float32)
            move = sparse.csr_matrix((weights, (here, np.arange(len(here)))), (n_users, len(here)))
            blocks[target][source] = move @ domains[source].train[there]
    empty = [sparse.csr_matrix((0, part.train.shape[1]), dtype=np.float32) for part in domains]
    # The row of empty blocks tells the widths where a domain shares no users.
    return [sparse.bmat([row, empty], format="csr", dtype=np.float32) for row in blocks]


def _sums_are_cheaper(history: sparse.csr_matrix, width: int, device: str | torch.device) -> bool:
    """Whether to sum what is projected of items instead of projecting users' features.

    By the lengths of their histories and the width of the features; a GPU does the dense product,
    for which it needs no more memory.
    """
    on_host = torch.device(device).type == "cpu"
    return on_host and history.nnz * COLUMNS_AN_ENTRY <= history.shape[0] * width
