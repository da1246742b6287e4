"""Embeddings of anyone and anything, computed without changing a parameter.

An embedding is made as a list of ``Block``s, each the vectors that some contributors bring, and is
their sum; so an explanation has nothing to estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from micrec_core.features import FeatureMatrix
from micrec_core.method.bridge import NEAREST, TEMPERATURE
from micrec_core.modalities.base import centre
from micrec_core.serving.contents import Bundle
from micrec_core.serving.forward import DomainTables, forward, gate_weights
from micrec_core.serving.profiles import Profile, profile_of
from micrec_core.serving.search import Index, Query, softmax_weights
from micrec_core.serving.users import User

Vectors = NDArray[np.float64]
NO_ROWS = np.zeros(0, np.int64)
TEMPLATE = "template of your item"


@dataclass(frozen=True)
class Block:
    """Vectors that contributors of one sort bring.

    Attributes
    ----------
    source : of ``Bundle.sources``
    via : the path, in words
    vectors : float64 [n, dim]
    kind : whose ``rows`` these are, ``item`` or ``user``, or empty for none
    domain : of the contributors
    rows : int64 [n], or empty
    """

    source: str
    via: str
    vectors: Vectors
    kind: str = ""
    domain: int = -1
    rows: NDArray[np.int64] = field(default_factory=lambda: NO_ROWS)

    def times(self, factor: float) -> Block:
        """The same, scaled."""
        return replace(self, vectors=self.vectors * factor)


@dataclass(frozen=True)
class Near:
    """Neighbours in a modality: rows, cosines and normalised weights, best first."""

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Folded:
    """A user or an item in one domain.

    Attributes
    ----------
    blocks : what the embedding is the sum of
    degree : interactions with trained entities, which is what the graph sees
    weights : float [n_modalities], the gate's
    signals : float [n_modalities, 2], what the gate looked at, standardised
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
        for block in self.blocks:
            out[sources.index(block.source)] += block.vectors.sum(axis=0)
        return out

    def vector(self) -> Vectors:
        """float64 [dim], the embedding."""
        return np.sum([block.vectors.sum(axis=0) for block in self.blocks], axis=0)


class FoldIn:
    """Folds users and items in; read-only after construction."""

    def __init__(self, bundle: Bundle):
        self.bundle = bundle
        self.tables: tuple[DomainTables, ...] = forward(bundle)
        self._user_index = [
            {m: Index(part.modalities[m].user_space) for m in bundle.modalities}
            for part in bundle.domains
        ]
        self.item_index = [
            {m: Index(part.modalities[m].features.space) for m in bundle.modalities}
            for part in bundle.domains
        ]
        self._overlap = {pair: Index(b.source) for pair, b in bundle.bridge.items()}
        self._anchors = [
            {m: part.modalities[m].features.present & (t.item_degree > 0) for m in part.modalities}
            for part, t in zip(bundle.domains, self.tables, strict=True)
        ]

    # Users ---------------------------------------------------------------------------------------

    def known(self, user: User, d: int) -> NDArray[np.int64]:
        """The user's items of a domain that the graph has edges of."""
        rows = user.items[d]
        return rows[self.tables[d].item_degree[rows] > 0]

    def user(self, user: User, d: int, alone: bool = False) -> Folded:
        """A user in a domain: hot, warm or cold, whatever there is to go by.

        ``alone``: without anything from another domain, which is what bridges start from.
        """
        bundle, items = self.bundle, self.known(user, d)
        domains = range(len(bundle.domains))
        others = [s for s in domains if s != d and not alone and len(self.known(user, s))]
        mixing = others if bundle.cross_profile and len(items) else []
        profiles = {m: profile_of(bundle, user, d, m, mixing) for m in bundle.modalities}
        bridged = [] if len(items) else self._bridged(user, d, others)
        # Whoever comes over a bridge has its constant instead of the target's global vector.
        blocks = bridged or self._own(user, d, items)
        if bundle.transfer and len(items):
            blocks += self._transferred(user, d, others)
        weights, signals, near, messages = self._aggregate(user, d, profiles, len(items), others)
        blocks += messages
        if len(items):
            blocks = self._propagate(d, items, blocks)
        owned = bundle.templates or user.unchanged[d]
        known = bool(bridged) or any(p.has for p in profiles.values())
        empty = not known and not (len(items) and owned)
        return Folded(d, tuple(blocks), len(items), weights, signals, near, profiles, empty)

    def _own(self, user: User, d: int, items: NDArray[np.int64]) -> list[Block]:
        """3.1: templates of the user's items and the global vector, or the user's own vector."""
        part, bundle = self.bundle.domains[d], self.bundle
        if not bundle.templates and user.unchanged[d]:
            vector = part.users[user.rows[d]].astype(np.float64)
            return [Block("id", "own trained vector", vector[None, :])]
        if not bundle.templates and len(items):
            # Someone new has no vector of their own where vectors are per user.
            return [Block("id", "no vector of their own", np.zeros((1, bundle.dim)))]
        scale = (len(items) + 1.0) ** -bundle.alpha
        everyone = Block("id", "what all users share", scale * part.any_user[None].astype(float))
        if not len(items):
            return [everyone]
        vectors = scale * part.items[items].astype(np.float64)
        refined = scale * self.tables[d].refined_items[items].astype(np.float64)  # [n, M, dim]
        return [
            Block("id", TEMPLATE, vectors, "item", d, items),
            everyone,
            *(
                Block(
                    m, f"items alike by {m}, through your item", refined[:, place], "item", d, items
                )
                for place, m in enumerate(bundle.modalities)
            ),
        ]

    def _transferred(self, user: User, d: int, others: list[int]) -> list[Block]:
        """What the user's templates of other domains bring beside those of this one."""
        blocks = []
        for s in others:
            move = self.bundle.transfer[s, d].astype(np.float64)
            name = self.bundle.domains[s].label
            for block in self._own(user, s, self.known(user, s)):
                via, moved = f"{block.via} in {name}, transferred", block.vectors @ move.T
                blocks.append(replace(block, source="bridge", via=via, vectors=moved))
        return blocks

    def _bridged(self, user: User, d: int, others: list[int]) -> list[Block]:
        """What the bridges make of the user alone in other domains (the mean of several)."""
        pairs = [(s, d) for s in others if (s, d) in self.bundle.bridge]
        blocks = []
        for s, _ in pairs:
            bridge, name = self.bundle.bridge[s, d], self.bundle.domains[s].label
            weight = bridge.weight.astype(np.float64) / len(pairs)
            there = self.user(user, s, alone=True)
            for block in there.blocks:
                via, moved = f"{block.via} in {name}, bridged", block.vectors @ weight.T
                blocks.append(replace(block, source="bridge", via=via, vectors=moved))
            constant = bridge.bias[None, :].astype(np.float64) / len(pairs)
            blocks.append(Block("bridge", f"what users from {name} share", constant))
            if bridge.share:
                lent = self._lenders(user, s, d, there.vector())
                blocks.append(lent.times(bridge.share / len(pairs)))
        return blocks

    def _lenders(self, user: User, s: int, d: int, alone: Vectors) -> Block:
        """The target embeddings of the users of both domains who are nearest in the source."""
        bridge, (there, here) = self.bundle.bridge[s, d], self.bundle.links[s, d]
        own = np.flatnonzero(there == user.rows[s])
        rows, cosines = self._overlap[s, d].nearest(
            Query(alone / max(float(np.linalg.norm(alone)), 1e-12)),
            NEAREST,
            without=int(own[0]) if len(own) else -1,
        )
        weights = softmax_weights(cosines, TEMPERATURE)
        vectors = bridge.target[rows].astype(np.float64) * weights[:, None]
        via = f"user of both, alike in {self.bundle.domains[s].label}"
        return Block("bridge", via, vectors, "user", d, here[rows])

    def _aggregate(
        self,
        user: User,
        d: int,
        profiles: dict[str, Profile],
        degree: int,
        others: list[int],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Near], list[Block]]:
        """3.2: gate weights, signals, neighbours and messages of a user."""
        bundle, part = self.bundle, self.bundle.domains[d]
        if not bundle.modalities:
            nothing = np.zeros(0, np.float32)
            return nothing, np.zeros((0, 2), np.float32), {}, []
        coherence = np.array([[profiles[m].coherence for m in bundle.modalities]], np.float32)
        signals = part.user_scaling.apply(coherence, np.array([degree], np.float32))
        has = np.array([[profiles[m].has for m in bundle.modalities]])
        weights = gate_weights(part.user_gate, signals, has)[0]
        near, blocks = {}, []
        for place, m in enumerate(bundle.modalities):
            if not has[0, place]:
                continue
            found = near[m] = self._near_users(user, d, m, profiles[m], others)
            weight = float(weights[place])
            lent = self.tables[d].own_users[found.rows] * (weight * found.weights)[:, None]
            blocks.append(Block(m, f"user alike by {m}", lent, "user", d, found.rows))
            project = bundle.project[m].astype(np.float64) * (weight / (1.0 + degree))
            for evidence, content in profiles[m].shares():
                words = f"what your {m} says" if evidence.domain < 0 else f"{m} of your item"
                kind = "item" if len(evidence.rows) else ""
                vectors = content @ project.T
                blocks.append(Block(m, words, vectors, kind, evidence.domain, evidence.rows))
        return weights, signals[0], near, blocks

    def _near_users(self, user: User, d: int, m: str, profile: Profile, others: list[int]) -> Near:
        """Neighbours by profile; those of training for a user who is as in training."""
        row = user.rows[d]
        if user.unchanged[d] and self._as_trained(user, d, others):
            kept = self.bundle.domains[d].modalities[m].user_neighbours
            there = kept.rows[row] >= 0
            rows, cosines = kept.rows[row][there].astype(np.int64), kept.similarity[row][there]
        else:
            index, k = self._user_index[d][m], self.bundle.k
            rows, cosines = index.nearest(profile.query.as_profile(), k, without=row)
        return Near(rows, cosines, softmax_weights(cosines, self.bundle.temperature))

    def _as_trained(self, user: User, d: int, others: list[int]) -> bool:
        """Whether what comes from other domains is what came in training, no more and no less."""
        if not self.bundle.cross_profile:
            return True
        rest = [s for s in range(len(user.rows)) if s != d]
        return all(
            user.unchanged[s] and s in others if user.rows[s] >= 0 else s not in others
            for s in rest
        )

    def _propagate(self, d: int, items: NDArray[np.int64], blocks: list[Block]) -> list[Block]:
        """3.3 for one more user: the mean over layers, the items' layers as they are."""
        mean = 1.0 / (self.bundle.layers + 1)
        lent = self.tables[d].lend_items[items].astype(np.float64)  # [n, S, dim]
        lent *= mean * len(items) ** -0.5
        return [block.times(mean) for block in blocks] + [
            Block(source, "through your item", lent[:, place], "item", d, items)
            for place, source in enumerate(self.bundle.sources)
        ]

    # Items ---------------------------------------------------------------------------------------

    def new_item(
        self, d: int, documents: Mapping[str, FeatureMatrix], users: NDArray[np.int64]
    ) -> Folded:
        """An item that is not in the catalogue, from what it says and shows and its first users."""
        bundle, part, tables = self.bundle, self.bundle.domains[d], self.tables[d]
        n, blocks = len(users), []
        scale = (n + 1.0) ** -bundle.alpha if bundle.templates else 1.0
        if n and bundle.templates:
            vectors = scale * part.users[users].astype(np.float64)
            blocks.append(Block("id", "template of its user", vectors, "user", d, users))
        everyone = scale * part.any_item[None].astype(np.float64)
        blocks.append(Block("id", "what all items share", everyone))
        weights, signals, near, messages = self._item_messages(d, documents, n)
        blocks += messages
        if n:
            mean = 1.0 / (bundle.layers + 1)
            lent = tables.lend_users[users].astype(np.float64) * (mean * n**-0.5)
            blocks = [block.times(mean) for block in blocks] + [
                Block(source, "through its user", lent[:, place], "user", d, users)
                for place, source in enumerate(bundle.sources)
            ]
        return Folded(d, tuple(blocks), n, weights, signals, near)

    def _item_messages(
        self, d: int, documents: Mapping[str, FeatureMatrix], degree: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, Near], list[Block]]:
        bundle, part = self.bundle, self.bundle.domains[d]
        names = bundle.modalities
        if not names:
            return np.zeros(0, np.float32), np.zeros((0, 2), np.float32), {}, []
        near, queries = {}, {}
        for m in names:
            if m in documents:
                queries[m] = Query.of(centre(documents[m], bundle.means[m][d])).normalised()
                rows, cosines = self.item_index[d][m].nearest(
                    queries[m], bundle.k, self._anchors[d][m]
                )
                near[m] = Near(rows, cosines, softmax_weights(cosines, bundle.temperature))
        density = [float(near[m].similarity.mean()) if m in near and len(near[m].rows) else 0.0
                   for m in names]  # fmt: skip
        signals = part.item_scaling.apply(
            np.array([density], np.float32), np.array([degree], np.float32)
        )
        weights = gate_weights(part.item_gate, signals, np.array([[m in near for m in names]]))[0]
        blocks = []
        for place, m in enumerate(names):
            if m not in near:
                continue
            weight = float(weights[place])
            lent = self.tables[d].own_items[near[m].rows] * (weight * near[m].weights)[:, None]
            blocks.append(Block(m, f"item alike by {m}", lent, "item", d, near[m].rows))
            content = bundle.project[m].astype(np.float64) @ queries[m].dense
            content *= weight / (1.0 + degree)
            blocks.append(Block(m, f"what its {m} says", content[None, :]))
        return weights, signals[0], near, blocks

    def item(self, d: int, row: int) -> Folded:
        """An item of the catalogue; its blocks add up to its trained embedding."""
        bundle, part, tables = self.bundle, self.bundle.domains[d], self.tables[d]
        degree = int(tables.item_degree[row])
        mean = 1.0 / (bundle.layers + 1) if degree else 1.0
        final = tables.final_items[row].astype(np.float64)
        mixed = tables.mixed_items[row].astype(np.float64) * mean
        blocks, near = [], {}
        if bundle.templates:
            shared = mean * (degree + 1.0) ** -bundle.alpha * part.any_item.astype(np.float64)
            template = (mean * part.echo) * part.items[row].astype(np.float64)
            users = mixed[0] - shared - template
            blocks.append(Block("id", "templates of its users", users[None, :]))
            blocks.append(Block("id", "its own template", template[None, :]))
            blocks.append(Block("id", "what all items share", shared[None, :]))
        else:
            blocks.append(Block("id", "own trained vector", mixed[0][None, :]))
        weights = tables.item_weights[row]
        density = np.zeros((1, len(bundle.modalities)), np.float32)
        for place, m in enumerate(bundle.modalities):
            kept = part.modalities[m].item_neighbours
            there = kept.rows[row] >= 0
            rows, cosines = kept.rows[row][there].astype(np.int64), kept.similarity[row][there]
            near[m] = Near(rows, cosines, softmax_weights(cosines, bundle.temperature))
            density[0, place] = cosines.mean() if len(rows) else 0.0
            lent = tables.own_items[rows] * (mean * weights[place] * near[m].weights)[:, None]
            blocks.append(Block(m, f"item alike by {m}", lent, "item", d, rows))
            rest = mixed[1 + place] - lent.sum(axis=0)
            blocks.append(Block(m, f"what its {m} says", rest[None, :]))
        if degree:
            for place, source in enumerate(bundle.sources):
                passed = (final[place] - mixed[place])[None, :]
                blocks.append(Block(source, "through its users", passed))
        signals = part.item_scaling.apply(density, np.array([degree], np.float32))[0]
        return Folded(d, tuple(blocks), degree, weights, signals, near)
