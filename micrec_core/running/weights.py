"""``weights.parquet``: what text and image weigh for each user and item, and what they bring.

A weight is the gate's, a share is measured: given the weights, an embedding is a sum of what came
from interactions (``id``), from text and from images, each part sent through the same propagation.
A source's part of a score is half of what it brings on the user's side and half of what it brings
on the item's, (u_p . i + u . i_p) / 2, as explanations share it out; its share in the list of an
entity's 20 best is the mean over the list of |its part| / sum over sources of |their parts|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.answering.answers import array
from micrec_core.evaluation.ranking import rank_embeddings
from micrec_core.graphs.lending import NeighbourGraph
from micrec_core.method.gate import Gate
from micrec_core.method.inputs import DomainInputs, Side
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.training.prepare import Prepared

ENTITIES_SHOWN = 20_000
_LIST = 20
_MODALITIES = ("text", "image")
Parts = dict[str, NDArray[np.float32]]


def weights_frame(
    prepared: Prepared, model: MICRec, encoded: list[Encoded], seed: int = 0
) -> pd.DataFrame:
    """One row an entity; at most 20,000 users and 20,000 items of a domain, drawn by ``seed``.

    Columns w_text and w_image are the gate's weights among the modalities that the entity has (0
    where missing), ``strength`` what both are multiplied with.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for d in range(len(encoded)):
        for view in _views(prepared, model, encoded[d], d):
            degree = array(view.side.degree)
            # A user without train interactions was not trained on: nothing was weighed.
            rows = np.flatnonzero((degree > 0) | (view.entity == "item"))
            if len(rows) > ENTITIES_SHOWN:
                rows = np.sort(rng.choice(rows, ENTITIES_SHOWN, replace=False))
            frames.append(_frame(prepared, view, rows))
    return pd.concat(frames, ignore_index=True)


def embedding_parts(
    model: MICRec, d: int, domain: DomainInputs, encoded: Encoded
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Final embeddings of users and of items as sums over sources: source -> [n, dim]."""
    users: dict[str, Tensor] = {}
    items: dict[str, Tensor] = {}
    with torch.no_grad():
        own = model.own_users(d, domain)
        nothing = torch.zeros_like(own["id"])
        refined = {m: own.get(m, nothing) for m in model.settings.modalities}
        users["id"], items["id"] = model.propagate(
            encoded.own_users - sum(refined.values(), start=nothing), encoded.own_items, domain
        )
        for m in model.settings.modalities:
            gates = model.get_submodule(f"domains.{d}")
            mixed = [
                _only(model, m, side, gates.get_submodule(name), lenders)
                for side, name, lenders in (
                    (domain.users, "user_gate", encoded.own_users),
                    (domain.items, "item_gate", encoded.own_items),
                )
            ]
            users[m], items[m] = model.propagate(mixed[0] + refined[m], mixed[1], domain)
    return users, items


def _only(
    model: MICRec, modality: str, side: Side, gate: torch.nn.Module, lenders: Tensor
) -> Tensor:
    """What one modality adds to E', [n, dim]: the aggregation with the others' messages empty."""
    assert isinstance(gate, Gate)
    nothing = NeighbourGraph(
        np.full((len(side), 1), -1), np.zeros((len(side), 1)), len(lenders), lenders.device
    )
    muted = replace(
        side,
        content={m: x if m == modality else torch.zeros_like(x) for m, x in side.content.items()},
        neighbours={m: g if m == modality else nothing for m, g in side.neighbours.items()},
    )
    zeros = torch.zeros((len(side), lenders.shape[1]), device=lenders.device)
    return model.aggregate(zeros, lenders, muted, gate)


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


def _views(prepared: Prepared, model: MICRec, encoded: Encoded, d: int) -> Iterator[_View]:
    domain, inputs = prepared.dataset.domains[d], prepared.inputs.domains[d]
    part = prepared.knowledge.domains[d]
    users, items = embedding_parts(model, d, inputs, encoded)
    gates = model.get_submodule(f"domains.{d}")
    user_gate, item_gate = gates.get_submodule("user_gate"), gates.get_submodule("item_gate")
    assert isinstance(user_gate, Gate) and isinstance(item_gate, Gate)
    takers = {s: array(x) for s, x in users.items()}
    taken = {s: array(x) for s, x in items.items()}
    known = prepared.material.catalogues[d]
    yield _View(
        "user", domain.name, domain.user_ids, inputs.users, user_gate, takers, taken,
        part.train, known,
    )  # fmt: skip
    yield _View(
        "item", domain.name, domain.item_ids, inputs.items, item_gate, taken, takers,
        part.train.T.tocsr(), part.user_degree > 0,
    )  # fmt: skip


def _frame(prepared: Prepared, view: _View, rows: NDArray[np.int64]) -> pd.DataFrame:
    names = prepared.inputs.modalities
    out = pd.DataFrame(
        {
            "entity": view.entity,
            "domain": view.domain,
            "id": view.ids[rows].astype(str),
            "degree": array(view.side.degree)[rows].astype(np.int32),
        }
    )
    with torch.no_grad():
        gated = array(view.gate.shares(view.side.signals, view.side.has)) if names else None
        full = array(view.gate(view.side.signals, view.side.has)) if names else None
    shares = _shares(view, rows)
    for m in _MODALITIES:
        there = names.index(m) if m in names else None
        out[f"w_{m}"] = 0.0 if gated is None or there is None else gated[rows, there]
    for source in ("id", *_MODALITIES):
        out[f"share_{source}"] = shares.get(source, np.zeros(len(rows)))
    for m in _MODALITIES:
        there = names.index(m) if m in names else None
        out[f"coherence_{m}"] = np.nan if there is None else _coherence(prepared, view, m)[rows]
    for m in _MODALITIES:
        there = names.index(m) if m in names else None
        has = view.side.has.cpu().numpy()
        out[f"has_{m}"] = False if there is None else has[rows, there]
    out["strength"] = 0.0 if full is None else full[rows].sum(axis=1)
    return out


def _coherence(prepared: Prepared, view: _View, modality: str) -> NDArray[np.float32]:
    """Mean cosine between a user's own items, or of an item to its neighbours."""
    names = [d.name for d in prepared.dataset.domains]
    part = prepared.knowledge.domains[names.index(view.domain)]
    if view.entity == "user":
        return part.profiles[modality].coherence
    return part.item_neighbours[modality].density()


def _shares(view: _View, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Mean absolute share of each source in the scores of an entity's list."""
    whole, others = (np.sum(list(side.values()), axis=0) for side in (view.own, view.others))
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
