"""How far a run has come from what it was trained on, and when to train it anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from micrec_core.serving.contents import Bundle
from micrec_core.serving.recommender import Recommender
from micrec_core.subset import some_of

LIST = 10
# Lists that are looked at; of more users some are drawn.
SAMPLE = 2000
# Of interactions that came after training; docs/aging.md says how it was measured.
RETRAIN_AT = 0.3


def drift(bundle: Bundle, trained: datetime, now: datetime) -> dict[str, dict[str, float]]:
    """What rests on training and what was folded in to it since, domain by domain.

    Returns
    -------
    domain -> figures, shares from 0 to 1:
    ``interactions``: of all there are by now, those that training did not see;
    ``users``: of all with interactions, those that are folded in (new, or with more than training
    saw of them in any domain);
    ``items``: of the catalogue, those that are folded in;
    ``places``: of the places in lists of 10, those that such items have;
    ``lists``: of the lists, those of such a user or with such an item;
    ``coverage``: of the catalogue, what is in any list; ``coverage_items``: of folded-in items;
    ``days``: since training
    """
    recommender = Recommender(None, bundle)
    return {
        part.name: _of(recommender, d) | {"days": (now - trained).total_seconds() / 86_400}
        for d, part in enumerate(bundle.domains)
    }


def advice(found: Mapping[str, Mapping[str, float]]) -> str:
    """A sentence where it is time to train anew; empty where it is not."""
    late = max(found, key=lambda name: found[name]["interactions"])
    share = found[late]["interactions"]
    if share < RETRAIN_AT:
        return ""
    return (
        f"Train anew: {share:.0%} of the interactions in '{late}' came after training, and from "
        f"{RETRAIN_AT:.0%} on a run trained anew was measured to be better (docs/aging.md)."
    )


def _of(recommender: Recommender, d: int) -> dict[str, float]:
    bundle = recommender.bundle
    part = bundle.domains[d]
    folded = part.user_ids[_folded_users(bundle, d)]
    ids = some_of(part.user_ids[part.known_users], SAMPLE)
    lists = recommender.recommend_many(ids, part.name, LIST)
    joined = set(part.item_ids[part.joined].tolist())
    by_item = lists["item_id"].isin(joined)
    resting = by_item.groupby(lists["user_id"]).any() | lists.groupby("user_id").size().index.isin(
        folded
    )
    listed = set(lists["item_id"])
    return {
        "interactions": 1.0 - part.train.nnz / max(part.taken.nnz, 1),
        "users": len(folded) / max(len(part.known_users), 1),
        "items": len(joined) / max(len(part.item_ids), 1),
        "places": float(by_item.mean()) if len(lists) else 0.0,
        "lists": float(resting.mean()) if len(lists) else 0.0,
        "coverage": len(listed) / max(len(part.item_ids), 1),
        "coverage_items": len(listed & joined) / max(len(joined), 1),
    }


def _folded_users(bundle: Bundle, d: int) -> np.ndarray:
    """Rows of the users with interactions here, and with later ones here or elsewhere."""
    part = bundle.domains[d]
    later = np.zeros(len(part.user_ids), bool)
    for s, other in enumerate(bundle.domains):
        if other.later is None:
            continue
        more = np.diff(other.later.indptr) > 0
        if s == d:
            later |= more
        else:
            there, here = bundle.in_both[s, d]
            later[here[more[there]]] = True
    return np.flatnonzero(later & (part.user_count > 0))
