"""Orders that are found quickly are those of NumPy's lexsort and of Python's sorted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from micrec_core.data.assign import assign_split
from micrec_core.data.ordering import by_name, dense_rank, in_order

ROWS = st.lists(st.tuples(*(st.integers(0, 4) for _ in range(3))), max_size=30)


@given(rows=ROWS)
def test_rows_are_in_the_order_of_all_keys_and_then_as_they_were(rows) -> None:
    keys = np.array(rows, np.int64).reshape(len(rows), 3).T
    first, *others = keys
    others = [key / 2 for key in others]
    assert np.array_equal(in_order(first, others), np.lexsort((*reversed(others), first)))
    assert dense_rank(keys[1]).tolist() == [sorted({*keys[1]}).index(v) for v in keys[1]]


@given(names=st.lists(st.text(max_size=4), unique=True, max_size=20))
def test_names_are_in_the_order_of_python(names: list[str]) -> None:
    found = by_name(np.array(names, dtype=object))
    assert [names[k] for k in found] == sorted(names)


@given(rows=ROWS, n_orders=st.integers(0, 2), seed=st.integers(0, 3))
def test_a_split_is_that_of_all_sorted_by_every_key(rows, n_orders: int, seed: int) -> None:
    user, *orders = np.array(rows, np.int64).reshape(len(rows), 3).T
    orders = tuple(order / 3 for order in orders[:n_orders])
    found = assign_split(user.astype(np.int32), orders, np.random.default_rng(seed))
    drawn = np.random.default_rng(seed).random(len(rows))
    wanted = np.zeros(len(rows), np.int8)
    for u in {*user.tolist()}:
        mine = np.flatnonzero(user == u)
        mine = mine[np.lexsort((drawn[mine], *(o[mine] for o in reversed(orders))))]
        held = max(1, int(len(mine) / 10 + 0.5)) if len(mine) >= 3 else 0
        wanted[mine[len(mine) - 2 * held :]] = 1
        wanted[mine[len(mine) - held :]] = 2
    assert np.array_equal(found, wanted)
