"""Some of many, where all would take too long: how many, and who, always the same, in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def some_of(
    rows: int | NDArray[Any], most: int, seed: int | np.random.Generator = 0
) -> NDArray[Any]:
    """At most ``most`` of them, ascending; all as they are where there are no more.

    Parameters
    ----------
    rows : [n], each once; a number n for 0 to n - 1
    seed : or what goes on drawing
    """
    of = np.arange(rows) if isinstance(rows, int) else rows
    if len(of) <= most:
        return of
    return np.sort(np.random.default_rng(seed).choice(of, most, replace=False))


def many_within(numbers: int, each: int, most: int, least: int) -> int:
    """How many may be asked if each takes ``each`` numbers of ``numbers``: from least to most."""
    return min(most, max(least, numbers // max(each, 1)))
