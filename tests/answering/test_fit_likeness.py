"""How much likeness in content adds is chosen on validation, of known and of as if new items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from micrec_core.answering import fit_likeness
from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.answering.fit_likeness import (
    SHARES,
    SHARES_ELSEWHERE,
    choose_elsewhere,
    choose_for_new_items,
    choose_likeness,
)
from micrec_core.answering.fit_memory import ask_cold
from micrec_core.answering.scored import Asked, as_good, each_ndcg, spread
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features
from micrec_core.method.likeness import Likeness
from micrec_core.method.memory import Constants, remember
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken
from tests.answering.asked import asked_of, ndcg

pytestmark = pytest.mark.usefixtures("one_thread")


def counted(answerer: MicrecAnswerer, d: int, weight: float = 0.5) -> Remembered:
    """A memory of counts alone."""
    known, constants = answerer.prepared.knowledge, Constants(content=0.0)
    near = list(known.domains[d].item_neighbours.values())
    trains = [part.train for part in known.domains]
    told = (near, known.settings.temperature, constants)
    return Remembered(remember(trains, known.links, d, *told), constants, weight)


@pytest.mark.parametrize("weight", [0.5, 0.0])
def test_the_first_share_as_good_as_the_best_is_taken(
    answerer: MicrecAnswerer, weight: float
) -> None:
    prepared = answerer.prepared
    for d, asked in enumerate(asked_of(answerer)):
        memory, question, taken = counted(answerer, d, weight), asked.question, asked.taken
        own = asked.users @ asked.items.T
        before = own + memory.scores(taken)
        found = choose_likeness(prepared, asked, memory)
        spaces = [x.space for x in prepared.knowledge.domains[d].features.values()]
        rows = taken.here.toarray()
        alike = sum(rows @ x @ x.T for x in map(dense, spaces))
        alike = alike / np.sqrt(np.maximum(rows.sum(1, keepdims=True), 1))
        unit = spread(before) / spread(alike)
        values = [ndcg(question, before + share * unit * alike) for share in SHARES]
        best = max(values, key=np.mean)
        near = [
            (best - x).mean() <= 0.5 * (best - x).std(ddof=1) / len(question) ** 0.5 for x in values
        ]
        share = next(s for s, ok in zip(SHARES, near, strict=True) if ok)
        assert found.weight * found.constants.similar == pytest.approx(share * unit, rel=1e-3)
        assert found.constants.similar_new == found.constants.similar
        after = own + found.scores(taken)
        np.testing.assert_allclose(after, before + share * unit * alike, rtol=1e-3, atol=1e-4)


def test_what_is_as_good_as_the_best() -> None:
    """By half a standard error of the paired difference; one user, or none, tells nothing apart."""
    best, noise = np.array([0.5, 0.7, 0.5, 0.7]), np.array([0.1, -0.1, 0.1, -0.1])
    assert as_good([best, best - 0.01 + noise, best - 0.1, best]) == [True, True, False, True]
    assert as_good([best, best - 0.04 + noise]) == [True, False]
    assert as_good([best, best - 0.04 + noise], within=1.0) == [True, True]
    assert as_good([best[:1], best[:1] - 0.4]) == [True, True]


@pytest.mark.parametrize("weight", [0.5, 0.0])
def test_likeness_to_what_was_taken_elsewhere_is_the_least_as_good_as_the_best(
    answerer: MicrecAnswerer, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of who is asked as if cold; where it is what they take it is found."""
    prepared = answerer.prepared
    for d in range(2):
        memory = counted(answerer, d, weight)
        memory = replace(memory, constants=replace(memory.constants, newcomers=0.1))
        cold = {a: x.asked for (a, b), x in answerer._fitted.items() if b == d}
        (asked,) = ask_cold(prepared, d, memory, cold, answerer.items[d])
        here, there = ([p.space for p in prepared.knowledge.domains[e].features.values()]
                       for e in (d, 1 - d))  # fmt: skip
        rows = asked.taken.elsewhere.toarray()
        alike = sum(rows @ dense(y) @ dense(x).T for x, y in zip(here, there, strict=True))
        alike = alike / np.sqrt(rows.sum(1, keepdims=True))
        before = asked.scores + memory.to_newcomers
        unit = spread(before) / spread(alike)
        top = np.zeros(alike.shape)
        np.put_along_axis(top, np.argsort(-alike, axis=1)[:, :3], 1.0, axis=1)
        liked = asked.question, replace(asked.question, positives=sparse.csr_matrix(top), mask=None)
        found = []
        for question in liked:
            values = [ndcg(question, before + share * unit * alike) for share in SHARES_ELSEWHERE]
            good = as_good(values, within=1.0)
            share = next(s for s, ok in zip(SHARES_ELSEWHERE, good, strict=True) if ok)
            chosen = choose_elsewhere(prepared, d, memory, [asked._replace(question=question)])
            weighed = chosen.weight * chosen.constants.similar_elsewhere
            assert weighed == pytest.approx(share * unit, rel=1e-3)
            after = chosen.across(asked.taken)
            np.testing.assert_allclose(after, share * unit * alike, rtol=1e-3, atol=1e-4)
            assert chosen.constants.similar == memory.constants.similar
            found.append(share)
        assert found[1] > 0
    assert choose_elsewhere(prepared, 0, memory, []) is memory
    narrow = Likeness(fit_likeness._likeness(prepared, 1).spaces, np.zeros(1, bool))
    monkeypatch.setattr(fit_likeness, "_likeness", lambda *_: narrow)
    assert choose_elsewhere(prepared, 1, memory, [asked]) is memory


def dense(space: Features) -> np.ndarray:
    return space if isinstance(space, np.ndarray) else space.toarray()


def test_items_that_say_nothing_are_like_nothing(answerer: MicrecAnswerer) -> None:
    """No weight is made of nothing, whichever share is first."""
    prepared = answerer.prepared
    silent = [
        replace(part, features={m: mute(x) for m, x in part.features.items()})
        for part in prepared.knowledge.domains
    ]
    prepared = replace(prepared, knowledge=replace(prepared.knowledge, domains=tuple(silent)))
    memory, asked = counted(answerer, 0), asked_of(answerer)[0]
    assert choose_likeness(prepared, asked, memory) == memory
    told = memory, asked.items, answerer.taken
    assert choose_for_new_items(prepared, asked, answerer.users[0], *told) == memory


def test_what_the_model_makes_of_items_it_was_trained_on_does_not_rank_them_as_new(
    answerer: MicrecAnswerer,
) -> None:
    """It knows who took them, so that content seemed to add nothing; how far it spreads counts."""
    for d, asked in enumerate(asked_of(answerer)):
        told = (answerer.prepared, asked, answerer.users[d], counted(answerer, d, weight=0.0))
        right, wrong, far = (
            choose_for_new_items(*told, new, answerer.taken).constants.similar_new
            for new in (asked.items, -asked.items, 2 * asked.items)
        )
        assert wrong == pytest.approx(right)
        assert far == pytest.approx(2 * right)


def test_a_loss_that_is_small_beyond_doubt_is_none(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that nobody took, in the lists of known users: a thousandth less, of all of them."""
    memory, asked = counted(answerer, 0), asked_of(answerer)[0]
    told = answerer.users[0], memory, asked.items, answerer.taken
    none = np.full(len(asked.question), 0.5)
    for lost, kept in ((0.001, True), (0.01, False)):
        of_known = [none * (1 - lost * (place != 3)) for place in range(len(SHARES))]
        told_known = 1.0, [of_known]
        monkeypatch.setattr(Asked, "found", lambda *_, **__: told_known)  # noqa: B023
        monkeypatch.setattr(
            fit_likeness,
            "each_ndcg",
            lambda q, _, __, weights: [np.full(len(q), 1.0 + i) for i in range(len(weights))],
        )
        spaces = fit_likeness._likeness(answerer.prepared, 0).spaces
        new = Likeness(spaces, np.arange(len(asked.items)) % 9 == 0)
        with_new = replace(memory, likeness=new)
        found = choose_for_new_items(answerer.prepared, asked, told[0], with_new, *told[2:])
        assert (found.constants.similar_new > 0) == kept


def mute(features: FeatureMatrix) -> FeatureMatrix:
    words = None if features.sparse is None else 0 * features.sparse
    return FeatureMatrix(0 * features.dense, words, features.present)


def test_items_as_if_new_are_in_no_count(answerer: MicrecAnswerer) -> None:
    """Whoever took them, and whatever they lend: nothing of it is in their scores."""
    prepared, d = answerer.prepared, 0
    part = prepared.knowledge.domains[d]
    held = np.arange(part.train.shape[1]) % 5 == 1
    taken = Taken.of([sparse.csr_matrix(part.train[:20] @ sparse.diags(~held * 1.0)),
                      prepared.knowledge.domains[1].train[:20]], d)  # fmt: skip
    memory = counted(answerer, d)
    near = fit_likeness._neighbours_without(prepared, d, held)
    without = replace(memory, memory=fit_likeness._without(prepared, d, memory, held, near))
    other = part.train.tolil()
    other[:, held] = np.random.default_rng(0).random((other.shape[0], held.sum())) < 0.3
    changed = replace(part, train=sparse.csr_matrix(other))
    knowledge = replace(prepared.knowledge, domains=(changed, *prepared.knowledge.domains[1:]))
    again = replace(prepared, knowledge=knowledge)
    near = fit_likeness._neighbours_without(again, d, held)
    again = fit_likeness._without(again, d, memory, held, near)
    np.testing.assert_allclose(
        replace(memory, memory=again).scores(taken), without.scores(taken), rtol=1e-5, atol=1e-6
    )
    # It still says something of them: what their neighbours have.
    assert without.scores(taken)[:, held].any()


def test_new_items_are_told_by_content_what_ranks_best_as_if_they_were(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only validation interactions with items of training are asked; never less than of others."""
    prepared, told, known = answerer.prepared, [], []
    found_of = Asked.found
    monkeypatch.setattr(fit_likeness, "each_ndcg", lambda *x: told.append(x) or each_ndcg(*x))
    monkeypatch.setattr(
        Asked, "found", lambda *x, **y: known.append(found_of(*x, **y)) or known[-1]
    )
    for d, asked in enumerate(asked_of(answerer)):
        told.clear(), known.clear()
        memory, n = counted(answerer, d), len(asked.items)
        rest = answerer.users[d], memory, asked.items, answerer.taken
        found = choose_for_new_items(prepared, asked, *rest)
        values, seen = [[] for _ in SHARES], np.zeros(n, int)
        for question, before, added, weights in told:
            for at, weight in enumerate(weights):
                values[at].append(ndcg(question, before + np.float32(weight) * added))
            seen += question.candidates
            valid = prepared.split.domains[d].valid
            wanted = valid.matrix(*prepared.knowledge.domains[d].train.shape)[question.users]
            assert (question.positives.toarray() <= wanted.toarray()).all()
            assert not question.positives[:, ~question.candidates].nnz
        of_known = known[0][1][0] if known else []
        taken = prepared.knowledge.domains[d].item_degree > 0
        assert seen.max() == 1 and not seen[~taken].any()
        good = as_good(of_known) if of_known else [True] * len(SHARES)
        means = [values.mean() for values in of_known]
        good = [ok or m >= 0.995 * max(means) for ok, m in zip(good, means or good, strict=True)]
        kept = np.flatnonzero(good)
        share = SHARES[kept[as_good([np.concatenate(values[i]) for i in kept]).index(True)]]
        assert (found.constants.similar_new > 0) == (share > 0)
        assert found.constants.similar == 0
        liked = replace(memory, constants=replace(memory.constants, similar=1e6))
        more = choose_for_new_items(prepared, asked, rest[0], liked, *rest[2:])
        assert more.constants.similar_new == pytest.approx(1e6)
