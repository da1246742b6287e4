"""Validation questions as a trained model is asked them where something is chosen."""

from __future__ import annotations

import numpy as np

from micrec_core.answering.answers import MicrecAnswerer, validation_questions
from micrec_core.answering.scored import CHOSEN_ON, Asked
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question
from micrec_core.method.taken import Taken


def asked_of(answerer: MicrecAnswerer) -> list[Asked]:
    """One a domain."""
    return [
        Asked(
            question,
            Taken.of(answerer.taken(question), question.place),
            answerer.users[question.place][question.users],
            answerer.items[question.place],
        )
        for question in validation_questions(answerer.prepared, CHOSEN_ON)
    ]


def ndcg(asked: Question, scores: np.ndarray) -> np.ndarray:
    """NDCG@20 of each user, by ranking all items."""
    ranked = asked.answer_scores(lambda some: scores[some], 20).ranked
    return ranking_metrics(ranked, asked.positives, (20,))["ndcg@20"].to_numpy()
