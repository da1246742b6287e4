"""The memory of a model is chosen on validation, answers every question, and is served as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from micrec_core.answering import fit_memory
from micrec_core.answering.answers import (
    VALID,
    MicrecAnswerer,
    answerer_of,
    array,
    validation_questions,
)
from micrec_core.answering.fit_bridges import AsIfCold
from micrec_core.answering.fit_memory import (
    EVERYBODY,
    NEWCOMERS,
    SHARES,
    ask_cold,
    choose_everybody,
    choose_memory,
    choose_newcomers,
)
from micrec_core.answering.scored import CHOSEN_ON, Asked, as_good, each_ndcg
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken
from micrec_core.running.evaluate import load_model
from micrec_core.running.fit import fit
from micrec_core.running.train import train_run
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
from micrec_core.training.prepare import Prepared
from tests.answering.asked import asked_of, ndcg

pytestmark = pytest.mark.usefixtures("one_thread")


def held(answerer: MicrecAnswerer, d: int) -> Remembered:
    found = answerer.memories[d]
    assert found is not None
    return found


def test_a_regression_is_taken_where_it_helps(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_of(answerer)[0]
    taken, own = asked.taken, asked.users @ asked.items.T
    told: list[sparse.csr_matrix] = []

    def stub(train: sparse.csr_matrix, there: sparse.csr_matrix, _: float) -> sparse.csr_matrix:
        told.append(there)
        return weights

    def chosen(per_item: float, transfers: bool = True) -> Remembered:
        monkeypatch.setattr(fit_memory, "PER_ITEM", per_item)
        return choose_memory(answerer.prepared.knowledge, asked, transfers)

    monkeypatch.setattr(fit_memory, "regression", stub)
    n, n_other = taken.here.shape[1], taken.elsewhere.shape[1]
    weights = sparse.csr_matrix((n + n_other, n))
    counted = chosen(np.inf)
    assert not told
    assert chosen(0).regression is None  # it says nothing
    # It knows what is asked for.
    weights = sparse.csr_matrix(
        sparse.hstack([taken.here, taken.elsewhere]).T @ asked.question.positives
    )
    found = chosen(0)
    assert found.regression is weights
    without, beside = (
        ndcg(asked.question, own + memory.scores(taken)).mean() for memory in (counted, found)
    )
    assert beside > without
    # What is counted weighs what it weighed, or nothing.
    assert found.weight * found.constants.counts == pytest.approx(counted.weight) or (
        found.constants.counts == 0
    )
    # Other domains are asked only where they may be.
    assert told[-1].nnz
    chosen(0, transfers=False)
    assert not told[-1].nnz


def test_nothing_tried_ranks_validation_better(answerer: MicrecAnswerer) -> None:
    for asked in validation_questions(answerer.prepared, CHOSEN_ON):
        d = asked.place
        own = answerer.users[d][asked.users] @ answerer.items[d].T
        taken = Taken.of(answerer.taken(asked), d)
        # Likeness in content and popularity are chosen after it.
        chosen = replace(held(answerer, d), likeness=None)
        chosen = replace(chosen, constants=replace(chosen.constants, everybody=0.0))
        added = chosen.scores(taken)

        def value(scores: np.ndarray) -> float:
            hidden = np.where(asked.mask.toarray() > 0, -np.inf, scores)  # noqa: B023
            hidden[:, ~asked.candidates] = -np.inf  # noqa: B023
            order = np.argsort(-hidden, axis=1, kind="stable")[:, :20]
            hits = np.take_along_axis(asked.positives.toarray() > 0, order, axis=1)  # noqa: B023
            gains = (hits / np.log2(np.arange(2, 22))).sum(axis=1)
            many = np.diff(asked.positives.indptr)  # noqa: B023
            best = np.array([(1 / np.log2(np.arange(2, 2 + min(n, 20)))).sum() for n in many])
            return float((gains / best).mean())

        unit = chosen.weight and added / chosen.weight
        spread = (
            own.std(axis=1).mean() / max(np.std(unit, axis=1).mean(), 1e-12) if chosen.weight else 0
        )
        best = value(own + added)
        for share in SHARES:
            assert best >= value(own + share * spread * unit) - 1e-9


def test_as_much_of_popularity_as_is_as_good_as_the_best(answerer: MicrecAnswerer) -> None:
    """Where all take what everybody takes it counts; where only chance says so it does not."""
    for asked in validation_questions(answerer.prepared, CHOSEN_ON):
        degree = answerer.prepared.knowledge.domains[asked.place].train.getnnz(axis=0)
        fame = np.log1p(degree)
        fame[degree == 0] = np.repeat(fame, degree).mean()
        luck = np.random.default_rng(0).random((len(asked), len(degree))).astype(np.float32)
        unit = luck.std(axis=1).mean() / fame.std()
        top = np.zeros((len(asked), len(degree)), np.float32)
        top[:, np.argsort(-degree)[:3]] = 1
        alike = replace(asked, positives=sparse.csr_matrix(top), mask=None)
        values = [ndcg(alike, luck + np.float32(s * unit) * fame[None]) for s in EVERYBODY]
        share = next(s for s, ok in zip(EVERYBODY, as_good(values), strict=True) if ok)
        told = replace(held(answerer, asked.place), weight=0.0)
        told = replace(told, constants=replace(told.constants, everybody=0.0))
        taken = Taken.of(answerer.taken(asked), asked.place)
        lucky = Asked(alike, taken, luck, np.eye(len(degree), dtype=np.float32))
        found = choose_everybody(lucky, told)
        assert share > 0
        assert found.constants.everybody == pytest.approx(share * unit, rel=1e-3)
        # Of one user nothing is beyond doubt.
        one = Asked(alike.of(np.arange(1)), taken.rows(np.arange(1)), luck[:1], lucky.items)
        assert choose_everybody(one, told) is told


@pytest.mark.parametrize(("worse", "kept"), [(0.0, True), (0.005, True), (0.05, False)])
def test_counts_go_where_they_are_worse_than_none_beyond_doubt(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch, worse: float, kept: bool
) -> None:
    """A hundred users whose figures differ by .1 tell .05 from nothing, and .005 not."""
    value = np.tile([0.1, 0.2], 50)
    other = np.tile([0.2, 0.1], 50) - worse
    found_all = lambda _, __, shares, *___: (1.0, [[value, *[other] * (len(shares) - 1)]])  # noqa: E731
    monkeypatch.setattr(Asked, "found", found_all)
    monkeypatch.setattr(fit_memory, "PER_ITEM", np.inf)
    found = choose_memory(answerer.prepared.knowledge, asked_of(answerer)[0], True)
    assert (found.weight > 0) == kept


def test_no_weight_of_popularity_serves_those_who_are_cold_here_better(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of overlapping users by a bridge that did not see them; test is not looked at."""
    prepared, told = answerer.prepared, []
    monkeypatch.setattr(fit_memory, "each_ndcg", lambda *x: told.append(x) or each_ndcg(*x))
    for d in range(2):
        cold = {a: x.asked for (a, b), x in answerer._fitted.items() if b == d}
        assert len(cold[1 - d].here)
        told.clear()
        asked = ask_cold(prepared, d, held(answerer, d), cold, answerer.items[d])
        assert not asked[0].taken.here.nnz
        chosen = choose_newcomers(held(answerer, d), asked)
        ((question, before, popular, weights),) = told
        assert len(weights) == len(NEWCOMERS)
        assert chosen.constants == held(answerer, d).constants
        every = [before + np.float32(weight) * popular[None] for weight in weights]
        scores = every[int(np.argmax([ndcg(question, one).mean() for one in every]))]
        valid = prepared.split.domains[d].valid
        users, items = (array.tolist() for array in question.positives.nonzero())
        pairs = {(question.users[u], i) for u, i in zip(users, items, strict=True)}
        assert pairs <= set(zip(valid.user.tolist(), valid.item.tolist(), strict=True))
        # The best of them is what a newcomer gets beside the rest.
        added = chosen.to_newcomers
        np.testing.assert_allclose(scores - before, np.tile(added, (len(scores), 1)), atol=1e-4)
        nobody = {1 - d: AsIfCold(*(part[:0] for part in cold[1 - d]))}
        assert not ask_cold(prepared, d, chosen, nobody, answerer.items[d])
        assert choose_newcomers(chosen, []) is chosen


def test_the_evaluation_ranks_by_the_sum(answerer: MicrecAnswerer) -> None:
    strong = {d: replace(held(answerer, d), weight=5.0) for d in range(2)}
    again = answerer_of(answerer.prepared, answerer.model)
    again.__dict__["memories"] = again.__dict__["counted"] = [strong[0], strong[1]]
    protocols = set()
    for question in answerer.prepared.material.questions:
        d, rows = question.place, np.arange(len(question))
        users = again._embedded(question)  # type: ignore[attr-defined]
        taken = Taken.of(again.taken(question), d)
        scores = users @ answerer.items[d].T + strong[d].scores(taken)
        if question.mask is not None:
            scores = np.where(question.mask.toarray() > 0, -np.inf, scores)
        scores[:, ~question.candidates] = -np.inf
        found = again.answer(question, 1)
        assert found is not None
        best = scores[rows, np.maximum(found.ranked[:, 0], 0)]
        np.testing.assert_allclose(best, scores.max(axis=1), rtol=1e-5)
        protocols.add(question.protocol)
    assert protocols == {"known", "new-users", "new-items", "cold-domain"}


def test_epochs_are_chosen_by_embeddings_alone(answerer: MicrecAnswerer) -> None:
    for asked in validation_questions(answerer.prepared, 50):
        assert asked.protocol == VALID
        found, d = answerer.answer(asked), asked.place
        alone = asked.answer(answerer.users[d][asked.users], answerer.items[d])
        assert found is not None
        np.testing.assert_array_equal(found.ranked, alone.ranked)


def test_a_model_without_memory_has_none(made: Callable[..., Prepared]) -> None:
    for model in ({"without": ("memory",)}, {"memory": False}, {"name": "inmo"}):
        found = fit(made(**model)).answerer
        assert isinstance(found, MicrecAnswerer)
        assert found.memories == [None, None]


def test_without_other_domains_memory_is_of_one(made: Callable[..., Prepared]) -> None:
    found = fit(made(without=("cross-domain",))).answerer
    assert isinstance(found, MicrecAnswerer)
    assert all(held(found, d).constants.elsewhere == 0 for d in range(2))


def test_a_run_serves_what_was_evaluated(
    place: Path, made: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A memory that surely counts, whatever validation says of so small a shop.
    module = "micrec_core.answering.answers.choose_memory"
    monkeypatch.setattr(module, lambda *told: replace(choose_memory(*told), weight=3.0))
    settings = made().settings
    done = train_run(
        place / "tiny", place / "run", settings, device="cpu", cache=place / "cache",
        umap=False, baselines=False,
    )  # fmt: skip
    served = Recommender.open(open_run(done.run))
    prepared = made()
    again = answerer_of(prepared, load_model(open_run(done.run), prepared))
    assert isinstance(again, MicrecAnswerer)
    for d, domain in enumerate(served.domains):
        lists = served.recommend_all(domain, k=5)
        ids = prepared.dataset.domains[d]
        asked = next(
            q for q in prepared.material.questions if q.protocol == "known" and q.place == d
        )
        scores = again.users[d] @ array(again.encoded[d].items).T
        some = lists[lists["user_id"].isin(asked.user_ids[:10])]
        assert len(some)
        rows = {u: r for r, u in enumerate(ids.user_ids)}
        places = {i: r for r, i in enumerate(ids.item_ids)}
        taken = Taken.of(again.taken(asked), d)
        added = held(again, d).scores(taken)
        for at, user in enumerate(asked.user_ids[:10]):
            mine = some[some["user_id"] == user]
            whole = scores[rows[user]] + added[at]
            wanted = whole[[places[i] for i in mine["item_id"]]]
            np.testing.assert_allclose(mine["score"], wanted, rtol=1e-4, atol=1e-5)
            single = served.recommend(served.user(id=user), domain, k=5).items
            assert list(single["item_id"]) == list(mine["item_id"])
