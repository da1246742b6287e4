"""The trained embeddings, rebuilt from a bundle and kept apart by source (NumPy, no gradient).

The same equations as ``method.micrec``; given the gate weights they are linear,
so an embedding is the sum of what came from interactions (``id``), from each modality and from
other domains (``bridge``). ``verify`` holds it against the model before a bundle is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.gate import Gate
from micrec_core.method.profiles import OTHER_DOMAIN, infer_profiles
from micrec_core.serving.contents import Bundle, DomainPart, Floats


@dataclass(frozen=True)
class DomainTables:
    """What folding in and explaining look up. The axis of length S follows ``Bundle.sources``.

    Attributes
    ----------
    user_degree, item_degree : float32 [n]
    refined_items : [n_items, n_modalities, dim], what neighbours bring to the items' templates
    own_users, own_items : [n, dim], what neighbours lend
    mixed_items : [n_items, S, dim], E' of the items
    final_items : [n_items, S, dim]
    items : [n_items, dim], the sum of ``final_items`` over sources; what users are scored against
    users : [n_users, dim], as trained
    lend_users, lend_items : [n, S, dim], sum over layers l < L of X^l / sqrt(degree): what an
        entity hands on along one edge (times 1 / sqrt(degree) of the receiver); 0 without edges
    user_weights, item_weights : [n, n_modalities], gate weights
    """

    user_degree: Floats
    item_degree: Floats
    refined_items: Floats
    own_users: Floats
    own_items: Floats
    mixed_items: Floats
    final_items: Floats
    items: Floats
    users: Floats
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


@dataclass(frozen=True)
class _Side:
    """What the aggregation sees of the users or the items of a domain.

    ``weights`` [n, n_modalities]; ``content``: modality -> [n, width]; ``near``: modality -> CSR
    [n, n].
    """

    weights: Floats
    share: Floats
    content: dict[str, Floats]
    near: dict[str, sparse.csr_matrix]


def forward(bundle: Bundle) -> tuple[DomainTables, ...]:
    """The tables of every domain."""
    parts = bundle.domains
    sides = [(_user_side(bundle, d), _item_side(bundle, part)) for d, part in enumerate(parts)]
    refined = [_refined(bundle, d, side) for d, (_, side) in enumerate(sides)]
    own = [_own(bundle, *given) for given in zip(parts, refined, strict=True)]
    crossed = [np.zeros_like(users[:, 0]) for users, _ in own]
    for (a, b), weight in bundle.transfer.items():
        there, here = bundle.links.get((a, b), (np.zeros(0, int), np.zeros(0, int)))
        crossed[b][here] += own[a][0][there].sum(axis=1) @ weight.T
    return tuple(
        _domain(bundle, d, sides[d], refined[d], own[d], crossed[d]) for d in range(len(parts))
    )


def _refined(bundle: Bundle, d: int, items: _Side) -> Floats:
    """What neighbours bring to the item templates, [n_items, n_modalities, dim]."""
    part = bundle.domains[d]
    out = np.zeros((len(part.items), len(bundle.modalities), bundle.dim), np.float32)
    if bundle.templates:
        shares = items.weights / np.maximum(items.weights.sum(axis=1, keepdims=True), 1e-30)
        for place, m in enumerate(bundle.modalities):
            out[:, place] = part.refine * shares[:, place, None] * (items.near[m] @ part.items)
    return out


def _own(bundle: Bundle, part: DomainPart, refined: Floats) -> tuple[Floats, Floats]:
    """e_u = (r_u + 1)^-alpha (sum of t~_i + g), items likewise and k t_i; or the free vectors.

    Users by source [n_users, 1 + n_modalities, dim], items [n_items, dim].
    """
    if not bundle.templates:
        nothing = np.zeros((len(part.users), refined.shape[1], bundle.dim), np.float32)
        return np.concatenate([part.users[:, None], nothing], axis=1), part.items
    user_scale = (part.user_degree + 1.0) ** -bundle.alpha
    item_scale = (part.item_degree + 1.0) ** -bundle.alpha
    templates = np.concatenate([part.items[:, None], refined], axis=1)
    users = part.train @ templates.reshape(len(templates), -1)
    users = users.reshape(-1, *templates.shape[1:])
    users[:, 0] += part.any_user
    items = item_scale[:, None] * (part.train.T @ part.users + part.any_item)
    items += part.echo * part.items
    return (user_scale[:, None, None] * users).astype(np.float32), items.astype(np.float32)


def _domain(
    bundle: Bundle,
    d: int,
    sides: tuple[_Side, _Side],
    refined: Floats,
    own: tuple[Floats, Floats],
    crossed: Floats,
) -> DomainTables:
    part, (by_source, items) = bundle.domains[d], own
    users = by_source.sum(axis=1) + crossed
    mixed_users = by_source.copy()
    mixed_users[:, 1:] += _messages(bundle, sides[0], users)
    mixed_items = np.concatenate([items[:, None], _messages(bundle, sides[1], items)], axis=1)
    if "bridge" in bundle.sources:
        mixed_users = np.concatenate([mixed_users, crossed[:, None]], axis=1)
        mixed_items = np.concatenate([mixed_items, np.zeros_like(items)[:, None]], axis=1)
    final_users, final_items, lend_users, lend_items = _propagate(
        bundle, part, mixed_users, mixed_items
    )
    return DomainTables(
        part.user_degree, part.item_degree, refined, users, items, mixed_items, final_items,
        np.ascontiguousarray(final_items.sum(axis=1)), final_users.sum(axis=1), lend_users,
        lend_items,
        sides[0].weights, sides[1].weights,
    )  # fmt: skip


def _messages(bundle: Bundle, side: _Side, own: Floats) -> Floats:
    """w_m h_m of everyone, [n, n_modalities, dim]."""
    out = np.zeros((len(own), len(bundle.modalities), bundle.dim), np.float32)
    for place, m in enumerate(bundle.modalities):
        content = side.content[m] @ bundle.project[m].T
        message = side.near[m] @ own + side.share[:, None] * content
        out[:, place] = side.weights[:, place, None] * message
    return out


def _item_side(bundle: Bundle, part: DomainPart) -> _Side:
    names, degree, n = bundle.modalities, part.item_degree, len(part.item_ids)
    found = {m: part.modalities[m].item_neighbours for m in names}
    has = _columns([part.modalities[m].features.present for m in names], n).astype(bool)
    density = _columns([found[m].density() for m in names], n)
    weights = gate_weights(part.item_gate, part.item_scaling.apply(density, degree), has)
    content = {m: part.modalities[m].features.dense for m in names}
    return _side(bundle, weights, degree, content, found)


def _user_side(bundle: Bundle, d: int) -> _Side:
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
    degree = part.user_degree
    has = _columns([p.has for p in profiles], len(degree)).astype(bool)
    weights = gate_weights(part.user_gate, part.user_scaling.apply(part.coherence, degree), has)
    content = {m: p.content() for m, p in zip(names, profiles, strict=True)}
    found = {m: part.modalities[m].user_neighbours for m in names}
    return _side(bundle, weights, degree, content, found)


def _side(
    bundle: Bundle,
    weights: Floats,
    degree: Floats,
    content: dict[str, Floats],
    found: dict[str, Neighbours],
) -> _Side:
    n = len(degree)
    near = {m: neighbour_matrix(found[m], bundle.temperature, n) for m in bundle.modalities}
    return _Side(weights, 1.0 / (1.0 + degree), content, near)


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
) -> tuple[Floats, Floats, Floats, Floats]:
    """Final users and items, and what both hand on along an edge, each [n, S, dim]."""
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
    user_mean = np.where(part.user_degree > 0, 1.0 / (bundle.layers + 1), 1.0).astype(np.float32)
    user_edge = np.where(part.user_degree > 0, user_scale, 0.0).astype(np.float32)
    item_edge = np.where(part.item_degree > 0, item_scale, 0.0).astype(np.float32)
    return (
        ((sum_users + users) * user_mean[:, None]).reshape(shape_users),
        (sum_items * mean[:, None]).reshape(shape_items),
        (sum_users * user_edge[:, None]).reshape(shape_users),
        (before_items * item_edge[:, None]).reshape(shape_items),
    )


def _columns(parts: list[NDArray], n: int) -> NDArray:
    return np.stack(parts, axis=1) if parts else np.zeros((n, 0), np.float32)
