"""What stands beside a model on the same questions: popularity, maps between its user spaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from micrec_core.answering.answers import Answerer, MicrecAnswerer, Vectors, homes
from micrec_core.evaluation.questions import Answer, Outcome, Question, popularity
from micrec_core.evaluation.user_maps import choose_ridge, nearest_bridge
from micrec_core.names import FULL
from micrec_core.training.prepare import Prepared


def references(answerer: Answerer, asked: Sequence[Question]) -> list[Outcome]:
    """Popularity first, unless that is the model itself; the maps of a MICRec alone."""
    popular = popularity_outcome(answerer.prepared, asked)
    if answerer.prepared.settings.model.name == popular.model:
        return []
    if isinstance(answerer, MicrecAnswerer):
        return [popular, *_maps(answerer, asked)]
    return [popular]


def popularity_outcome(prepared: Prepared, asked: Sequence[Question]) -> Outcome:
    """The popularity reference."""
    degrees = [part.item_degree for part in prepared.knowledge.domains]
    return popularity(asked, degrees, prepared.settings.seed)


def _maps(answerer: MicrecAnswerer, asked: Sequence[Question]) -> list[Outcome]:
    """A ridge map and the nearest users, from the space of a source to that of the target."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    for question in (q for q in asked if q.known_by == "elsewhere"):
        for name, users in _mapped(answerer, question).items():
            answers[name].append(question.answer(users, answerer.items[question.place]))
    seed = answerer.prepared.settings.seed
    return [Outcome(name, FULL, seed, tuple(given)) for name, given in answers.items()]


def _mapped(answerer: MicrecAnswerer, question: Question) -> dict[str, Vectors]:
    d, knowledge = question.place, answerer.prepared.knowledge
    items = answerer.items[d]
    out = {n: np.zeros((len(question), items.shape[1]), np.float32) for n in ("ridge", "nearest")}
    for source, (there, at) in homes(answerer.prepared, question).items():
        left, right = knowledge.links[source, d]
        if len(left) == 0:
            continue
        a, b = answerer.users[source][left], answerer.users[d][right]
        taken = knowledge.domains[d].train[right]
        queries = answerer.users[source][there]
        out["ridge"][at] = choose_ridge(a, b, items, taken, question.candidates)(queries)
        out["nearest"][at] = nearest_bridge(queries, a, b)
    return out
