"""From a dataset, its split and its features to what a model is trained on and served from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.data.types import Dataset, Split, shared_rows
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.lending import NeighbourGraph
from micrec_core.graphs.neighbours import Neighbours, nearest
from micrec_core.graphs.operators import BipartiteGraph
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs, Side
from micrec_core.method.profiles import (
    OTHER_DOMAIN,
    Profiles,
    Scaling,
    fit_scaling,
    infer_profiles,
)
from micrec_core.modalities.dataset import DatasetFeatures

# To add up one item costs a CPU as much as so many columns of a user's features to be projected.
COLUMNS_AN_ENTRY = 4


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

    train: sparse.csr_matrix
    features: dict[str, FeatureMatrix]
    profiles: dict[str, Profiles]
    user_neighbours: dict[str, Neighbours]
    item_neighbours: dict[str, Neighbours]
    user_scaling: Scaling
    item_scaling: Scaling

    @property
    def user_degree(self) -> NDArray[np.float32]:
        return np.diff(self.train.indptr).astype(np.float32)

    @property
    def item_degree(self) -> NDArray[np.float32]:
        return np.bincount(self.train.indices, minlength=self.train.shape[1]).astype(np.float32)


@dataclass(frozen=True)
class Knowledge:
    """``domains`` in dataset order; ``links``: (source, target) -> rows of users known in both."""

    domains: tuple[DomainKnowledge, ...]
    links: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]
    modalities: tuple[str, ...]
    settings: NeighbourSettings


def derive_knowledge(
    dataset: Dataset,
    split: Split,
    features: DatasetFeatures,
    modalities: tuple[str, ...],
    settings: NeighbourSettings,
    device: str = "cpu",
) -> Knowledge:
    """Profiles, neighbours, gate signals and overlap, from train interactions alone."""
    trains = [
        part.train.matrix(domain.n_users, domain.n_items)
        for part, domain in zip(split.domains, dataset.domains, strict=True)
    ]
    matrices = {m: features.matrices[m] for m in modalities}
    own = [
        {m: infer_profiles(train, matrices[m][d]) for m in modalities}
        for d, train in enumerate(trains)
    ]
    links = _links(dataset, trains)
    domains = []
    for d, train in enumerate(trains):
        profiles = dict(own[d])
        if settings.cross_profile:
            for (source, target), (there, here) in links.items():
                if target == d:
                    for m in modalities:
                        profiles[m] = profiles[m].plus(own[source][m], OTHER_DOMAIN, here, there)
        domains.append(
            _domain(train, {m: matrices[m][d] for m in modalities}, profiles, settings, device)
        )
    return Knowledge(tuple(domains), links, tuple(modalities), settings)


def _links(
    dataset: Dataset, trains: list[sparse.csr_matrix]
) -> dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    links = {}
    for a, left in enumerate(dataset.domains):
        for b, right in enumerate(dataset.domains):
            if a == b:
                continue
            rows_a, rows_b = shared_rows(left.user_ids, right.user_ids)
            both = (np.diff(trains[a].indptr)[rows_a] > 0) & (np.diff(trains[b].indptr)[rows_b] > 0)
            links[a, b] = (rows_a[both], rows_b[both])
    return links


def _domain(
    train: sparse.csr_matrix,
    features: dict[str, FeatureMatrix],
    profiles: dict[str, Profiles],
    settings: NeighbourSettings,
    device: str,
) -> DomainKnowledge:
    n_users, n_items = train.shape
    user_degree = np.diff(train.indptr).astype(np.float32)
    item_degree = np.bincount(train.indices, minlength=n_items).astype(np.float32)
    user_neighbours, item_neighbours = {}, {}
    for m, matrix in features.items():
        item_neighbours[m] = nearest(
            matrix.space,
            matrix.space,
            settings.k,
            same=np.arange(n_items),
            device=device,
            anchor_ok=matrix.present & (item_degree > 0),
        )
        space = profiles[m].space()
        user_neighbours[m] = nearest(
            space,
            space,
            settings.k,
            same=np.arange(n_users),
            device=device,
            anchor_ok=profiles[m].has & (user_degree > 0),
        )
    coherence = _columns([profiles[m].coherence for m in features], n_users)
    density = _columns([item_neighbours[m].density() for m in features], n_items)
    user_has = _columns([profiles[m].has for m in features], n_users)
    item_has = _columns([f.present for f in features.values()], n_items)
    return DomainKnowledge(
        train,
        features,
        profiles,
        user_neighbours,
        item_neighbours,
        fit_scaling(coherence, user_degree, user_has),
        fit_scaling(density, item_degree, item_has),
    )


def _columns(parts: list[NDArray], n: int) -> NDArray:
    return np.stack(parts, axis=1) if parts else np.zeros((n, 0))


def model_inputs(knowledge: Knowledge, device: str | torch.device = "cpu") -> ModelInputs:
    """The same as tensors and operators on ``device``."""
    sums = _sums(knowledge)
    domains = tuple(
        _domain_inputs(part, knowledge, device, history)
        for part, history in zip(knowledge.domains, sums, strict=True)
    )
    links = tuple(
        Link(
            source,
            target,
            torch.from_numpy(there).to(device),
            torch.from_numpy(here).to(device),
        )
        for (source, target), (there, here) in knowledge.links.items()
        if len(there)
    )
    return ModelInputs(domains, links, knowledge.modalities)


def _sums(knowledge: Knowledge) -> list[sparse.csr_matrix]:
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


def _domain_inputs(
    part: DomainKnowledge,
    knowledge: Knowledge,
    device: str | torch.device,
    history: sparse.csr_matrix,
) -> DomainInputs:
    names, temperature = knowledge.modalities, knowledge.settings.temperature
    n_users, n_items = part.train.shape
    users = _side(
        {m: part.profiles[m].content() for m in names},
        _columns([part.profiles[m].has for m in names], n_users),
        part.user_neighbours,
        n_users,
        temperature,
        _columns([part.profiles[m].coherence for m in names], n_users),
        part.user_scaling,
        part.user_degree,
        device,
    )
    items = _side(
        {m: part.features[m].dense for m in names},
        _columns([part.features[m].present for m in names], n_items),
        part.item_neighbours,
        n_items,
        temperature,
        _columns([part.item_neighbours[m].density() for m in names], n_items),
        part.item_scaling,
        part.item_degree,
        device,
    )
    sums = {
        m: NeighbourGraph.of(sparse.diags(part.profiles[m].scale()) @ history, device)
        for m in names
        if _sums_are_cheaper(history, part.profiles[m].dense.shape[1], device)
    }
    return DomainInputs(BipartiteGraph(part.train, device), replace(users, sums=sums), items)


def _sums_are_cheaper(history: sparse.csr_matrix, width: int, device: str | torch.device) -> bool:
    """Whether to sum what is projected of items instead of projecting users' features.

    By the lengths of their histories and the width of the features; a GPU does the dense product,
    for which it needs no more memory.
    """
    on_host = torch.device(device).type == "cpu"
    return on_host and history.nnz * COLUMNS_AN_ENTRY <= history.shape[0] * width


def alone_side(
    knowledge: Knowledge, source: int, rows: NDArray[np.integer], device: str | torch.device
) -> Side:
    """The user side of ``rows`` [n] by their interactions in ``source`` and nothing else."""
    part, names = knowledge.domains[source], knowledge.modalities
    train, degree, n = part.train[rows], part.user_degree, len(rows)
    own = {m: infer_profiles(train, part.features[m]) for m in names}
    neighbours = {
        m: nearest(
            own[m].space(),
            part.profiles[m].space(),
            knowledge.settings.k,
            same=rows,
            anchor_ok=part.profiles[m].has & (degree > 0),
        )
        for m in names
    }
    return _side(
        {m: own[m].content() for m in names},
        _columns([own[m].has for m in names], n),
        neighbours,
        part.train.shape[0],
        knowledge.settings.temperature,
        _columns([own[m].coherence for m in names], n),
        part.user_scaling,
        degree[rows],
        device,
    )


def _side(
    content: dict[str, NDArray[np.float32]],
    has: NDArray,
    neighbours: dict[str, Neighbours],
    n_anchors: int,
    temperature: float,
    coherence: NDArray,
    scaling: Scaling,
    degree: NDArray[np.float32],
    device: str | torch.device,
) -> Side:
    return Side(
        {m: torch.from_numpy(x).to(device) for m, x in content.items()},
        torch.from_numpy(has.astype(bool)).to(device),
        {
            m: NeighbourGraph(found.rows, found.weights(temperature), n_anchors, device)
            for m, found in neighbours.items()
        },
        torch.from_numpy(scaling.apply(coherence, degree)).to(device),
        torch.from_numpy(-scaling.mean[:, 1] / scaling.std[:, 1]).to(device),
        torch.from_numpy(degree).to(device),
    )
