"""Nearest neighbours by sparse and by dense cosine, at the size of Food & Kitchen."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Timing, in_turn
from micrec_core.graphs.neighbours import STRONGEST_TERMS, strongest
from micrec_core.graphs.neighbours.nearest import nearest

K, VOCABULARY, DIM = 10, 20_000, 128


def measure(options: Options) -> Report:
    """All users by profiles, all items by titles and by vectors; scikit-learn on some users."""
    n_users, n_items, n_queries = (300, 200, 50) if options.quick else (47_589, 27_637, 1_000)
    users = strongest(worlds.documents(n_users, VOCABULARY, STRONGEST_TERMS))
    items = worlds.documents(n_items, VOCABULARY, 12, seed=1)
    pictures = worlds.crowds(n_items, DIM)
    some, every = users[:n_queries], np.arange(n_items)
    peer = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(users)
    whole = in_turn(
        {
            "users": lambda: nearest(users, users, K, same=np.arange(n_users)),
            "items": lambda: nearest(items, items, K, same=every),
            "items, dense": lambda: nearest(pictures, pictures, K, same=every),
            "items, dense, in cells": lambda: nearest(
                pictures, pictures, K, same=every, exact_pairs=0
            ),
        },
        options.rounds(3),
    )
    part = in_turn(
        {
            "ours, some users": lambda: nearest(some, users, K),
            "scikit_learn, some users": lambda: peer.kneighbors(some),
        },
        options.rounds(3),
    )
    timings: dict[str, Timing] = whole | part
    exact = whole["items, dense"].median
    ratio = part["scikit_learn, some users"].median / part["ours, some users"].median
    return Report(
        "neighbours",
        "Top 10 by cosine: users by profiles of at most 64 terms, items by titles, and by dense "
        "vectors in crowds, exact and (as above a size) among nearby cells.",
        {
            "users": n_users,
            "items": n_items,
            "some users": n_queries,
            "vocabulary": VOCABULARY,
            "dim": DIM,
        },
        timings,
        {"scikit_learn": ratio, "exact": exact / whole["items, dense, in cells"].median},
    )
