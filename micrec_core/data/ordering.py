"""Rows in the order of several keys, where nearly all are told apart by the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def in_order(
    first: NDArray[np.integer], others: Sequence[NDArray[np.generic]]
) -> NDArray[np.int64]:
    """Rows [n] in rising order of ``first``, those alike in it in that of the others, and then as
    they are: ``np.lexsort`` of all, which sorts n rows by each key, in a fraction of its time.

    Parameters
    ----------
    first : [n]
    others : [n] each, the most important first
    """
    order = np.argsort(first)
    alike = first[order[1:]] == first[order[:-1]]
    tied = np.r_[False, alike] | np.r_[alike, False]
    if tied.any():
        rows = np.sort(order[tied])
        keys = (*(key[rows] for key in reversed(others)), first[rows])
        order[tied] = rows[np.lexsort(keys)]
    return order


def dense_rank(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """The place [n] of each value among the distinct ones."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def by_name(names: NDArray[np.object_]) -> NDArray[np.int64]:
    """Rows [n] in the order that Python puts these texts in, which is that of their UTF-8."""
    found = pc.array_sort_indices(pa.array(names, pa.large_string()))
    return np.asarray(found.to_numpy(), dtype=np.int64)
