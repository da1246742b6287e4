"""What a list of recommendations is, and what it says where it is not a personal one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.method.arrays import Floats
from micrec_core.method.search import repeated_rows
from micrec_core.serving.contents import DomainPart

NOBODY = "Nothing is known about this user here, so these are the most popular items."
PER_USER = (
    "This model owns a vector per user and has none for someone new, so these are the most "
    "popular items."
)
# Pairs scored at a time.
_BLOCK = 2**16
# Users at a time, where there is a memory.
_USERS = 256


@dataclass(frozen=True)
class Recommendation:
    """A ranked list.

    Attributes
    ----------
    items : item_id, title, score and a column per source; the sources add up to the score
    milliseconds : from user to list
    kind : ``hot``, ``warm`` or ``cold``
    note : sentences on what could not be used or why the list is not personal; often empty
    """

    domain: str
    items: pd.DataFrame
    milliseconds: float
    kind: str
    note: str = ""


def lists_of_all(
    part: DomainPart,
    allowed: NDArray[np.bool_],
    k: int,
    memory: Callable[[NDArray[np.int64]], Floats] | None,
) -> pd.DataFrame:
    """The ``k`` best items of every user in training, without those they took.

    Parameters
    ----------
    allowed : bool [n_items], what may be recommended
    memory : what it adds to the scores of some users, by their rows; None where there is none

    Returns
    -------
    user_id, rank (from 1), item_id, title, score; users sorted by id, best first
    """
    # Its kernels take a while to load, and nobody needs them for one list.
    from micrec_core.evaluation.ranking import rank_embeddings, rank_users

    users, items, known = part.users, part.items, np.flatnonzero(part.user_degree > 0)
    if memory is None:
        rows = rank_embeddings(users, items, known, part.train, allowed, k)
        place, rank = np.nonzero(rows >= 0)
        scores = _products(users, items, known[place], rows[place, rank])
    else:
        # Ranked a piece at a time, whose scores are at hand for the lists.
        first, later = repeated_rows(items)
        ranked, listed = [], []
        for begin in range(0, len(known), _USERS):
            some = known[begin : begin + _USERS]
            whole = users[some] @ items.T
            whole[:, later] = whole[:, first]
            whole += memory(some)
            best = rank_users(
                lambda asked: whole[np.searchsorted(some, asked)],  # noqa: B023
                some, part.train, allowed, k, n_items=len(items),
            )  # fmt: skip
            ranked.append(best)
            listed.append(np.take_along_axis(whole, np.maximum(best, 0), axis=1))
        rows = np.concatenate(ranked)
        place, rank = np.nonzero(rows >= 0)
        scores = np.concatenate(listed)[place, rank]
    user, item = known[place], rows[place, rank]
    return pd.DataFrame(
        {
            "user_id": part.user_ids[user],
            "rank": rank + 1,
            "item_id": part.item_ids[item],
            "title": part.titles[item],
            "score": scores,
        }
    )


def _products(
    users: Floats, items: Floats, user: NDArray[np.int64], item: NDArray[np.int32]
) -> Floats:
    """Inner products of pairs of rows, float32 [n]."""
    out = np.empty(len(user), np.float32)
    for begin in range(0, len(user), _BLOCK):
        here = slice(begin, begin + _BLOCK)
        out[here] = np.einsum("nd,nd->n", users[user[here]], items[item[here]])
    return out
