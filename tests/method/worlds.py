"""Tiny datasets with every awkward case, as arrays: no files, no encoders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.config import ModelSettings, make_settings
from micrec_core.data.splits import make_split
from micrec_core.data.types import Dataset, Domain, DomainSplit, Edges, Split
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.method.inputs import ModelInputs, model_inputs
from micrec_core.method.knowledge import Knowledge, NeighbourSettings
from micrec_core.method.micrec import MICRec
from micrec_core.modalities.dataset import DatasetFeatures
from micrec_core.training.build import build_model, used_modalities
from micrec_core.training.prepare import knowledge_of

NEIGHBOURS = NeighbourSettings(k=3, temperature=0.2)
# A training that is over at once.
QUICK = {
    "epochs": 2,
    "batch_size": 64,
    "steps": 1,
    "learning_rate": 0.01,
    "negatives": 16,
    "validate_every": 1,
}


@dataclass(frozen=True)
class World:
    """A dataset, what training sees of it, and its features."""

    dataset: Dataset
    split: Split
    features: DatasetFeatures

    def knowledge(
        self,
        modalities: tuple[str, ...] | None = None,
        settings: NeighbourSettings = NEIGHBOURS,
    ) -> Knowledge:
        taken = self.features.modalities if modalities is None else modalities
        return knowledge_of(self.dataset, self.split, self.features, taken, settings)

    def build(self, seed: int = 0, **settings: object) -> tuple[MICRec, ModelInputs]:
        """A model by the names that a run's settings have, and its inputs."""
        made = make_settings(ModelSettings, {"dim": 8, **settings})
        cross = made.name == "micrec" and "cross-domain" not in made.without
        knowledge = self.knowledge(
            used_modalities(made, self.features.modalities),
            replace(NEIGHBOURS, cross_profile=cross),
        )
        inputs = model_inputs(knowledge)
        return build_model(made, inputs, seed), inputs

    @property
    def edges(self) -> list[Edges]:
        return [part.train for part in self.split.domains]


def tiny(seed: int = 2) -> World:
    """A dozen users and fewer items in two domains, for dense oracles.

    Each domain has a user and an item without train interactions, items that lack the text, the
    image or both, and a user whose items all lack the text. No two users have the same profile, so
    that no neighbour depends on the order of rows.
    """
    rng = np.random.default_rng(seed)
    users = [[f"u{k:02d}" for k in range(12)], [f"u{k:02d}" for k in range(5, 16)]]
    parts, splits, texts, images = [], [], [], []
    for d, (ids, n_items) in enumerate(zip(users, (9, 8), strict=True)):
        taken = rng.random((len(ids), n_items)) < 0.5
        taken[0] = np.arange(n_items) < 2
        taken[6], taken[:, 3] = False, False
        taken[1, 4] = taken[2, 5] = True
        text, image = np.ones(n_items, bool), np.ones(n_items, bool)
        text[[0, 1, 7]] = False
        image[[2, 7]] = False
        edges = Edges(*(a.astype(np.int32) for a in np.nonzero(taken)))
        parts.append(_domain(f"d{d}", ids, n_items, edges))
        splits.append(_all_train(edges))
        texts.append(_text(rng, text))
        images.append(_image(rng, image))
    return World(_dataset(parts), Split("known", 0, tuple(splits)), _features(texts, images))


def small(seed: int = 0, kind: str = "inductive") -> World:
    """Some sixty users and forty items a domain with tastes to learn, for training.

    A fifth of the items lack the text, a fifth the image; the second domain has no image at all.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items, n_shared = 64, 40, 24
    taste = rng.integers(4, size=2 * n_users)
    parts, texts, images = [], [], []
    for d in range(2):
        rows = np.arange(n_users) + d * (n_users - n_shared)
        kind_of_item = rng.integers(4, size=n_items)
        like = np.where(taste[rows][:, None] == kind_of_item[None, :], 0.5, 0.06)
        taken = rng.random(like.shape) < like
        taken[np.arange(n_users), rng.integers(n_items, size=n_users)] = True
        edges = Edges(*(a.astype(np.int32) for a in np.nonzero(taken)))
        parts.append(_domain(f"d{d}", [f"u{r:03d}" for r in rows], n_items, edges, rng))
        texts.append(_text(rng, rng.random(n_items) > 0.2, kind_of_item))
        images.append(_image(rng, (rng.random(n_items) > 0.2) & (d == 0), kind_of_item))
    dataset = _dataset(parts)
    return World(dataset, make_split(dataset, kind, 0), _features(texts, images))


def permuted(world: World, orders: list[tuple[NDArray, NDArray]]) -> World:
    """The same world with row r of old users (items) of domain d at row ``orders[d][0][r]``."""
    parts, splits = [], []
    matrices: dict[str, list[FeatureMatrix]] = {m: [] for m in world.features.modalities}
    for d, (domain, part) in enumerate(
        zip(world.dataset.domains, world.split.domains, strict=True)
    ):
        users, items = orders[d]
        old_user, old_item = np.argsort(users), np.argsort(items)
        edges = Edges(users[part.train.user], items[part.train.item])
        parts.append(
            replace(
                domain,
                user_ids=domain.user_ids[old_user],
                item_ids=domain.item_ids[old_item],
                edges=edges,
            )
        )
        splits.append(_all_train(edges))
        for m, found in matrices.items():
            old = world.features.matrices[m][d]
            found.append(
                FeatureMatrix(
                    old.dense[old_item],
                    None if old.sparse is None else old.sparse[old_item],
                    old.present[old_item],
                )
            )
    features = replace(world.features, matrices={m: tuple(v) for m, v in matrices.items()})
    return World(_dataset(parts), Split("known", 0, tuple(splits)), features)


def shake(model: MICRec, seed: int = 3) -> MICRec:
    """Every parameter at a random value, so that no zero hides a wrong formula."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
        model.alpha.fill_(0.7)
    return model


def _dataset(parts: list[Domain]) -> Dataset:
    return Dataset("tiny", Path("tiny"), tuple(parts), fingerprint="tiny", synthetic=True)


def _domain(
    name: str,
    users: list[str],
    n_items: int,
    edges: Edges,
    rng: np.random.Generator | None = None,
) -> Domain:
    ids = np.array([f"{name}-i{k:02d}" for k in range(n_items)], object)
    nothing = np.full(n_items, "", object)
    split = np.zeros(len(edges), np.int8)
    if rng is not None:
        split[:] = rng.choice(3, size=len(edges), p=[0.7, 0.15, 0.15])
    return Domain(name, name, np.array(users, object), ids, ids, nothing, nothing, edges, split)


def _all_train(edges: Edges) -> DomainSplit:
    none, rows = Edges.empty(), np.zeros(0, np.int32)
    return DomainSplit(edges, none, none, rows, none, none, rows, none, rows, none)


def _text(
    rng: np.random.Generator, present: NDArray[np.bool_], kinds: NDArray | None = None
) -> FeatureMatrix:
    """Words as a sparse view, and a dense view that is another space."""
    n = len(present)
    words = rng.random((n, 14)) * (rng.random((n, 14)) < 0.4)
    words[:, 0] += 0.1
    if kinds is not None:
        words[np.arange(n), kinds + 1] += 2.0
    words *= present[:, None]
    dense = (words @ rng.normal(size=(14, 6))) * present[:, None]
    return FeatureMatrix(
        normalise_rows(dense.astype(np.float32)),
        normalise_rows(sparse.csr_matrix(words, dtype=np.float32)),
        present,
    )


def _image(
    rng: np.random.Generator, present: NDArray[np.bool_], kinds: NDArray | None = None
) -> FeatureMatrix:
    dense = rng.normal(size=(len(present), 5))
    if kinds is not None:
        dense[np.arange(len(present)), kinds] += 2.0
    dense *= present[:, None]
    return FeatureMatrix(normalise_rows(dense.astype(np.float32)), None, present)


def _features(texts: list[FeatureMatrix], images: list[FeatureMatrix]) -> DatasetFeatures:
    return DatasetFeatures(
        ("text", "image"), {"text": tuple(texts), "image": tuple(images)}, {}, {}, "tiny"
    )
