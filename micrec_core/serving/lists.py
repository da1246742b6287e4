"""What a list of recommendations is, and what it says where it is not a personal one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.method.arrays import Floats
from micrec_core.serving.contents import DomainPart

NOBODY = "Nothing is known about this user here, so these are the most popular items."
PER_USER = (
    "This model owns a vector per user and has none for someone new, so these are the most "
    "popular items."
)
# Pairs scored at a time.
_BLOCK = 2**16
# Users whose memory is asked at a time.
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
    if memory is not None:

        def scored(some: NDArray[np.int64]) -> Floats:
            whole: Floats = users[some] @ items.T + memory(some)
            return whole

        rows = rank_users(scored, known, part.train, allowed, k)
    else:
        rows = rank_embeddings(users, items, known, part.train, allowed, k)
    place, rank = np.nonzero(rows >= 0)
    user, item = known[place], rows[place, rank]
    scores = np.empty(len(user), np.float32)
    for begin in range(0, len(user), _BLOCK):
        here = slice(begin, begin + _BLOCK)
        scores[here] = np.einsum("nd,nd->n", users[user[here]], items[item[here]])
        if memory is not None:
            some, again = np.unique(user[here], return_inverse=True)
            for at in range(0, len(some), _USERS):
                mine = (again >= at) & (again < at + _USERS)
                added = memory(some[at : at + _USERS])
                scores[here][mine] += added[again[mine] - at, item[here][mine]]
    return pd.DataFrame(
        {
            "user_id": part.user_ids[user],
            "rank": rank + 1,
            "item_id": part.item_ids[item],
            "title": part.titles[item],
            "score": scores,
        }
    )
