"""Who would get an item that is not in the catalogue: of many people at once, without a list each.

What somebody's list demands, the score of its last place, does not depend on the new item. It is
computed once; a change of the item costs one product with everybody's embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.method.arrays import Floats, Rows
from micrec_core.method.evidence import Person
from micrec_core.method.foldin import FoldIn
from micrec_core.method.growing import person_by_now
from micrec_core.method.taken import Taken, taken_elsewhere
from micrec_core.serving.contents import Bundle
from micrec_core.subset import some_of

# People asked for each way of being known, drawn once; more say little more and cost seconds.
MOST_HERE, MOST_ELSEWHERE = 1000, 150
# Users at a time, all of whose scores are at hand.
_USERS = 128


@dataclass(frozen=True)
class Crowd:
    """People known in one way, and what their lists in a domain demand.

    Attributes
    ----------
    known_in : the domain they are known in; another one than the item's for those who are new here
    ids : str objects [n]
    degree : interactions by now where they are known, [n]
    vectors : float32 [n, dim], embeddings in the item's domain
    taken : what memory goes by
    needed : float32 [n], the score of the last place of the list
    of : how many such people there are
    """

    known_in: str
    ids: NDArray[np.object_]
    degree: NDArray[np.int64]
    vectors: Floats
    taken: Taken
    needed: Floats
    of: int


def crowds(fold: FoldIn, bundle: Bundle, d: int, allowed: NDArray[np.bool_], k: int) -> list[Crowd]:
    """A sample of those known in domain ``d``, and of those known in each other one alone.

    Parameters
    ----------
    allowed : bool [n_items], what may be recommended
    k : length of the lists
    """
    part = bundle.domains[d]
    everyone = part.known_users
    rows = some_of(everyone, MOST_HERE)
    by_now = [x.taken for x in bundle.domains]
    taken = Taken(by_now[d][rows], taken_elsewhere(by_now, bundle.in_both, d)[rows])
    vectors = part.users[rows]
    needed = _needed(bundle, d, vectors, taken, allowed, k)
    degree = part.user_count[rows].astype(int)
    out = [Crowd(part.name, part.user_ids[rows], degree, vectors, taken, needed, len(everyone))]
    for s in range(len(bundle.domains)):
        if s != d and (s, d) in bundle.in_both:
            out += _elsewhere(fold, bundle, s, d, allowed, k)
    return [crowd for crowd in out if len(crowd.ids)]


def _elsewhere(
    fold: FoldIn, bundle: Bundle, s: int, d: int, allowed: NDArray[np.bool_], k: int
) -> list[Crowd]:
    """People who took things in ``s`` and nothing in ``d``; none where nothing leads there."""
    source = bundle.domains[s]
    alone = source.user_count > 0
    alone[bundle.in_both[s, d][0]] = False
    everyone = np.flatnonzero(alone)
    rows = some_of(everyone, MOST_ELSEWHERE)
    people = [person_by_now(bundle, of_all) for of_all in _everywhere(bundle, s, rows)]
    folded = [fold.user(person, d) for person in people]
    if not people or all(one.empty for one in folded):
        return []
    vectors = np.stack([one.vector() for one in folded]).astype(np.float32)
    taken = Taken.of([_rows(people, t, x.train.shape[1]) for t, x in enumerate(bundle.domains)], d)
    needed = _needed(bundle, d, vectors, taken, allowed, k)
    degree = source.user_count[rows].astype(int)
    return [
        Crowd(source.name, source.user_ids[rows], degree, vectors, taken, needed, len(everyone))
    ]


def _everywhere(bundle: Bundle, s: int, rows: Rows) -> list[tuple[int, ...]]:
    """Of users of domain ``s`` their row in every domain, -1 where they took nothing."""
    columns = []
    for t in range(len(bundle.domains)):
        there, here = bundle.in_both.get((s, t), (rows, rows) if t == s else (rows[:0], rows[:0]))
        place = dict(zip(there.tolist(), here.tolist(), strict=True))
        columns.append([place.get(row, -1) for row in rows.tolist()])
    return list(zip(*columns, strict=True))


def _rows(people: Sequence[Person], s: int, n: int) -> csr_matrix:
    """What people took in a domain, CSR [n_people, n]."""
    items = [person.items[s] for person in people]
    ends = np.cumsum([0, *map(len, items)])
    columns = np.concatenate(items)
    return csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(people), n))


def _needed(
    bundle: Bundle, d: int, vectors: Floats, taken: Taken, allowed: NDArray[np.bool_], k: int
) -> Floats:
    """The k-th best score of each user among what they may be shown, float32 [n]."""
    items, held = bundle.domains[d].items, bundle.remembered[d]
    out = np.full(len(vectors), -np.inf, np.float32)
    for begin in range(0, len(vectors), _USERS):
        here = slice(begin, begin + _USERS)
        asked = taken.rows(np.arange(len(vectors))[here])
        scores = vectors[here] @ items.T
        if held is not None:
            scores += held.scores(asked)
        scores[:, ~allowed] = -np.inf
        scores[asked.here.nonzero()] = -np.inf
        if scores.shape[1] >= k:
            out[here] = np.partition(scores, -k, axis=1)[:, -k]
    return out


def audience(
    crowds: Sequence[Crowd], vector: NDArray[np.floating], memory: Sequence[NDArray[np.floating]]
) -> pd.DataFrame:
    """Who gets an item of this embedding.

    Parameters
    ----------
    memory : of each crowd, what its memory adds to the item's score, [n]

    Returns
    -------
    user_id, known_in, degree, score, needed, gets: a row for each person asked; an item that ties
    with the last place does not get in
    """
    frames = []
    for crowd, more in zip(crowds, memory, strict=True):
        score = crowd.vectors @ vector.astype(np.float32) + more
        frames.append(
            pd.DataFrame(
                {
                    "user_id": crowd.ids,
                    "known_in": crowd.known_in,
                    "degree": crowd.degree,
                    "score": score,
                    "needed": crowd.needed,
                    "gets": score > crowd.needed,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
