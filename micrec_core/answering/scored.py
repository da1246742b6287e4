"""What scores of validation interactions are worth, and how far they spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question

# At most so many users of a domain are asked.
CHOSEN_ON = 1000
_CUTOFF = 20


def ndcg(asked: Question, scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """NDCG@20 of each of a question's users, [n]; ``scores`` [n, n_items]."""
    ranked = asked.answer_scores(lambda some: scores[some], _CUTOFF).ranked
    table = ranking_metrics(ranked, asked.positives, (_CUTOFF,))
    found: NDArray[np.float64] = table[f"ndcg@{_CUTOFF}"].to_numpy()
    return found


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
