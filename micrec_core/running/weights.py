"""``weights.parquet``: what modalities weigh for each user and item, and what they bring.

A weight is the gate's, a share is measured: given the weights, an embedding is a sum of what came
from interactions (``id``, with what came from other domains) and from each modality, all sent
through the same propagation (docs/method.md, section 8). A source's part of a score is half of what
it brings on the user's side and half of what it brings on the item's, (u_p . i + u . i_p) / 2, as
explanations share it out; its share in the list of an entity's 20 best is the mean over the list of
|its part| / sum over sources of |their parts|. What the memory adds is not of it. What a modality
is worth to an entity is asked of its test interactions (``effects``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.answering.answers import array
from micrec_core.evaluation.ranking import rank_embeddings
from micrec_core.method.gate import Gate
from micrec_core.method.inductive import BySource
from micrec_core.method.inputs import Side
from micrec_core.method.micrec import MICRec
from micrec_core.modalities.registry import USUAL
from micrec_core.running.effects import effects
from micrec_core.subset import many_within, some_of
from micrec_core.training.prepare import Prepared

ENTITIES_SHOWN = 20_000
# Scores that may be computed of one side of a domain: among very many others fewer are shown.
_SCORES, _FEWEST = 2**30, 1000
_LIST = 20
Parts = dict[str, NDArray[np.float32]]


def weights_frame(
    prepared: Prepared, model: MICRec, by_source: Sequence[BySource], seed: int = 0
) -> pd.DataFrame:
    """One row an entity; at most 20,000 users and 20,000 items of a domain, drawn by ``seed``.

    Fewer where there are more than 53,687 of the other side, all of whom are ranked for each.

    Columns w_text, ... are the gate's weights among the modalities that the entity has (0 where
    missing), ``strength`` what all of them are multiplied with; drop_text, alone_text, ... are
    ``effects``, NaN without test interactions. ``by_source``: of the model.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for d, encoded in enumerate(by_source):
        for view in _views(prepared, model, encoded, d):
            degree = array(view.side.degree)
            # A user without train interactions was not trained on: nothing was weighed.
            rows = np.flatnonzero((degree > 0) | (view.entity == "item"))
            shown = shown_of(len(view.candidates))
            frames.append(_frame(prepared, view, some_of(rows, shown, rng)))
    return pd.concat(frames, ignore_index=True)


def shown_of(n_others: int) -> int:
    """How many entities are shown that are ranked among so many others."""
    return many_within(_SCORES, n_others, ENTITIES_SHOWN, _FEWEST)


@dataclass(frozen=True)
class _View:
    """One side of a domain: whose weights these are, and whom it is ranked against."""

    entity: str
    domain: str
    ids: NDArray[np.object_]
    side: Side
    gate: Gate
    own: Parts
    others: Parts
    mask: sparse.csr_matrix
    candidates: NDArray[np.bool_]
    wanted: sparse.csr_matrix

    @cached_property
    def wholes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings of these and of the others, all sources together."""
        own, others = (np.sum(list(side.values()), axis=0) for side in (self.own, self.others))
        return own, others


def _views(prepared: Prepared, model: MICRec, encoded: BySource, d: int) -> Iterator[_View]:
    domain, inputs = prepared.dataset.domains[d], prepared.inputs.domains[d]
    part, own = prepared.knowledge.domains[d], model.domain(d)
    users, items = (_parts(model, x) for x in (encoded.users, encoded.items))
    known = prepared.material.catalogues[d]
    test = prepared.split.domains[d].test.matrix(domain.n_users, domain.n_items)
    yield _View(
        "user", domain.name, domain.user_ids, inputs.users, own.user_gate, users, items,
        part.train, known, test,
    )  # fmt: skip
    yield _View(
        "item", domain.name, domain.item_ids, inputs.items, own.item_gate, items, users,
        part.train.T.tocsr(), part.user_degree > 0, test.T.tocsr(),
    )  # fmt: skip


def _parts(model: MICRec, embeddings: Tensor) -> Parts:
    """Embeddings [n, S, dim] as source -> [n, dim]; what came from other domains is of ``id``."""
    parts = {source: array(embeddings[:, place]) for place, source in enumerate(model.sources)}
    crossed = parts.pop("bridge", None)
    return parts if crossed is None else parts | {"id": parts["id"] + crossed}


def _frame(prepared: Prepared, view: _View, rows: NDArray[np.int64]) -> pd.DataFrame:
    names = prepared.inputs.modalities
    listed = tuple(dict.fromkeys((*USUAL, *names)))
    out = pd.DataFrame(
        {
            "entity": view.entity,
            "domain": view.domain,
            "id": view.ids[rows].astype(str),
            "degree": array(view.side.degree)[rows].astype(np.int32),
        }
    )

    def column(m: str, values: NDArray | None, missing: float | bool) -> Any:
        """Of one modality; ``missing`` where the model has not got it."""
        return values[rows, names.index(m)] if values is not None and m in names else missing

    with torch.no_grad():
        signals = (view.side.signals, view.side.has)
        gated = array(view.gate.shares(*signals)) if names else None
        strength = array(view.gate(*signals))[rows].sum(axis=1) if names else 0.0
    shares, has = _shares(view, rows), view.side.has.cpu().numpy()
    columns = {f"w_{m}": column(m, gated, 0.0) for m in listed}
    columns |= {f"share_{s}": shares.get(s, np.zeros(len(rows))) for s in ("id", *listed)}
    for m in listed:
        columns[f"coherence_{m}"] = _coherence(prepared, view, m)[rows] if m in names else np.nan
    columns |= {f"has_{m}": column(m, has, False) for m in listed}
    catalogue, own = view.candidates, {s: vectors[rows] for s, vectors in view.own.items()}
    brought = effects(own, view.wholes[1][catalogue], view.wanted[rows][:, catalogue])
    for m in listed:
        none = np.full(len(rows), np.nan)
        columns[f"drop_{m}"], columns[f"alone_{m}"] = brought.get(m, (none, none))
    return out.assign(**columns, strength=strength)


def _coherence(prepared: Prepared, view: _View, modality: str) -> NDArray[np.float32]:
    """Mean cosine between a user's own items, or of an item to its neighbours."""
    names = [d.name for d in prepared.dataset.domains]
    part = prepared.knowledge.domains[names.index(view.domain)]
    if view.entity == "user":
        return part.profiles[modality].coherence
    return part.item_neighbours[modality].density()


def _shares(view: _View, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Mean absolute share of each source in the scores of an entity's list."""
    whole, others = view.wholes
    ranked = rank_embeddings(whole, others, rows, view.mask, view.candidates, _LIST)
    there = ranked >= 0
    size = {
        source: np.abs(
            _scores(vectors[rows], others, ranked)
            + _scores(whole[rows], view.others[source], ranked)
        )
        for source, vectors in view.own.items()
    }
    total = np.sum(list(size.values()), axis=0)
    counted = there & (total > 0)
    n = np.maximum(counted.sum(axis=1), 1)
    return {
        source: np.where(counted, part / np.maximum(total, 1e-30), 0.0).sum(axis=1) / n
        for source, part in size.items()
    }


def _scores(
    left: NDArray[np.float32], right: NDArray[np.float32], ranked: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Products [n, k] of each row with those of its list, in pieces."""
    out = np.empty(ranked.shape)
    step = 4096
    for start in range(0, len(ranked), step):
        part = slice(start, start + step)
        out[part] = np.einsum("nd,nkd->nk", left[part], right[ranked[part]])
    return out
