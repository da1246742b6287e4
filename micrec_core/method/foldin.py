"""The embedding of one user or item, whoever it is, without changing a parameter.

The method's equations (docs/method.md, sections 2 to 7 and 10) for a single entity, in NumPy and
milliseconds: the one other place where they stand, held to the model by ``serving.verify`` and the
tests. An embedding is made as a list of ``Block``s, each the vectors that some contributors bring,
and is their sum; so an explanation has nothing to estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from micrec_core.features import FeatureMatrix, centre
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.arrays import Floats, ModelArrays, Rows, columns_of
from micrec_core.method.bridge import NEAREST, TEMPERATURE
from micrec_core.method.evidence import Person, Profile, profile_of
from micrec_core.method.profiles import SIGNALS, columns, item_statistics
from micrec_core.method.search import Index, Query, softmax_weights

Vectors = NDArray[np.float64]
NO_ROWS = np.zeros(0, np.int64)
TEMPLATE = "template of your item"
TEMPLATES, NEIGHBOURS, CONTENT, PROPAGATION = "templates", "neighbours", "content", "propagation"


@dataclass(frozen=True)
class Block:
    """Vectors that contributors of one sort bring.

    Attributes
    ----------
    source : of ``ModelArrays.sources``
    via : the path, in words
    vectors : float64 [n, dim]
    kind : whose ``rows`` these are, ``item`` or ``user``, or empty for none
    domain : of the contributors
    rows : int64 [n], or empty
    part : of the method: ``templates``, ``neighbours``, ``content`` or ``propagation``; kept where
        a bridge takes the vectors elsewhere
    """

    source: str
    via: str
    vectors: Vectors
    kind: str = ""
    domain: int = -1
    rows: Rows = field(default_factory=lambda: NO_ROWS)
    part: str = ""

    def times(self, factor: float) -> Block:
        """The same, scaled."""
        # Not ``replace``, which takes longer than the product.
        scaled = self.vectors * factor
        return Block(self.source, self.via, scaled, self.kind, self.domain, self.rows, self.part)


@dataclass(frozen=True)
class Near:
    """Neighbours in a modality: rows, cosines and normalised weights, best first."""

    rows: Rows
    similarity: NDArray[np.float32]
    weights: NDArray[np.float64]

    def one(self) -> Neighbours:
        """As the neighbours of one entity, [1, n]."""
        return Neighbours(self.rows[None].astype(np.int32), self.similarity[None])


NOBODY = Near(NO_ROWS, np.zeros(0, np.float32), np.zeros(0))


@dataclass(frozen=True)
class Folded:
    """A user or an item in one domain.

    Attributes
    ----------
    blocks : what the embedding is the sum of
    degree : interactions with trained entities, which is what the graph sees
    weights : float [n_modalities], the gate's
    signals : float [n_modalities, signals], what the gate looked at, standardised
    near : modality -> neighbours
    profiles : modality -> Profile, of users
    empty : there is nothing to go by at all
    """

    domain: int
    blocks: tuple[Block, ...]
    degree: int
    weights: NDArray[np.float32]
    signals: NDArray[np.float32]
    near: Mapping[str, Near]
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    empty: bool = False

    def by_source(self, sources: tuple[str, ...]) -> Vectors:
        """float64 [S, dim]; rows add up to the embedding."""
        out = np.zeros((len(sources), self.blocks[0].vectors.shape[1]))
        for block, brought in zip(self.blocks, self._brought, strict=True):
            out[sources.index(block.source)] += brought
        return out

    def vector(self) -> Vectors:
        """float64 [dim], the embedding."""
        return self._vector

    @cached_property
    def _vector(self) -> Vectors:
        total: Vectors = np.sum(self._brought, axis=0)
        total.flags.writeable = False
        return total

    @cached_property
    def _brought(self) -> list[Vectors]:
        """What each block adds, float64 [dim]."""
        return [block.vectors.sum(axis=0) for block in self.blocks]


class FoldIn:
    """Folds users and items in; read-only after construction."""

    def __init__(self, model: ModelArrays):
        self.model = model
        # Made when somebody is looked for there: of millions they take a while.
        self._user_index = cache(lambda d, m: Index(model.domains[d].modalities[m].user_space))
        self.item_index = cache(lambda d, m: Index(model.domains[d].modalities[m].features.space))
        self._overlap = cache(lambda s, d: Index(model.bridge[s, d].source))

    # Users ---------------------------------------------------------------------------------------

    def known(self, user: Person, d: int) -> Rows:
        """The user's items of a domain that the graph has edges of."""
        rows = user.items[d]
        return rows[self.model.domains[d].item_degree[rows] > 0]

    def trained(self, d: int, row: int) -> Person:
        """The user of a row in domain ``d``, with what they took in every domain."""
        rows = [-1] * len(self.model.domains)
        rows[d] = row
        for (source, target), (there, here) in self.model.links.items():
            if source == d and (there == row).any():
                rows[target] = int(here[there == row][0])
        items = [
            columns_of(part.train, r) for r, part in zip(rows, self.model.domains, strict=True)
        ]
        return Person(tuple(rows), tuple(items), tuple(r >= 0 for r in rows), {})

    def user(self, user: Person, d: int, alone: bool = False) -> Folded:
        """A user in a domain: hot, warm or cold, whatever there is to go by.

        ``alone``: without anything from another domain, which is what bridges start from.
        """
        folded, items = self._aggregated_user(user, d, alone), self.known(user, d)
        if not len(items):
            return folded
        passed = self.model.domains[d].passed_on(items, self.model.layers)
        blocks = self._mean(folded.blocks, passed, "through your item", "item", d, items)
        return replace(folded, blocks=blocks)

    def _aggregated_user(self, user: Person, d: int, alone: bool = False) -> Folded:
        """Sections 2 to 6: a user's embedding before the propagation."""
        model, items = self.model, self.known(user, d)
        domains = range(len(model.domains))
        others = [s for s in domains if s != d and not alone and len(self.known(user, s))]
        mixing = others if model.cross_profile and len(items) else []
        profiles = {m: profile_of(model, user, d, m, mixing) for m in model.modalities}
        bridged = [] if len(items) else self._bridged(user, d, others)
        # Whoever comes over a bridge has its constant instead of the target's global vector.
        blocks = bridged or self._templates(user, d, items)
        if model.transfer and len(items):
            blocks += self._transferred(user, d, others)
        weights, signals, near, messages = self._messages(user, d, profiles, len(items), others)
        blocks += messages
        # Someone new with no vector of their own is still told by what they took, along the graph.
        reached = model.templates or user.unchanged[d] or model.layers > 0
        known = bool(bridged) or any(p.has for p in profiles.values())
        empty = not known and not (len(items) and reached)
        return Folded(d, tuple(blocks), len(items), weights, signals, near, profiles, empty)

    def _templates(self, user: Person, d: int, items: Rows) -> list[Block]:
        """Sections 2 and 3: refined templates of the user's items and the global vector.

        Without templates the user's own vector.
        """
        part, model = self.model.domains[d], self.model
        if not model.templates and user.unchanged[d]:
            vector = part.user_templates[user.rows[d]].astype(np.float64)
            return [Block("id", "own trained vector", vector[None, :])]
        if not model.templates and len(items):
            # Someone new has no vector of their own where vectors are per user.
            return [Block("id", "no vector of their own", np.zeros((1, model.dim)))]
        scale = (len(items) + 1.0) ** -model.alpha
        shared = scale * part.any_user[None].astype(float)
        everyone = Block("id", "what all users share", shared, part=TEMPLATES)
        if not len(items):
            return [everyone]
        vectors = scale * part.item_templates[items].astype(np.float64)
        blocks = [Block("id", TEMPLATE, vectors, "item", d, items, TEMPLATES), everyone]
        for m, brought in self._refinements(d, items).items():
            via = f"items alike by {m}, through your item"
            blocks.append(Block(m, via, scale * brought, "item", d, items, NEIGHBOURS))
        return blocks

    def _refinements(self, d: int, items: Rows) -> dict[str, Vectors]:
        """Section 3: c beta_i^m sum_n S_in^m t_n of some items, [n, dim] a modality."""
        part, out = self.model.domains[d], {}
        beta = part.refine * part.item_gate.shares(*self._item_signals(d, items))
        for place, (m, x) in enumerate(part.modalities.items()):
            near = x.item_neighbours
            some = Neighbours(near.rows[items], near.similarity[items])
            weights = some.weights(self.model.temperature) * beta[:, [place]]
            templates = part.item_templates[np.maximum(some.rows, 0)]
            out[m] = np.einsum("nk,nkd->nd", weights, templates, dtype=np.float64)
        return out

    def _transferred(self, user: Person, d: int, others: list[int]) -> list[Block]:
        """Section 5: what the user's templates of other domains bring beside those of this one."""
        blocks = []
        for s in others:
            move = self.model.transfer[s, d].astype(np.float64)
            name = self.model.domains[s].label
            for block in self._templates(user, s, self.known(user, s)):
                via, moved = f"{block.via} in {name}, transferred", block.vectors @ move.T
                blocks.append(replace(block, source="bridge", via=via, vectors=moved))
        return blocks

    def _bridged(self, user: Person, d: int, others: list[int]) -> list[Block]:
        """Section 11: what bridges make of the user elsewhere alone (the mean of several)."""
        pairs = [(s, d) for s in others if (s, d) in self.model.bridge]
        blocks = []
        for s, _ in pairs:
            bridge, name = self.model.bridge[s, d], self.model.domains[s].label
            weight = bridge.weight.astype(np.float64) / len(pairs)
            there = self.user(user, s, alone=True)
            for block in there.blocks:
                via, moved = f"{block.via} in {name}, bridged", block.vectors @ weight.T
                blocks.append(replace(block, source="bridge", via=via, vectors=moved))
            constant = bridge.bias[None, :].astype(np.float64) / len(pairs)
            blocks.append(Block("bridge", f"what users from {name} share", constant))
            if bridge.share:
                nearest = self._nearest_of_both(user, s, d, there.vector())
                blocks.append(nearest.times(bridge.share / len(pairs)))
        return blocks

    def _nearest_of_both(self, user: Person, s: int, d: int, alone: Vectors) -> Block:
        """The target embeddings of the users of both domains who are nearest in the source."""
        bridge, (there, here) = self.model.bridge[s, d], self.model.links[s, d]
        own = np.flatnonzero(there == user.rows[s])
        rows, cosines = self._overlap(s, d).nearest(
            Query(alone / max(float(np.linalg.norm(alone)), 1e-12)),
            NEAREST,
            without=int(own[0]) if len(own) else -1,
        )
        weights = softmax_weights(cosines, TEMPERATURE)
        vectors = bridge.target[rows].astype(np.float64) * weights[:, None]
        via = f"user of both, alike in {self.model.domains[s].label}"
        return Block("bridge", via, vectors, "user", d, here[rows])

    def _messages(
        self,
        user: Person,
        d: int,
        profiles: dict[str, Profile],
        degree: int,
        others: list[int],
    ) -> tuple[Floats, Floats, dict[str, Near], list[Block]]:
        """Section 6: gate weights, signals, neighbours and messages of a user."""
        model, part = self.model, self.model.domains[d]
        names = model.modalities
        statistics = columns([profiles[m].statistics[None] for m in names], 1, len(SIGNALS) - 1)
        signals = part.user_scaling.apply(statistics, np.array([degree], np.float32))
        weights = part.user_gate(signals, np.array([[profiles[m].has for m in names]]))[0]
        near, blocks = {}, []
        for place, m in enumerate(names):
            if not profiles[m].has:
                continue
            found = near[m] = self._near_users(user, d, m, profiles[m], others)
            weight = float(weights[place])
            brought = part.initial_users[found.rows] * (weight * found.weights)[:, None]
            via = f"user alike by {m}"
            blocks.append(Block(m, via, brought, "user", d, found.rows, NEIGHBOURS))
            project = model.project[m].astype(np.float64) * (weight / (1.0 + degree))
            for evidence, content in profiles[m].shares():
                words = f"what your {m} says" if evidence.domain < 0 else f"{m} of your item"
                kind = "item" if len(evidence.rows) else ""
                vectors = content @ project.T
                told = Block(m, words, vectors, kind, evidence.domain, evidence.rows, CONTENT)
                blocks.append(told)
        return weights, signals[0], near, blocks

    def _near_users(
        self, user: Person, d: int, m: str, profile: Profile, others: list[int]
    ) -> Near:
        """Neighbours by profile; those of training for a user who is as in training."""
        row = user.rows[d]
        if user.unchanged[d] and self._as_trained(user, d, others):
            return self._near(self.model.domains[d].modalities[m].user_neighbours, row)
        index, k = self._user_index(d, m), self.model.k
        rows, cosines = index.nearest(profile.query.as_profile(), k, without=row)
        return Near(rows, cosines, softmax_weights(cosines, self.model.temperature))

    def _near(self, found: Neighbours, row: int) -> Near:
        """A row's neighbours of training."""
        there = found.rows[row] >= 0
        rows, cosines = found.rows[row][there].astype(np.int64), found.similarity[row][there]
        return Near(rows, cosines, softmax_weights(cosines, self.model.temperature))

    def _as_trained(self, user: Person, d: int, others: list[int]) -> bool:
        """Whether what comes from other domains is what came in training, no more and no less."""
        if not self.model.cross_profile:
            return True
        rest = [s for s in range(len(user.rows)) if s != d]
        return all(
            user.unchanged[s] and s in others if user.rows[s] >= 0 else s not in others
            for s in rest
        )

    def _mean(
        self,
        blocks: tuple[Block, ...],
        passed: Vectors,
        via: str,
        kind: str,
        d: int,
        rows: Rows,
    ) -> tuple[Block, ...]:
        """Section 7 for one more entity: the mean over layers, the others' layers as they are.

        ``passed``: what its neighbours ``rows`` in the graph pass on along an edge, [n, S, dim].
        """
        mean = 1.0 / (self.model.layers + 1)
        received = passed * (mean * len(rows) ** -0.5)
        return (
            *(block.times(mean) for block in blocks),
            *(
                Block(source, via, received[:, place], kind, d, rows, PROPAGATION)
                for place, source in enumerate(self.model.sources)
            ),
        )

    # Items ---------------------------------------------------------------------------------------

    def new_item(self, d: int, documents: Mapping[str, FeatureMatrix], users: Rows) -> Folded:
        """An item that is not in the catalogue, from what it says and shows and its first users."""
        centred = {m: centre(x, self.model.means[m][d]) for m, x in documents.items()}
        return self._new_item(d, centred, users)

    def _new_item(self, d: int, features: Mapping[str, FeatureMatrix], users: Rows) -> Folded:
        """``features``: centred, a row each."""
        model, part = self.model, self.model.domains[d]
        n, blocks = len(users), []
        scale = (n + 1.0) ** -model.alpha if model.templates else 1.0
        if n and model.templates:
            vectors = scale * part.user_templates[users].astype(np.float64)
            of_users = Block("id", "template of its user", vectors, "user", d, users, TEMPLATES)
            blocks.append(of_users)
        everyone = scale * part.any_item[None].astype(np.float64)
        blocks.append(Block("id", "what all items share", everyone, part=TEMPLATES))
        weights, signals, near, messages = self._new_item_messages(d, features, n)
        made = tuple(blocks + messages)
        if n:
            passed = np.stack([self._passed_on_by_user(d, int(row)) for row in users])
            made = self._mean(made, passed, "through its user", "user", d, users)
        return Folded(d, made, n, weights, signals, near)

    def _passed_on_by_user(self, d: int, row: int) -> Vectors:
        """What a user of training passes on along an edge, [S, dim]: the sum of their layers but
        the last over the root of their degree."""
        model, user = self.model, self.trained(d, row)
        items = user.items[d]
        if not model.layers:
            return np.zeros((len(model.sources), model.dim))
        total = self._aggregated_user(user, d).by_source(model.sources)
        scale = float(len(items) ** -0.5)
        received: Vectors = model.domains[d].passed_on(items, model.layers - 1).sum(axis=0)
        return (total + received * scale) * scale

    def _new_item_messages(
        self, d: int, features: Mapping[str, FeatureMatrix], degree: int
    ) -> tuple[Floats, Floats, dict[str, Near], list[Block]]:
        model, part = self.model, self.model.domains[d]
        names, near, queries = model.modalities, {}, {}
        for m in (m for m in names if m in features):
            queries[m] = Query.of(features[m]).normalised()
            anchors = part.modalities[m].features.present & (part.item_degree > 0)
            rows, cosines = self.item_index(d, m).nearest(queries[m], model.k, anchors)
            near[m] = Near(rows, cosines, softmax_weights(cosines, model.temperature))
        told = [item_statistics(near.get(m, NOBODY).one()) for m in names]
        statistics = columns(told, 1, len(SIGNALS) - 1)
        signals = part.item_scaling.apply(statistics, np.array([degree], np.float32))
        weights = part.item_gate(signals, np.array([[m in near for m in names]], bool))[0]
        blocks = []
        for place, m in enumerate(names):
            if m not in near:
                continue
            weight = float(weights[place])
            brought = part.initial_items[near[m].rows] * (weight * near[m].weights)[:, None]
            via = f"item alike by {m}"
            blocks.append(Block(m, via, brought, "item", d, near[m].rows, NEIGHBOURS))
            content = model.project[m].astype(np.float64) @ queries[m].dense
            content *= weight / (1.0 + degree)
            blocks.append(Block(m, f"what its {m} says", content[None, :], part=CONTENT))
        return weights, signals[0], near, blocks

    def item(self, d: int, row: int) -> Folded:
        """An item of the catalogue; its blocks add up to its embedding."""
        model, part = self.model, self.model.domains[d]
        if part.joined[row]:
            return self.joined_item(d, row)
        degree = int(part.item_degree[row])
        mean = 1.0 / (model.layers + 1) if degree else 1.0
        final = part.items_by_source(np.array([row]))[0].astype(np.float64)
        aggregated = part.item_layers[row, 0].astype(np.float64) * mean
        blocks, near = [], {}
        if model.templates:
            shared = mean * (degree + 1.0) ** -model.alpha * part.any_item.astype(np.float64)
            template = (mean * part.own_template) * part.item_templates[row].astype(np.float64)
            users = aggregated[0] - shared - template
            for via, vector in (
                ("templates of its users", users),
                ("its own template", template),
                ("what all items share", shared),
            ):
                blocks.append(Block("id", via, vector[None, :], part=TEMPLATES))
        else:
            blocks.append(Block("id", "own trained vector", aggregated[0][None, :]))
        signals, has = self._item_signals(d, np.array([row]))
        weights = part.item_gate(signals, has)[0]
        for place, (m, x) in enumerate(part.modalities.items()):
            found = near[m] = self._near(x.item_neighbours, row)
            scale = (mean * weights[place] * found.weights)[:, None]
            brought = part.initial_items[found.rows] * scale
            via = f"item alike by {m}"
            blocks.append(Block(m, via, brought, "item", d, found.rows, NEIGHBOURS))
            rest = aggregated[1 + place] - brought.sum(axis=0)
            blocks.append(Block(m, f"what its {m} says", rest[None, :], part=CONTENT))
        if degree:
            for place, source in enumerate(model.sources):
                passed = (final[place] - aggregated[place])[None, :]
                blocks.append(Block(source, "through its users", passed, part=PROPAGATION))
        return Folded(d, tuple(blocks), degree, weights, signals[0], near)

    def joined_item(self, d: int, row: int) -> Folded:
        """An item that came after training, as ``new_item`` makes one of the same content."""
        part, features = self.model.domains[d], {}
        for m, x in part.modalities.items():
            if x.features.present[row]:
                features[m] = x.features[row : row + 1]
        return self._new_item(d, features, part.first_users(row))

    def item_weights(self, d: int, rows: Rows) -> Floats:
        """Gate weights of items of the catalogue, [n, n_modalities]."""
        part = self.model.domains[d]
        weights = part.item_gate(*self._item_signals(d, rows))
        for place in np.flatnonzero(part.joined[rows]):
            weights[place] = self.joined_item(d, int(rows[place])).weights
        return weights

    def _item_signals(self, d: int, rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
        """What the gate looks at, [n, n_modalities, signals], and what the items have."""
        part = self.model.domains[d]
        n, parts = len(rows), part.modalities.values()
        near = [x.item_neighbours for x in parts]
        told = [item_statistics(Neighbours(x.rows[rows], x.similarity[rows])) for x in near]
        statistics = columns(told, n, len(SIGNALS) - 1)
        has = columns([x.features.present[rows] for x in parts], n).astype(bool)
        return part.item_scaling.apply(statistics, part.item_degree[rows]), has
