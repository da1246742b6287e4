"""Solving a trained model's memory, its constants chosen on validation interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.answering.fit_bridges import AsIfCold
from micrec_core.answering.scored import AS_IF_ON, Asked, as_good, each_ndcg, least_as_good, spread
from micrec_core.evaluation.questions import Question
from micrec_core.method.knowledge import Knowledge
from micrec_core.method.memory import Constants, Memory, remember, scores
from micrec_core.method.regression import EXACT, regression
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken, taken_elsewhere
from micrec_core.subset import some_of
from micrec_core.training.prepare import Prepared

# What is tried of each constant, the others at the first of theirs, which is taken when in doubt.
LEND, SEEN, POPULAR = (0.15, 0.0, 0.3), 0.4, (0.15, 0.05, 0.5)
ELSEWHERE = 0.1
# How far the memory's part of a user's scores spreads, over that of the embeddings.
SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)
# Below so many interactions an item there is too little to estimate a weight for each pair of.
PER_ITEM = 30
# The first alone where each is solved for item by item.
PENALTIES = (500.0, 100.0)
# As ``SHARES``, of popularity for users who are new in the domain; 0 is none.
NEWCOMERS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The same for who took something here; the first is taken that is as good as the best.
EVERYBODY = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
# Standard errors by which none must be worse than some.
_BEYOND_DOUBT = 2.0
# As ``SHARES``, of the regression.
REGRESSED = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def choose_memory(knowledge: Knowledge, asked: Asked, transfers: bool) -> Remembered:
    """The memory of a domain that ranks validation interactions best, beside the embeddings.

    NDCG@20 of the whole score; of equal ones the first, with the smaller share. What is counted
    is chosen first, and goes where it is worse than none by more than a standard error, for it
    brings new users and new items more than the known ones that are asked; then the regression
    beside it. Test is not looked at, and validation interactions are in no count.

    Parameters
    ----------
    transfers : whether what was taken in other domains counts
    """
    counted = _choose_counts(knowledge, asked, transfers)
    train = knowledge.domains[asked.question.place].train
    if train.nnz >= PER_ITEM * np.count_nonzero(train.getnnz(axis=0)):
        return _choose_regression(knowledge, asked, counted, transfers)
    return counted


def choose_everybody(asked: Asked, chosen: Remembered) -> Remembered:
    """The memory with popularity for who took something here: the least as good as the best.

    None, unless that is worse than the best by two standard errors, for it costs new items. Where
    all else is learned from few, or of people who hardly differ, what everybody takes is missed.
    """
    fame = chosen.memory.fame

    def popular(taken: Taken) -> NDArray[np.floating]:
        return np.broadcast_to(fame, (taken.here.shape[0], len(fame)))

    unit, (found,) = asked.found(popular, EVERYBODY, chosen)
    best = max(found, key=lambda values: float(values.mean()))
    if as_good([found[0], best], within=_BEYOND_DOUBT)[0]:
        return chosen
    share = least_as_good(EVERYBODY, found)
    return replace(chosen, constants=replace(chosen.constants, everybody=share * unit))


class Cold(NamedTuple):
    """Overlapping users asked as if cold in a domain, on their validation interactions.

    Attributes
    ----------
    question : who they are and what they took here, none of which is in a count of their own
    scores : of all items but for what newcomers are told, [n, n_items]
    taken : by them, as if nothing here
    """

    question: Question
    scores: NDArray[np.floating]
    taken: Taken


def ask_cold(
    prepared: Prepared,
    d: int,
    chosen: Remembered,
    cold: Mapping[int, AsIfCold],
    items: NDArray[np.float32],
) -> list[Cold]:
    """Who is asked as if cold in a domain, one a source.

    Parameters
    ----------
    d : the domain
    chosen : its memory
    cold : source -> who is asked
    items : final embeddings of the domain, float32 [n_items, dim]
    """
    found = []
    for source, everybody in cold.items():
        who = _some(everybody)
        if len(who.here):
            question, taken = _cold_question(prepared, d, source, who)
            counted = scores(chosen.memory, *taken, own=who.here) * chosen.scale(taken)
            found.append(Cold(question, who.users @ items.T + counted, taken))
    return found


def choose_newcomers(chosen: Remembered, asked: Sequence[Cold]) -> Remembered:
    """The memory with the weight of popularity that ranks best for users who are new here.

    Parameters
    ----------
    chosen : the domain's memory
    asked : users as if cold in it
    """
    if not asked:
        return chosen
    many = [len(one.question) for one in asked]
    told = [one.scores + chosen.across(one.taken) for one in asked]
    popular = replace(chosen, constants=replace(chosen.constants, newcomers=1.0)).to_newcomers
    unit = float(np.average([spread(each) for each in told], weights=many))
    unit /= max(float(popular.std()), 1e-12)
    shares = [share * unit for share in NEWCOMERS]
    found = [
        [values.mean() for values in each_ndcg(one.question, each, popular, shares)]
        for one, each in zip(asked, told, strict=True)
    ]
    weight = shares[int(np.argmax(np.average(found, axis=0, weights=many)))]
    return replace(chosen, constants=replace(chosen.constants, newcomers=weight))


def solved(
    knowledge: Knowledge, d: int, constants: Constants, regression: csr_matrix | None = None
) -> Memory:
    """The memory of a domain by these constants, and by a regression where it is given."""
    trains = [part.train for part in knowledge.domains]
    near = list(knowledge.domains[d].item_neighbours.values())
    told = (near, knowledge.settings.temperature, constants, regression)
    return remember(trains, knowledge.links, d, *told)


def _cold_question(
    prepared: Prepared, d: int, source: int, who: AsIfCold
) -> tuple[Question, Taken]:
    """What they are asked, and what they took as if nothing here."""
    domain, trains = prepared.dataset.domains[d], [x.train for x in prepared.knowledge.domains]
    valid = prepared.split.domains[d].valid.matrix(domain.n_users, domain.n_items)
    question = Question(
        "valid", domain.name, d, who.here, domain.user_ids[who.here], valid[who.here],
        trains[d][who.here], prepared.material.catalogues[d],
    )  # fmt: skip
    taken = [csr_matrix((len(who.here), train.shape[1])) for train in trains]
    taken[source] = trains[source][who.there]
    return question, Taken.of(taken, d)


def _some(who: AsIfCold) -> AsIfCold:
    if len(who.here) <= AS_IF_ON:
        return who
    rows = some_of(len(who.here), AS_IF_ON)
    return AsIfCold(who.here[rows], who.there[rows], who.users[rows])


class _Tried(NamedTuple):
    """What is counted by some constants, at the share that ranks best, and what that gives each."""

    memory: Remembered
    found: NDArray[np.float64]
    without: NDArray[np.float64]


def _choose_counts(knowledge: Knowledge, asked: Asked, transfers: bool) -> Remembered:
    """What is counted at its best; of no weight where it is worse than none beyond doubt.

    Of each constant the first that is as good as the best.
    """
    elsewhere = ELSEWHERE if transfers else 0.0

    def tried(lend: float, popular: float) -> _Tried:
        constants = Constants(
            lend=lend, seen=SEEN, popular=popular, elsewhere=elsewhere, content=0.0
        )
        one = Remembered(solved(knowledge, asked.question.place, constants), constants, 1.0)
        unit, ((without, *found),) = asked.found(one.scores, (0.0, *SHARES), None)
        best = int(np.argmax([values.mean() for values in found]))
        return _Tried(replace(one, weight=SHARES[best] * unit), found[best], without)

    def first(of: Sequence[_Tried]) -> _Tried:
        return of[as_good([each.found for each in of]).index(True)]

    best = first([tried(lend, POPULAR[0]) for lend in LEND])
    lend = best.memory.constants.lend
    best = first([best, *(tried(lend, popular) for popular in POPULAR[1:])])
    beyond_doubt = not as_good([best.without, best.found], within=1.0)[1]
    return replace(best.memory, weight=0.0) if beyond_doubt else best.memory


def _choose_regression(
    knowledge: Knowledge, asked: Asked, counted: Remembered, transfers: bool
) -> Remembered:
    """With the regression that helps most, beside what is counted or in its place; or with none."""
    d, trains = asked.question.place, [part.train for part in knowledge.domains]
    there = taken_elsewhere(trains, knowledge.links, d)
    there = there if transfers else csr_matrix(there.shape)
    # Nothing first, by which a share is measured; what is counted is tried before it.
    beside = (None, counted) if counted.weight else (None,)
    rest = (replace(counted, weight=0.0), counted) if counted.weight else (counted,)
    best, chosen = -np.inf, counted
    n = trains[d].shape[1] + there.shape[1]
    for penalty in PENALTIES if n <= EXACT else PENALTIES[:1]:
        weights = regression(trains[d], there, penalty)
        alone = Constants(counts=0.0, content=0.0, regress=1.0, penalty=penalty)
        one = Remembered(solved(knowledge, d, alone, weights), alone, 1.0, weights)
        unit, found = asked.found(one.scores, (0.0, *REGRESSED), *beside)
        best = max(best, float(found[-1][0].mean()))
        for kept, (_, *of_shares) in reversed(list(zip(rest, found, strict=True))):
            for share, values in zip(REGRESSED, of_shares, strict=True):
                if values.mean() > best:
                    best, chosen = float(values.mean()), _beside(kept, one, share * unit)
    if chosen is counted:
        return counted
    return replace(chosen, memory=solved(knowledge, d, chosen.constants, chosen.regression))


def _beside(counted: Remembered, one: Remembered, weight: float) -> Remembered:
    """What is counted with its own weight, and a regression with another; not yet solved."""
    if counted.weight == 0:
        return replace(one, weight=weight)
    told = {"regress": weight / counted.weight, "penalty": one.constants.penalty}
    return replace(counted, constants=replace(counted.constants, **told), regression=one.regression)
