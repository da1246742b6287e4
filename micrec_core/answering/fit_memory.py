"""Solving a trained model's memory, its constants chosen on validation interactions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question
from micrec_core.evaluation.ranking import rank_users
from micrec_core.method.knowledge import Knowledge
from micrec_core.method.memory import Constants, Memory, Remembered, Taken, remember

CHOSEN_ON = 1000
# What is tried of each constant, the others at the first of theirs.
LEND, SEEN, POPULAR = (0.15, 0.0, 0.3), 0.4, (0.15, 0.05, 0.5)
ELSEWHERE = 0.1
# How far the memory's part of a user's scores spreads, over that of the embeddings.
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_CUTOFF = 20


def choose_memory(
    knowledge: Knowledge,
    asked: Question,
    by_embedding: NDArray[np.float32],
    taken: Taken,
    transfers: bool,
) -> Remembered:
    """The memory of a domain that ranks validation interactions best, beside the embeddings.

    NDCG@20 of the whole score; of equal ones the first, with the smaller share. Test is not
    looked at, and validation interactions are in no count.

    Parameters
    ----------
    asked : the domain's validation question
    by_embedding : what the embeddings score, float32 [len(asked), n_items]
    taken : by the question's users
    transfers : whether what was taken in other domains counts
    """
    spread = float(by_embedding.std(axis=1).mean())
    elsewhere = ELSEWHERE if transfers else 0.0

    def tried(lend: float, popular: float) -> tuple[float, Remembered]:
        constants = Constants(
            lend=lend, seen=SEEN, popular=popular, elsewhere=elsewhere, content=0.0
        )
        one = Remembered(_solved(knowledge, asked.place, constants), constants, 1.0)
        by_memory = one.scores(taken)
        unit = spread / max(float(by_memory.std(axis=1).mean()), 1e-12)
        scores = [_ndcg(asked, by_embedding + (share * unit) * by_memory) for share in SHARES]
        best = int(np.argmax(scores))
        return scores[best], Remembered(one.memory, constants, SHARES[best] * unit)

    found = [tried(lend, POPULAR[0]) for lend in LEND]
    lend = max(found, key=_first)[1].constants.lend
    found += [tried(lend, popular) for popular in POPULAR[1:]]
    return max(found, key=_first)[1]


def _solved(knowledge: Knowledge, d: int, constants: Constants) -> Memory:
    trains = [part.train for part in knowledge.domains]
    near = list(knowledge.domains[d].item_neighbours.values())
    return remember(trains, knowledge.links, d, near, knowledge.settings.temperature, constants)


def _ndcg(asked: Question, scores: NDArray[np.float32]) -> float:
    rows = np.arange(len(asked))
    ranked = rank_users(lambda r: scores[r], rows, asked.mask, asked.candidates, _CUTOFF)
    found = ranking_metrics(ranked, asked.positives, (_CUTOFF,))
    return float(found[f"ndcg@{_CUTOFF}"].mean())


def _first(tried: tuple[float, Remembered]) -> float:
    return tried[0]
