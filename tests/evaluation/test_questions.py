"""What each protocol asks, against plain loops over the split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from micrec_core import protocols
from micrec_core.data import Dataset, Split, make_split, read_dataset
from micrec_core.evaluation.metric_frames import summary_table
from micrec_core.evaluation.questions import (
    Outcome,
    Question,
    popularity,
    questions,
    tabulate,
)
from micrec_core.evaluation.user_maps import choose_ridge, fit_ridge, nearest_bridge
from micrec_core.names import FULL_LIST
from micrec_core.protocols import Protocol
from micrec_core.sample.generate import generate_sample

Asked = tuple[Dataset, Split, list[Question]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    root = tmp_path_factory.mktemp("protocols") / "tiny"
    generate_sample(root, users=150, items=(60, 50), seed=11, pictures=False)
    dataset = read_dataset(root)
    split = make_split(dataset, "inductive")
    return dataset, split, questions(dataset, split)


def one(asked: Asked, protocol: str, place: int, scope: str = "all") -> Question:
    found = [q for q in asked[2] if (q.protocol, q.place, q.scope) == (protocol, place, scope)]
    assert len(found) == 1
    return found[0]


def pairs(question: Question, matrix) -> set[tuple[int, int]]:
    rows, items = matrix.nonzero()
    return set(zip(question.users[rows].tolist(), items.tolist(), strict=True))


def test_the_mask_of_public_benchmarks_leaves_validation_items_in(asked: Asked) -> None:
    """Only known users of training have validation items; what else is asked stays as it is."""
    public = questions(asked[0], asked[1], "train")
    assert len(public) == len(asked[2])
    for ours, theirs in zip(asked[2], public, strict=True):
        part = asked[1].domains[ours.place]
        same = (ours.positives != theirs.positives).nnz == 0
        assert same and (ours.candidates == theirs.candidates).all()
        if ours.protocol == "known" or ours.scope == FULL_LIST:
            kept = set(theirs.users.tolist())
            assert pairs(theirs, theirs.mask) == {p for p in edge_set(part.train) if p[0] in kept}
            assert pairs(ours, ours.mask) - pairs(theirs, theirs.mask)
        elif ours.mask is not None:
            assert (ours.mask != theirs.mask).nnz == 0


def edge_set(*edges) -> set[tuple[int, int]]:
    return {p for e in edges for p in zip(e.user.tolist(), e.item.tolist(), strict=True)}


@pytest.mark.parametrize("place", [0, 1])
def test_every_question_asks_what_it_says(asked: Asked, place: int) -> None:
    part = asked[1].domains[place]
    seen = edge_set(part.train, part.valid)
    new = set(part.new_items.tolist())
    known, fresh = one(asked, "known", place), one(asked, "new-users", place)
    alone, listed = one(asked, "new-items", place), one(asked, "new-items", place, FULL_LIST)
    cold = one(asked, "cold-domain", place)
    assert pairs(known, known.positives) == edge_set(part.test)
    assert pairs(known, known.mask) == {p for p in seen if p[0] in set(known.users.tolist())}
    assert pairs(fresh, fresh.positives) == edge_set(part.new_user_test)
    assert pairs(fresh, fresh.mask) == edge_set(part.new_user_support)
    for q in (alone, listed):
        assert pairs(q, q.positives) == edge_set(part.new_item_test)
    assert pairs(cold, cold.positives) == edge_set(part.cold_test)
    assert alone.mask is None and cold.mask is None
    assert set(np.flatnonzero(alone.candidates)) == new
    assert listed.candidates.all()
    for q in (known, fresh, cold):
        assert set(np.flatnonzero(~q.candidates)) == new
    for q in asked[2]:
        assert np.diff(q.positives.indptr).min() > 0


def test_cohorts_say_who_is_known_elsewhere(asked: Asked) -> None:
    dataset, split, _ = asked
    for place in (0, 1):
        other = 1 - place
        trained = set(dataset.domains[other].user_ids[split.domains[other].train.user])
        q = one(asked, "known", place)
        assert [c == "overlap" for c in q.cohort] == [u in trained for u in q.user_ids]
        assert {"overlap", "single"} == set(q.cohort)


def test_an_answer_is_a_full_ranking_by_product(asked: Asked) -> None:
    rng = np.random.default_rng(0)
    for q in asked[2]:
        users = rng.normal(size=(len(q), 4)).astype(np.float32)
        items = rng.normal(size=(q.positives.shape[1], 4)).astype(np.float32)
        answer = q.answer(users, items)
        frame = answer.users().set_index("user_id")
        scores, place = users @ items.T, np.argsort(q.drawn)
        for row in range(len(q)):
            hidden = set() if q.mask is None else set(q.mask[row].indices.tolist())
            allowed = [i for i in np.flatnonzero(q.candidates) if i not in hidden]
            best = sorted(allowed, key=lambda i, row=row: (-scores[row, i], place[i]))[:20]
            wanted = set(q.positives[row].indices.tolist())
            gains = [1 / np.log2(j + 2) for j, i in enumerate(best) if i in wanted]
            ideal = sum(1 / np.log2(j + 2) for j in range(min(20, len(wanted))))
            assert frame.loc[q.user_ids[row], "ndcg@20"] == pytest.approx(sum(gains) / ideal)
    with pytest.raises(ValueError, match="not those of the question"):
        asked[2][0].answer(np.zeros((1, 2)), np.zeros((2, 2)))


def test_popularity_gives_everyone_the_same_list_less_what_they_have(asked: Asked) -> None:
    dataset, split, all_questions = asked
    degrees = [
        np.bincount(part.train.item, minlength=d.n_items)
        for d, part in zip(dataset.domains, split.domains, strict=True)
    ]
    outcome = popularity(all_questions, degrees)
    for answer in outcome.answers:
        q = answer.question
        degree = degrees[q.place]
        order = q.drawn[np.argsort(-degree[q.drawn], kind="stable")]
        assert (np.diff(degree[order]) <= 0).all()
        for row, ranked in enumerate(answer.ranked[:5]):
            hidden = set() if q.mask is None else set(q.mask[row].indices.tolist())
            expected = [i for i in order if q.candidates[i] and i not in hidden][:50]
            assert ranked[ranked >= 0].tolist() == expected


def test_equals_are_not_ranked_by_where_they_stand_in_the_catalogue(asked: Asked) -> None:
    """Catalogues are often sorted by what sells: of new items that order would tell everything."""
    for q in asked[2]:
        n = len(q.candidates)
        scores = np.zeros((len(q), n), np.float32)
        vectors = np.zeros((len(q), 2)), np.zeros((n, 2))
        by_vectors = q.answer(*vectors).ranked
        by_scores = q.answer_scores(lambda some: scores[some]).ranked  # noqa: B023
        added = q.answer(*vectors, add=lambda some: scores[some]).ranked  # noqa: B023
        np.testing.assert_array_equal(by_vectors, by_scores)
        np.testing.assert_array_equal(by_vectors, added)
        for row, ranked in enumerate(by_vectors[:5]):
            hidden = set() if q.mask is None else set(q.mask[row].indices.tolist())
            allowed = [i for i in q.drawn if q.candidates[i] and i not in hidden]
            assert ranked[ranked >= 0].tolist() == allowed[:50]
    assert abs(np.corrcoef(q.drawn, np.arange(n))[0, 1]) < 0.3
    assert (replace(q).drawn == q.drawn).all()


def test_the_full_list_is_a_cohort_of_its_own(asked: Asked) -> None:
    dataset = asked[0]
    degrees = [np.zeros(d.n_items) for d in dataset.domains]
    table = tabulate(summary_table, [popularity(asked[2], degrees)])
    new = table[(table["protocol"] == "new-items") & (table["metric"] == "recall@20")]
    assert set(new["cohort"]) == {"all", FULL_LIST}
    means = new.groupby("cohort")["mean"].mean()
    assert means["all"] > means[FULL_LIST]
    assert tabulate(summary_table, [Outcome("a", "full", 0, ())]).empty


def test_ridge_finds_a_linear_map_and_a_bridge_finds_twins() -> None:
    rng = np.random.default_rng(1)
    source = rng.normal(size=(300, 6)).astype(np.float32)
    turn = rng.normal(size=(6, 6))
    target = (source @ turn + 3.0).astype(np.float32)
    guess = fit_ridge(source[:200], target[:200], 1e-8)(source[200:])
    np.testing.assert_allclose(guess, target[200:], atol=1e-3)
    shrunk = fit_ridge(source, target, 1e8)(source)
    np.testing.assert_allclose(
        shrunk, np.broadcast_to(target.mean(axis=0), shrunk.shape), atol=1e-2
    )
    twins = nearest_bridge(source[:20], source, target, k=1)
    np.testing.assert_allclose(twins, target[:20], rtol=1e-5)
    everyone = nearest_bridge(source[:20], source, target, k=1000, temperature=1e6)
    np.testing.assert_allclose(everyone, np.broadcast_to(target.mean(axis=0), (20, 6)), atol=1e-3)


def test_lambda_is_chosen_by_what_is_found() -> None:
    """With noise in many useless dimensions a strong penalty ranks best; it is taken."""
    from scipy import sparse

    rng = np.random.default_rng(2)
    n, width, n_items = 120, 60, 40
    group = rng.integers(0, 4, n)
    source = np.c_[np.eye(4)[group] * 3, rng.normal(size=(n, width))].astype(np.float32)
    target = (np.eye(4)[group] + rng.normal(scale=1.5, size=(n, 4))).astype(np.float32)
    items = np.eye(4)[np.arange(n_items) % 4].astype(np.float32)
    taken = sparse.csr_matrix((group[:, None] == (np.arange(n_items) % 4)[None, :]).astype(float))
    chosen = choose_ridge(source, target, items, taken)
    assert chosen.strength >= 1.0
    assert choose_ridge(source[:3], target[:3], items, taken[:3]).weights.shape == (64, 4)


def test_of_very_many_users_some_are_asked_always_the_same(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("micrec_core.evaluation.questions.MOST_USERS", 30)
    few, again = questions(*asked[:2]), questions(*asked[:2])
    assert any(len(q) > 30 for q in asked[2])
    for whole, some, same in zip(asked[2], few, again, strict=True):
        assert len(some) == min(30, len(whole)) and (np.diff(some.users) > 0).all()
        assert (some.users == same.users).all()
        rows = np.searchsorted(whole.users, some.users)
        assert (whole.of(rows).positives != some.positives).nnz == 0
        assert whole.user_ids[rows].tolist() == some.user_ids.tolist()


def test_a_new_protocol_is_a_line(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, split, _ = asked
    early = Protocol("Early", "What was taken before?", (protocols.Asked(lambda s: s.valid),))
    monkeypatch.setitem(protocols.PROTOCOLS, "early", early)
    found = [q for q in questions(dataset, split) if q.protocol == "early"]
    assert [len(q.positives.data) for q in found] == [len(p.valid) for p in split.domains]
    degrees = [np.ones(domain.n_items) for domain in dataset.domains]
    table = tabulate(summary_table, [popularity(found, degrees)])
    assert set(table["protocol"]) == {"early"} and table["mean"].notna().all()


def test_a_protocol_needs_the_split_that_withholds_for_it(asked: Asked) -> None:
    dataset, split, every = asked
    assert {q.protocol for q in every} == set(protocols.PROTOCOLS)
    plain = {q.protocol for q in questions(dataset, make_split(dataset, "known"))}
    assert plain == {n for n, p in protocols.PROTOCOLS.items() if p.split == "known"}
    assert split.kind == "inductive"
