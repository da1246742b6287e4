"""What scores of validation interactions are worth, and how far they spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.evaluation.questions import Question
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken
from micrec_core.subset import many_within

# At most so many known users of a domain are asked; a thousand took what cost a twelfth of test.
CHOSEN_ON = 4000
# In a catalogue where that would be more scores than these, fewer are, but a thousand.
_SCORES, _FEWEST = 2**27, 1000
# Of those who are asked as if cold, or for items as if new.
AS_IF_ON = 1000
_CUTOFF = 20
# Users whose scores are held at once, and numbers of a table of them.
_AT_ONCE, _NUMBERS = 1000, 2**25

Part = Callable[[Taken], NDArray[np.floating]]


def chosen_on(n_items: int) -> int:
    """At most so many users of a domain choose: what choosing takes stops growing with items."""
    return many_within(_SCORES, n_items, CHOSEN_ON, _FEWEST)


@dataclass(frozen=True)
class Asked:
    """A domain's validation question, with what answers it before anything is chosen.

    Attributes
    ----------
    question : of n users
    taken : by them
    users, items : their embeddings and those of all items, float32 [n, dim] and [n_items, dim]
    """

    question: Question
    taken: Taken
    users: NDArray[np.float32]
    items: NDArray[np.float32]

    def found(
        self,
        part: Part,
        shares: Sequence[float],
        *besides: Remembered | None,
        unit: float | None = None,
    ) -> tuple[float, list[list[NDArray[np.float64]]]]:
        """What shares of a part give, beside each of some memories.

        Parameters
        ----------
        part : scores [n_asked, n_items] by what some users took
        besides : what is added to the embeddings; None for nothing
        unit : what a share of 1 is; of None what makes the part spread as the scores of the first
            users do, beside the first memory

        Returns
        -------
        unit : float
        of_memories : for each memory, NDCG@20 of each user with each share, [n] each
        """
        blocks: list[list[list[NDArray[np.float64]]]] = [[] for _ in besides]
        for rows in self._blocks():
            added = part(self.taken.rows(rows))
            for beside, of_memory in zip(besides, blocks, strict=True):
                before = self._before(rows, beside)
                if unit is None:
                    unit = matching(added, before)
                weights = [share * unit for share in shares]
                of_memory.append(each_ndcg(self.question.of(rows), before, added, weights))
        assert unit is not None, "a question has users"
        found = [[np.concatenate(s) for s in zip(*told, strict=True)] for told in blocks]
        return unit, found

    def _before(self, rows: NDArray[np.int64], beside: Remembered | None) -> NDArray[np.floating]:
        own: NDArray[np.floating] = self.users[rows] @ self.items.T
        return own if beside is None else own + beside.scores(self.taken.rows(rows))

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        step = max(1, min(_AT_ONCE, _NUMBERS // max(len(self.items), 1)))
        rows = np.arange(len(self.question))
        return (rows[at : at + step] for at in range(0, len(rows), step))


def each_ndcg(
    asked: Question,
    before: NDArray[np.floating],
    part: NDArray[np.floating],
    weights: Sequence[float] | NDArray[np.floating],
) -> list[NDArray[np.float64]]:
    """NDCG@20 of a question's users by ``before + weight * part`` for each weight, [n] each.

    ``before, part`` : scores [n, n_items]; of the part one row may be for all
    """
    return asked.ndcg_of_sums(before, np.broadcast_to(part, before.shape), weights, _CUTOFF)


def spread(scores: Iterable[NDArray[np.floating]]) -> float:
    """How far a user's scores lie apart: the mean of their standard deviations, of rows [n_items].

    Row by row, for of a large catalogue a table of them beside the scores would be gigabytes.
    """
    return float(np.mean([row.std() for row in scores]))


def matching(part: Iterable[NDArray[np.floating]], scores: Iterable[NDArray[np.floating]]) -> float:
    """What a part is multiplied with to spread as the scores do; 0 where it tells nothing apart."""
    own = spread(part)
    return spread(scores) / own if own > 1e-12 else 0.0


def least_as_good(
    shares: Sequence[float], found: Sequence[NDArray[np.float64]], within: float = 0.5
) -> float:
    """The first of some shares that is ``as_good`` as the best, by what each gives each user."""
    good = as_good(found, within)
    return next(share for share, ok in zip(shares, good, strict=True) if ok)


def as_good(found: Sequence[NDArray[np.float64]], within: float = 0.5) -> list[bool]:
    """Which are not worse than the best by more than so many standard errors of the difference.

    ``found`` : what each gives each user, [n]; one user tells nothing apart
    """
    if len(found[0]) < 2:
        return [True] * len(found)
    best = max(found, key=lambda x: float(x.mean()))
    gaps = [best - one for one in found]
    return [bool(gap.mean() <= within * gap.std(ddof=1) / len(gap) ** 0.5) for gap in gaps]
