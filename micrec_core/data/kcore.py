"""Iterative k-core of a bipartite graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.types import Edges


def core_mask(edges: Edges, k: int, n_users: int, n_items: int) -> NDArray[np.bool_]:
    """Which edges stay when users and items with fewer than ``k`` of them go, again and again.

    The result is the largest subgraph in which every user and every item has at least ``k``
    edges; it does not depend on the order in which things go.

    Parameters
    ----------
    edges : distinct pairs
    k : 0 and 1 keep everything

    Returns
    -------
    bool [len(edges)]
    """
    keep = np.ones(len(edges), dtype=bool)
    if k <= 1:
        return keep
    alive = np.arange(len(edges))
    while len(alive):
        users, items = edges.user[alive], edges.item[alive]
        enough = (np.bincount(users, minlength=n_users)[users] >= k) & (
            np.bincount(items, minlength=n_items)[items] >= k
        )
        if enough.all():
            break
        alive = alive[enough]
    keep[:] = False
    keep[alive] = True
    return keep
