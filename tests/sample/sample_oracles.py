"""Simple scorers over a sample dataset, for what its tests claim about it; no model of ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from micrec_core.data.types import TEST, TRAIN, VALID, Dataset, Domain, shared_rows
from micrec_core.sample.world import COLUMNS, N_COLUMNS, SHARED, World


@dataclass(frozen=True)
class Held:
    """Matrices [n_users, n_items] of one domain: seen by a scorer, masked, counted."""

    train: sparse.csr_matrix
    masked: sparse.csr_matrix
    test: sparse.csr_matrix


def shared_utility(world: World, domain: int, users: np.ndarray) -> np.ndarray:
    """Utilities [n, n_items] for ``users`` of the world, of the tastes that domains share.

    The ceiling of any transfer: each shared taste counts as far as it reaches the domain.
    """
    reach = np.ones(N_COLUMNS, dtype=np.float32)
    for name, columns in COLUMNS.items():
        reach[columns] = np.sqrt(SHARED[name])
    factors = world.weighted(world.shared_tastes[users] * reach, world.reader_share[users])
    return factors @ world.domains[domain].item_factors().T


def held(domain: Domain) -> Held:
    shape = (domain.n_users, domain.n_items)
    train, valid, test = (
        domain.edges[domain.split == part].matrix(*shape) for part in (TRAIN, VALID, TEST)
    )
    return Held(train, train + valid, test)


def recall(scores: np.ndarray, data: Held, k: int = 20) -> np.ndarray:
    """Recall@k of every user with test items, full ranking, train and validation masked."""
    scores = np.where(data.masked.toarray() > 0, -np.inf, scores)
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(data.test.toarray(), top, axis=1).sum(axis=1)
    wanted = np.asarray(data.test.sum(axis=1)).ravel()
    return hits[wanted > 0] / wanted[wanted > 0]


def popularity(data: Held) -> np.ndarray:
    degree = np.asarray(data.train.sum(axis=0)).ravel()
    return np.tile(degree, (data.train.shape[0], 1))


def item_neighbours(data: Held) -> np.ndarray:
    """Interactions only: cosine of co-occurrence, shrunk."""
    together = (data.train.T @ data.train).toarray()
    degree = np.diag(together).copy()
    np.fill_diagonal(together, 0.0)
    return data.train @ (together / np.sqrt(np.outer(degree + 1, degree + 1)))


def by_content(dataset: Dataset, d: int, features: list[np.ndarray]) -> np.ndarray:
    """Cosine of an item to the mean of the user's train items, those of the other domain by half.

    ``features`` has [n_items, dim] of each domain, in one space.
    """
    here, there = dataset.domains[d], dataset.domains[1 - d]
    profile = held(here).train @ features[d]
    rows_here, rows_there = shared_rows(here.user_ids, there.user_ids)
    profile[rows_here] += 0.5 * (held(there).train[rows_there] @ features[1 - d])
    return normalize(profile) @ features[d].T


def text_features(dataset: Dataset) -> list[np.ndarray]:
    """TF-IDF of titles and descriptions per domain, centred; zeros where there is no text."""
    texts = [
        [f"{t} {d}".strip() for t, d in zip(domain.titles, domain.descriptions, strict=True)]
        for domain in dataset.domains
    ]
    model = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    model.fit([text for part in texts for text in part if text])
    return [_centred(model.transform(part).toarray()) for part in texts]


def image_features(dataset: Dataset) -> list[np.ndarray]:
    """Colours, edge directions per cell and coarse frequencies per domain, centred."""
    blocks = []
    for domain in dataset.domains:
        rows = [
            statistics(Image.open(dataset.root / path)) if path else None for path in domain.images
        ]
        size = next(len(row) for row in rows if row is not None)
        blocks.append(np.stack([np.zeros(size) if row is None else row for row in rows]))
    everything = np.vstack(blocks)
    reduce = PCA(96, random_state=0).fit(everything[np.abs(everything).sum(axis=1) > 0])
    out = []
    for block in blocks:
        present = np.abs(block).sum(axis=1) > 0
        out.append(_centred(reduce.transform(block) * present[:, None]))
    return out


def statistics(picture: Image.Image) -> np.ndarray:
    """Numbers that tell colour, texture and shape of a picture, each group of length 1."""
    small = np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)) / 255.0
    codes = np.minimum((small * 4).astype(int), 3)
    colour = np.bincount((codes @ np.array([16, 4, 1])).ravel(), minlength=64) ** 0.5
    grey = small.mean(axis=2)
    down, across = np.gradient(grey)
    angle = np.minimum((np.mod(np.arctan2(down, across), np.pi) / np.pi * 8).astype(int), 7)
    cell = np.arange(64) // 16
    places = (cell[:, None] * 4 + cell[None, :]) * 8 + angle
    edges = np.bincount(places.ravel(), np.hypot(down, across).ravel(), minlength=128) ** 0.5
    full = np.asarray(picture.convert("L")) / 255.0
    window = full - full.mean()
    frequencies = np.log1p(np.abs(np.fft.fft2(window))[:40, :40])
    coarse = frequencies.reshape(20, 2, 20, 2).mean(axis=(1, 3)).ravel()
    coarse = coarse - coarse.mean()
    return np.concatenate([part / np.linalg.norm(part) for part in (colour, edges, coarse)])


def purity(features: np.ndarray, labels: np.ndarray, k: int = 10) -> float:
    """Share of an item's k nearest (of those present) with its own label."""
    present = np.abs(features).sum(axis=1) > 0
    features, labels = features[present], labels[present]
    near = features @ features.T
    np.fill_diagonal(near, -np.inf)
    top = np.argsort(-near, axis=1, kind="stable")[:, :k]
    return float((labels[top] == labels[:, None]).mean())


def _centred(rows: np.ndarray) -> np.ndarray:
    present = np.abs(rows).sum(axis=1) > 0
    out = rows - rows[present].mean(axis=0)
    return normalize(out * present[:, None])
