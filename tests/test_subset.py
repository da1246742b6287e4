"""Some of many: the same ones each time, in order, and all where there are no more."""

from __future__ import annotations

import numpy as np

from micrec_core.subset import some_of


def test_some_are_drawn_once_each_in_order_and_always_the_same() -> None:
    rows = np.arange(100) * 3
    found = some_of(rows, 10)
    assert len(np.unique(found)) == 10 and np.isin(found, rows).all()
    assert (np.diff(found) > 0).all() and (found == some_of(rows, 10)).all()
    assert (found != some_of(rows, 10, seed=1)).any()
    assert (found == 3 * some_of(100, 10)).all()


def test_all_are_left_as_they_are_where_there_are_no_more() -> None:
    rows = np.array([5, 2, 9])
    assert some_of(rows, 3) is rows
    assert some_of(3, 3).tolist() == [0, 1, 2] and len(some_of(0, 3)) == 0


def test_what_goes_on_drawing_draws_others() -> None:
    drawn = np.random.default_rng(0)
    first, second = (some_of(1000, 10, drawn) for _ in range(2))
    assert (first == some_of(1000, 10)).all() and (first != second).any()
