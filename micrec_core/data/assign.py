"""Train, validation and test for interactions that come without a split; seeded random streams."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.ordering import dense_rank, in_order
from micrec_core.data.types import TEST, TRAIN, VALID
from micrec_core.errors import ConfigError

HELD_SHARE = 0.1
MIN_TO_SPLIT = 3


def stream(seed: int, *words: str) -> np.random.Generator:
    """A generator for one purpose, named by words: drawing for one moves no other.

    Raises
    ------
    ConfigError
        ``seed`` is negative.
    """
    if seed < 0:
        raise ConfigError(f"the seed is {seed}; give a number from 0 on")
    return np.random.default_rng([seed, *(zlib.crc32(w.encode()) for w in words)])


def assign_split(
    user: NDArray[np.integer],
    orders: tuple[NDArray[np.float64], ...],
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """The last tenth of each user's interactions to test, the tenth before to validation.

    A user with n >= 3 interactions gives ``max(1, round(n / 10))`` to each, which leaves at least
    one for training; a user with fewer keeps all in training.

    Parameters
    ----------
    user : [n] rows
    orders : what "last" means, the most important first, each [n]; ties, or everything where this
        is empty, are broken at random
    rng : draws one number per interaction, in the order given

    Returns
    -------
    int8 [n], TRAIN, VALID or TEST
    """
    n = len(user)
    first, later = user.astype(np.int64), (*orders, rng.random(n))
    if orders:
        when = dense_rank(orders[0])
        first, later = first * (when.max(initial=0) + 1) + when, later[1:]
    order = in_order(first, later)
    degree = np.bincount(user, minlength=1)
    held = np.where(
        degree >= MIN_TO_SPLIT, np.maximum(1, np.floor(degree * HELD_SHARE + 0.5)), 0
    ).astype(np.int64)
    starts = np.cumsum(degree) - degree
    sorted_user = user[order]
    from_end = degree[sorted_user] - 1 - (np.arange(n) - starts[sorted_user])
    h = held[sorted_user]
    out = np.full(n, TRAIN, dtype=np.int8)
    out[order[from_end < 2 * h]] = VALID
    out[order[from_end < h]] = TEST
    return out
