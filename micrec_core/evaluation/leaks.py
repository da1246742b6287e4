"""That nothing a model is tested on was shown to training, checked before any training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.types import Dataset, Domain, DomainSplit, Edges, Split
from micrec_core.errors import DataError


def require_disjoint(dataset: Dataset, split: Split) -> None:
    """Refuse a split that shows training what is withheld from it.

    No pair is in two of train, valid and test; none of a new user, a new item or a user cold in
    the domain is in any of them; none that a new user shows is one it is scored on.

    Raises
    ------
    DataError
        Names the domain, the kind of leak and how many pairs there are.
    """
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        for what, n in _leaks(domain, part).items():
            if n:
                raise DataError(
                    f"domain '{domain.name}': {n:,} {what}, so test figures would be worthless; "
                    "split the interactions anew"
                )


def _leaks(domain: Domain, part: DomainSplit) -> dict[str, int]:
    pairs = {
        name: _codes(edges, domain.n_items)
        for name, edges in (
            ("train", part.train),
            ("validation", part.valid),
            ("test", part.test),
            ("support", part.new_user_support),
            ("scored", part.new_user_test),
        )
    }
    seen = [part.train, part.valid, part.test]
    users = np.concatenate([e.user for e in seen])
    items = np.concatenate([e.item for e in seen])
    return {
        "test interactions are in training too": _both(pairs["test"], pairs["train"]),
        "validation interactions are in training too": _both(pairs["validation"], pairs["train"]),
        "test interactions are in validation too": _both(pairs["test"], pairs["validation"]),
        "interactions of new users are shown and scored": _both(pairs["support"], pairs["scored"]),
        "interactions of new users are in training": _count(users, part.new_users),
        "interactions of cold users are in training": _count(users, part.cold_users),
        "interactions with new items are in training": _count(items, part.new_items),
    }


def _codes(edges: Edges, n_items: int) -> NDArray[np.int64]:
    return edges.user.astype(np.int64) * n_items + edges.item


def _both(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    return len(np.intersect1d(a, b))


def _count(rows: NDArray[np.int32], withheld: NDArray[np.int32]) -> int:
    return int(np.isin(rows, withheld).sum())
