"""Embeddings of a trained model for everyone an evaluation asks about, no parameter changed.

A new user's embedding is the model's own forward pass over a graph in which only the user side has
grown: messages to users come from train and support interactions, messages to items from train
interactions alone. So items and known users keep their embeddings, and no formula is written twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs.aggregation import NeighbourGraph
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.graphs.sparse import SparseMatrix
from micrec_core.method.bridge import Bridge
from micrec_core.method.inputs import DomainInputs, ModelInputs, Side, user_side
from micrec_core.method.knowledge import DomainKnowledge, Knowledge
from micrec_core.method.micrec import Embedded, Encoded, MICRec, Pair
from micrec_core.method.profiles import own_sums


class FoldInGraph(BipartiteGraph):
    """Train interactions with further users who receive from items but do not give to them.

    Parameters
    ----------
    train : the graph that was trained on
    extended : CSR [n_users, n_items], train and support interactions together
    """

    def __init__(self, train: BipartiteGraph, extended: sparse.csr_matrix):
        super().__init__(extended, train.device)
        self._train = train

    def scaled(self, users: Tensor | None, items: Tensor | None) -> tuple[SparseMatrix, ...]:
        """What sends to items is that of the train graph alone."""
        return super().scaled(users, items)[0], self._train.scaled(users, items)[1]


@dataclass(frozen=True)
class BySource:
    """What is kept of one domain's embeddings where they are kept apart by source (section 8).

    Attributes
    ----------
    initial_users : float [n_users, dim], e, of all sources together
    item_layers : float [n_items, layers + 1, S, dim], what the propagation takes the mean of
    users, items : float [n, S, dim], ê
    """

    initial_users: Tensor
    item_layers: Tensor
    users: Tensor
    items: Tensor


def encode(model: MICRec, inputs: ModelInputs) -> list[Encoded]:
    """Embeddings of every domain, without dropout or gradient."""
    model.eval()
    with torch.no_grad():
        found: list[Encoded] = model(inputs)
    return found


def encode_by_source(model: MICRec, inputs: ModelInputs) -> list[BySource]:
    """The same kept apart by source, of which a million users have gigabytes: what is asked for."""
    model.eval()
    with torch.no_grad():
        mixed = deque(map(_mixed, model.embed(inputs, by_source=True)))
        return [_propagated(model, domain, *mixed.popleft()) for domain in inputs.domains]


def _mixed(e: Embedded) -> tuple[Tensor, Pair]:
    return e.initial_users.sum(1), (e.aggregated_users, e.aggregated_items)


def _propagated(
    model: MICRec, domain: DomainInputs, initial_users: Tensor, aggregated: Pair
) -> BySource:
    final = model.propagate(*aggregated, domain)
    layers = [items for _, items in model.layers(*aggregated, domain)]
    return BySource(initial_users, torch.stack(layers, 1), *final)


def fold_in_inputs(
    knowledge: Knowledge, inputs: ModelInputs, supports: Sequence[sparse.csr_matrix]
) -> ModelInputs:
    """The inputs with new users folded in; the embeddings ``encode`` gives of them are theirs.

    Parameters
    ----------
    knowledge, inputs : what the model was trained on
    supports : per domain, CSR [n_users, n_items] of the interactions that new users show; rows
        with any are folded in, the others keep what they have. A row in training may be given
        its own train interactions (and gets its own embedding); others would not reach its items
    """
    domains = []
    for part, domain, support in zip(knowledge.domains, inputs.domains, supports, strict=True):
        rows = np.flatnonzero(np.diff(support.indptr))
        domains.append(_extend(part, knowledge, domain, support, rows) if len(rows) else domain)
    return replace(inputs, domains=tuple(domains))


def _extend(
    part: DomainKnowledge,
    knowledge: Knowledge,
    domain: DomainInputs,
    support: sparse.csr_matrix,
    rows: NDArray[np.int64],
) -> DomainInputs:
    keep = np.ones(part.train.shape[0], np.float32)
    keep[rows] = 0.0
    extended = sparse.csr_matrix(sparse.diags(keep) @ part.train + support)
    extended.eliminate_zeros()
    users = _extend_users(part, knowledge, domain.users, support[rows], rows)
    return DomainInputs(FoldInGraph(domain.graph, extended), users, domain.items)


def _extend_users(
    part: DomainKnowledge,
    knowledge: Knowledge,
    side: Side,
    support: sparse.csr_matrix,
    rows: NDArray[np.int64],
) -> Side:
    """The user side with ``rows`` [n] replaced by what ``support`` [n, n_items] says of them."""
    device, temperature = side.degree.device, knowledge.settings.temperature
    new, near = _side_of(part, knowledge, support, rows, device)
    there, neighbours = torch.from_numpy(rows).to(device), {}

    def put(whole: Tensor, values: Tensor) -> Tensor:
        return whole.index_copy(0, there, values)

    for m, found in near.items():
        known = part.user_neighbours[m]
        merged = Neighbours(known.rows.copy(), known.similarity.copy())
        merged.rows[rows], merged.similarity[rows] = found.rows, found.similarity
        weights = merged.weights(temperature)
        neighbours[m] = NeighbourGraph(merged.rows, weights, len(side), device)
    return replace(
        side,
        content={m: put(side.content[m], new.content[m]) for m in new.content},
        sums={},
        has=put(side.has, new.has),
        neighbours=neighbours,
        signals=put(side.signals, new.signals),
        degree=put(side.degree, new.degree),
    )


def _side_of(
    part: DomainKnowledge,
    knowledge: Knowledge,
    history: sparse.csr_matrix,
    rows: NDArray[np.integer],
    device: str | torch.device,
) -> tuple[Side, dict[str, Neighbours]]:
    """The side of the users ``rows`` [n] by their ``history`` [n, n_items] and nothing else, and
    their neighbours among the users in training."""
    profiles = {m: own_sums(history, x).profiles() for m, x in part.features.items()}
    near = {
        m: nearest(
            found.space, part.profiles[m].space, knowledge.settings.k, same=rows,
            anchor_ok=part.profiles[m].has & (part.user_degree > 0), device=str(device),
        )
        for m, found in profiles.items()
    }  # fmt: skip
    degree = np.diff(history.indptr).astype(np.float32)
    return user_side(part, profiles, near, knowledge, device, degree), near


def alone_users(
    model: MICRec,
    knowledge: Knowledge,
    inputs: ModelInputs,
    encoded: Sequence[Encoded],
    source: int,
    rows: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Embeddings [n, dim] of users of ``source`` from their interactions there and nothing else.

    Their templates of the domain, features inferred from its items alone, and the items' layers as
    they are; for whoever took nothing elsewhere, the embedding they have.
    """
    found, degree = encoded[source], inputs.domains[source].users.degree
    side = alone_side(knowledge, source, rows, inputs.device)
    picked = torch.from_numpy(np.asarray(rows, np.int64)).to(inputs.device)
    gate = model.domain(source).user_gate
    model.eval()
    with torch.no_grad():
        own = found.template_users[picked]
        aggregated = model.aggregate(own, side, gate, anchors=found.initial_users)
        # Propagation is linear: what comes through the items stays, only e' of the user changes.
        mean = torch.where(degree[picked] > 0, 1.0 / (model.settings.layers + 1), 1.0)
        gap = aggregated - found.aggregated_users[picked]
        users: Tensor = found.users[picked] + mean[:, None] * gap
    return users.cpu().numpy()


def alone_side(
    knowledge: Knowledge, source: int, rows: NDArray[np.integer], device: str | torch.device
) -> Side:
    """The user side of ``rows`` [n] by their interactions in ``source`` and nothing else."""
    part = knowledge.domains[source]
    return _side_of(part, knowledge, part.train[rows], rows, device)[0]


def cold_users(
    model: MICRec,
    knowledge: Knowledge,
    inputs: ModelInputs,
    encoded: list[Encoded],
    bridges: Mapping[tuple[int, int], Bridge],
    pair: tuple[int, int],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Embeddings [n, dim] in the target of ``pair`` of source users without a trace there.

    Where no bridge was fitted (one domain at a time, or nobody in common), all that is known of
    them is that they are users: the target's global vector.
    """
    source, target = pair
    if pair not in bridges:
        anyone = model.domain(target).any_user.detach().cpu().numpy()
        return np.repeat(anyone[None], len(rows), axis=0)
    alone = alone_users(model, knowledge, inputs, encoded, source, rows)
    return bridges[pair](alone)
