"""The trained embeddings, rebuilt from a bundle and kept apart by source (NumPy, no gradient).

The same equations as ``models.micrec`` (DESIGN 3.1 to 3.3); given the gate weights they are linear,
so an embedding is the sum of what came from interactions (``id``), from each modality and from
other domains (``bridge``). ``verify`` holds it against the model before a bundle is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.features.types import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.models.gate import Gate
from micrec_core.serving.contents import Bundle, DomainPart, Floats
from micrec_core.training.profiles import OTHER_DOMAIN, infer_profiles


@dataclass(frozen=True)
class DomainTables:
    """What folding in and explaining look up. The axis of length S follows ``Bundle.sources``.

    Attributes
    ----------
    user_degree, item_degree : float32 [n]
    own_users, own_items : [n, dim], what neighbours lend
    mixed_items : [n_items, S, dim], E' of the items
    final_items : [n_items, S, dim]
    items : [n_items, dim], the sum of ``final_items`` over sources; what users are scored against
    lend_users, lend_items : [n, S, dim], sum over layers l < L of X^l / sqrt(degree): what an
        entity hands on along one edge (times 1 / sqrt(degree) of the receiver); 0 without edges
    user_weights, item_weights : [n, n_modalities], gate weights
    """

    user_degree: Floats
    item_degree: Floats
    own_users: Floats
    own_items: Floats
    mixed_items: Floats
    final_items: Floats
    items: Floats
    lend_users: Floats
    lend_items: Floats
    user_weights: Floats
    item_weights: Floats


def gate_weights(
    gate: Gate, signals: NDArray[np.floating], has: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Weights [n, n_modalities] of a gate; the model's own module decides."""
    if not has.shape[1]:
        return np.zeros(has.shape, np.float32)
    with torch.inference_mode():
        found = gate(torch.from_numpy(np.asarray(signals, np.float32)), torch.from_numpy(has))
    return found.numpy()


def forward(bundle: Bundle) -> tuple[DomainTables, ...]:
    """The tables of every domain."""
    templates = [_templates(bundle, part) for part in bundle.domains]
    crossed = [np.zeros_like(users) for users, _ in templates]
    for (a, b), weight in bundle.transfer.items():
        there, here = bundle.links.get((a, b), (np.zeros(0, int), np.zeros(0, int)))
        crossed[b][here] += templates[a][0][there] @ weight.T
    return tuple(_domain(bundle, d, *templates[d], crossed[d]) for d in range(len(bundle.domains)))


def _templates(bundle: Bundle, part: DomainPart) -> tuple[Floats, Floats]:
    """e_u = (r_u + 1)^-alpha (sum of t_i + g), items symmetric; or the free vectors."""
    if not bundle.templates:
        return part.users, part.items
    user_scale = (part.user_degree + 1.0) ** -bundle.alpha
    item_scale = (part.item_degree + 1.0) ** -bundle.alpha
    users = user_scale[:, None] * (part.train @ part.items + part.any_user)
    items = item_scale[:, None] * (part.train.T @ part.users + part.any_item)
    return users.astype(np.float32), items.astype(np.float32)


def _domain(bundle: Bundle, d: int, users: Floats, items: Floats, crossed: Floats) -> DomainTables:
    part = bundle.domains[d]
    own_users = users + crossed
    user_messages, user_weights = _user_messages(bundle, d, own_users)
    item_messages, item_weights = _item_messages(bundle, part, items)
    crosses = "bridge" in bundle.sources
    there = [crossed] if crosses else []
    none = [np.zeros_like(items)] if crosses else []
    mixed_users = np.stack([users, *user_messages, *there], axis=1)
    mixed_items = np.stack([items, *item_messages, *none], axis=1)
    final_items, lend_users, lend_items = _propagate(bundle, part, mixed_users, mixed_items)
    return DomainTables(
        part.user_degree, part.item_degree, own_users, items, mixed_items, final_items,
        np.ascontiguousarray(final_items.sum(axis=1)), lend_users, lend_items,
        user_weights, item_weights,
    )  # fmt: skip


def _item_messages(bundle: Bundle, part: DomainPart, own: Floats) -> tuple[list[Floats], Floats]:
    """w_m h_m of every item, per modality, and the weights."""
    names = bundle.modalities
    found = [part.modalities[m].item_neighbours for m in names]
    has = _columns([part.modalities[m].features.present for m in names], len(own)).astype(bool)
    density = _columns([n.density() for n in found], len(own))
    degree = part.item_degree
    weights = gate_weights(part.item_gate, part.item_scaling.apply(density, degree), has)
    share = 1.0 / (1.0 + degree)
    out = []
    for place, m in enumerate(names):
        content = part.modalities[m].features.dense @ bundle.project[m].T
        lent = neighbour_matrix(found[place], bundle.temperature, len(own)) @ own
        out.append(weights[:, place, None] * (lent + share[:, None] * content))
    return out, weights


def _user_messages(bundle: Bundle, d: int, own: Floats) -> tuple[list[Floats], Floats]:
    """w_m h_m of every user, per modality, and the weights."""
    part, names = bundle.domains[d], bundle.modalities
    profiles = []
    for m in names:
        mine = infer_profiles(part.train, _dense_only(part, m))
        for (a, b), (there, here) in bundle.links.items():
            if b == d and bundle.cross_profile:
                source = bundle.domains[a]
                theirs = infer_profiles(source.train, _dense_only(source, m))
                mine = mine.plus(theirs, OTHER_DOMAIN, here, there)
        profiles.append(mine)
    has = _columns([p.has for p in profiles], len(own)).astype(bool)
    degree = part.user_degree
    weights = gate_weights(part.user_gate, part.user_scaling.apply(part.coherence, degree), has)
    share = 1.0 / (1.0 + degree)
    out = []
    for place, m in enumerate(names):
        content = profiles[place].content() @ bundle.project[m].T
        found = part.modalities[m].user_neighbours
        lent = neighbour_matrix(found, bundle.temperature, len(own)) @ own
        out.append(weights[:, place, None] * (lent + share[:, None] * content))
    return out, weights


def _dense_only(part: DomainPart, m: str) -> FeatureMatrix:
    features = part.modalities[m].features
    return FeatureMatrix(features.dense, None, features.present)


def neighbour_matrix(found: Neighbours, temperature: float, n: int) -> sparse.csr_matrix:
    """The weights of all neighbours as CSR [len(found), n]."""
    weights = found.weights(temperature)
    there = found.rows >= 0
    pointers = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return sparse.csr_matrix((weights[there], found.rows[there], pointers), shape=(len(there), n))


def _propagate(
    bundle: Bundle, part: DomainPart, users: Floats, items: Floats
) -> tuple[Floats, Floats, Floats]:
    """Final items, and what users and items hand on along an edge, each [n, S, dim]."""
    shape_users, shape_items = users.shape, items.shape
    users, items = users.reshape(len(users), -1), items.reshape(len(items), -1)
    user_scale = np.maximum(part.user_degree, 1.0) ** -0.5
    item_scale = np.maximum(part.item_degree, 1.0) ** -0.5
    graph = (sparse.diags(user_scale) @ part.train @ sparse.diags(item_scale)).tocsr()
    graph = graph.astype(np.float32)
    back = graph.T.tocsr()
    sum_users, sum_items = np.zeros_like(users), items.copy()
    before_items = np.zeros_like(items)
    for _ in range(bundle.layers):
        sum_users += users
        before_items += items
        users, items = graph @ items, back @ users
        sum_items += items
    mean = np.where(part.item_degree > 0, 1.0 / (bundle.layers + 1), 1.0).astype(np.float32)
    user_edge = np.where(part.user_degree > 0, user_scale, 0.0).astype(np.float32)
    item_edge = np.where(part.item_degree > 0, item_scale, 0.0).astype(np.float32)
    return (
        (sum_items * mean[:, None]).reshape(shape_items),
        (sum_users * user_edge[:, None]).reshape(shape_users),
        (before_items * item_edge[:, None]).reshape(shape_items),
    )


def _columns(parts: list[NDArray], n: int) -> NDArray:
    return np.stack(parts, axis=1) if parts else np.zeros((n, 0), np.float32)
