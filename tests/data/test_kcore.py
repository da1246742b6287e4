"""The k-core against a plain loop that drops one thing at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import Edges
from micrec_core.data.kcore import core_mask


def slow_core(pairs: set[tuple[int, int]], k: int) -> set[tuple[int, int]]:
    left = set(pairs)
    while True:
        for pair in sorted(left):
            user = sum(p[0] == pair[0] for p in left)
            item = sum(p[1] == pair[1] for p in left)
            if min(user, item) < k:
                left.remove(pair)
                break
        else:
            return left


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30),
    k=st.integers(0, 4),
)
def test_core_is_the_largest_one(pairs: set[tuple[int, int]], k: int) -> None:
    order = sorted(pairs)
    edges = Edges(
        np.array([u for u, _ in order], np.int32), np.array([i for _, i in order], np.int32)
    )
    keep = core_mask(edges, k, 8, 8)
    assert {p for p, kept in zip(order, keep, strict=True) if kept} == slow_core(pairs, k)


def test_a_chain_unravels_to_the_end() -> None:
    n = 200
    user = np.r_[np.arange(n), np.arange(n)].astype(np.int32)
    item = np.r_[np.arange(n), np.arange(n) + 1].astype(np.int32)
    assert not core_mask(Edges(user, item), 2, n, n + 1).any()
    ring = Edges(user, (item % n).astype(np.int32))
    assert core_mask(ring, 2, n, n).all()
