"""What a model is trained on: tensors and sparse operators of each domain, no ids, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from micrec_core.graphs.lending import NeighbourGraph, NeighbourRows
from micrec_core.graphs.operators import BipartiteGraph


@dataclass(frozen=True)
class Side:
    """The users or the items of a domain as the modality-based aggregation sees them.

    Attributes
    ----------
    content : modality -> float [n, dim_m], features of items, inferred features of users; zero
        rows where missing
    has : bool [n, n_modalities]
    neighbours : modality -> NeighbourGraph [n, n_anchors]
    signals : float [n, n_modalities, 2], standardised: coherence (users) or density (items) in
        the modality, and log degree; what the gate may look at
    unseen : float [n_modalities], the standardised log degree of an entity without interactions
    degree : float [n], number of train interactions
    sums : modality -> NeighbourGraph [n, items of all domains, one domain after the other], of
        which items' features ``content`` is made up; of users in training and where that is the
        shorter way
    """

    content: dict[str, Tensor]
    has: Tensor
    neighbours: Mapping[str, NeighbourGraph | NeighbourRows]
    signals: Tensor
    unseen: Tensor
    degree: Tensor
    sums: Mapping[str, NeighbourGraph] = field(default_factory=dict)

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
