"""What scores of validation interactions are worth, and how far they spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.evaluation.questions import Question
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken

# At most so many known users of a domain are asked; a thousand took what cost a twelfth of test.
CHOSEN_ON = 4000
# Of those who are asked as if cold, or for items as if new.
AS_IF_ON = 1000
_CUTOFF = 20
# Users whose scores are held at once, and numbers of a table of them.
_AT_ONCE, _NUMBERS = 1000, 2**25

Part = Callable[[Taken], NDArray[np.floating]]


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

    def unit(self, part: Part, beside: Remembered | None = None) -> float:
        """What a part is multiplied with to spread as the scores of the first users do.

        Parameters
        ----------
        part : scores [n_asked, n_items] by what some users took
        beside : a memory that is added to the embeddings
        """
        rows = next(self._blocks())
        return matching(part(self.taken.rows(rows)), self._before(rows, beside))

    def found(
        self, part: Part, weights: Sequence[float], beside: Remembered | None = None
    ) -> list[NDArray[np.float64]]:
        """NDCG@20 of each user with each weight of a part, [n] each."""
        blocks = [
            self.question.of(rows).ndcg_of_sums(
                self._before(rows, beside), part(self.taken.rows(rows)), weights, _CUTOFF
            )
            for rows in self._blocks()
        ]
        return [np.concatenate(of_weight) for of_weight in zip(*blocks, strict=True)]

    def _before(self, rows: NDArray[np.int64], beside: Remembered | None) -> NDArray[np.floating]:
        own: NDArray[np.floating] = self.users[rows] @ self.items.T
        return own if beside is None else own + beside.scores(self.taken.rows(rows))

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        step = max(1, min(_AT_ONCE, _NUMBERS // max(len(self.items), 1)))
        rows = np.arange(len(self.question))
        return (rows[at : at + step] for at in range(0, len(rows), step))


def ndcg(asked: Question, scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """NDCG@20 of each of a question's users, [n]; ``scores`` [n, n_items]."""
    return each_ndcg(asked, scores, scores, (0.0,))[0]


def each_ndcg(
    asked: Question,
    before: NDArray[np.floating],
    part: NDArray[np.floating],
    weights: Sequence[float] | NDArray[np.floating],
) -> list[NDArray[np.float64]]:
    """The same by ``before + weight * part`` for each weight; [n, n_items], or one row for all."""
    return asked.ndcg_of_sums(before, np.broadcast_to(part, before.shape), weights, _CUTOFF)


def spread(scores: NDArray[np.floating]) -> float:
    """How far a user's scores lie apart: the mean of their standard deviations."""
    return float(scores.std(axis=1).mean())


def matching(part: NDArray[np.floating], scores: NDArray[np.floating]) -> float:
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
