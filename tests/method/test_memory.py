"""The memory against its formula in dense NumPy, its parts, and what it must not know."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.method import memory
from micrec_core.method.likeness import Likeness, likeness_of
from micrec_core.method.many import ForMany
from micrec_core.method.memory import Constants
from micrec_core.method.remembered import Remembered
from micrec_core.method.search import Query
from micrec_core.method.taken import Taken

Array = NDArray[np.float64]
CONSTANTS = Constants(0.3, 0.6, 0.4, 0.2, 0.15, 0.25, counts=0.8, regress=0.7)
N_USERS, N, N_OTHER = 15, 9, 7
NEW = [2, 5]


def drawn(seed: int = 0) -> SimpleNamespace:
    """A domain with two items and a user without interactions, and an item without neighbours."""
    rng = np.random.default_rng(seed)
    x, other = ((rng.random((N_USERS, n)) < 0.4).astype(float) for n in (N, N_OTHER))
    x[3], x[:, NEW], other[4] = 0, 0, 0
    cosines = rng.random((N, N)) * (rng.random((N, N)) < 0.5)
    np.fill_diagonal(cosines, 0)
    cosines[:, NEW] = 0
    cosines[7] = 0
    neighbours = cosines / np.maximum(cosines.sum(1, keepdims=True), 1e-12)
    weights = rng.normal(size=(N + N_OTHER, N)) * (rng.random((N + N_OTHER, N)) < 0.6)
    weights[NEW], weights[:, NEW] = 0, 0
    return SimpleNamespace(
        x=x, other=other, neighbours=neighbours, cosines=cosines, weights=weights
    )


def fitted(world: SimpleNamespace, constants: Constants = CONSTANTS) -> memory.Memory:
    parts = (world.x, world.other, world.neighbours, world.cosines)
    weights = sparse.csr_matrix(world.weights)
    return memory.fit(*(sparse.csr_matrix(part) for part in parts), constants, weights)


def power(x: Array, exponent: float) -> Array:
    return np.array([value**exponent if value else 0.0 for value in x])


def oracle(
    world: SimpleNamespace, taken: Array, elsewhere: Array, c: Constants, own: int | None = None
) -> Array:
    """The formula with dense matrices of items x items; ``own`` as in ``scores``."""
    degree, one = world.x.sum(0), np.eye(N)
    near = world.cosines.copy()
    for i in NEW:
        near[:, i] = world.cosines[i]
    active = np.diag(power(world.x.sum(1), -c.activity))
    if own is not None:
        active[own] = 0.0
    together, across = world.x.T @ active @ world.x, world.other.T @ active @ world.x
    r = one + c.lend * world.neighbours
    smoothed = degree + c.lend * world.neighbours.T @ degree
    seen, popular = np.diag(power(smoothed, -c.seen)), np.diag(power(smoothed, -c.popular))
    found = taken @ r @ seen @ r.T @ together + c.elsewhere * elsewhere @ across
    found = c.counts * found @ r @ popular
    found += c.regress * np.hstack([taken, elsewhere]) @ world.weights
    for i in NEW:
        found[:, i] = found @ world.neighbours[i]
    return found + c.content * taken @ near**2


def asked(seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    taken, elsewhere = ((rng.random((6, n)) < 0.4).astype(float) for n in (N, N_OTHER))
    taken[0], elsewhere[1] = 0, 0
    return taken, elsewhere


@pytest.mark.parametrize(
    "change",
    [{}, {"lend": 0.0}, {"content": 0.0}, {"activity": 1.0}, {"regress": 0.0}, {"counts": 0.0}],
)
def test_scores_are_those_of_the_formula(change) -> None:
    constants = Constants(**(vars(CONSTANTS) | change))
    world, (taken, elsewhere) = drawn(), asked()
    rows = sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere)
    found = memory.scores(fitted(world, constants), *rows)
    wanted = oracle(world, taken, elsewhere, constants)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    alone = memory.scores(fitted(world, constants), rows[0])
    wanted = oracle(world, taken, np.zeros_like(elsewhere), constants)
    np.testing.assert_allclose(alone, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])  # all of a matrix is gone through, or what is met
def test_one_user_is_told_the_formula_by_the_kernels(share: float, monkeypatch) -> None:
    import micrec_core.graphs.walk  # noqa: F401

    monkeypatch.setattr(memory, "_SHARE", share)
    world, (taken, elsewhere) = drawn(), asked()
    held, wanted = fitted(world), oracle(world, taken, elsewhere, CONSTANTS)
    for row in range(len(taken)):
        rows = (sparse.csr_matrix(x[[row]]) for x in (taken, elsewhere))
        np.testing.assert_allclose(memory.scores(held, *rows)[0], wanted[row], 1e-5, 1e-6)


@pytest.mark.parametrize("change", [{}, {"elsewhere": 0.0}, {"regress": 0.0}, {"counts": 0.0}])
def test_many_users_get_what_each_gets_alone(change) -> None:
    """Of more than go through the kernel at a time, with and without what they took themselves."""
    rng, constants = np.random.default_rng(4), replace(CONSTANTS, **change)
    held = fitted(drawn(), constants)
    taken, elsewhere = (
        sparse.csr_matrix((rng.random((150, n)) < 0.3).astype(float)) for n in (N, N_OTHER)
    )
    for own in (None, rng.integers(0, N_USERS, 150)):
        found = memory.scores(held, taken, elsewhere, own)
        assert found.dtype == np.float32
        alone = [
            memory.scores(held, taken[[u]], elsewhere[[u]], None if own is None else own[[u]])
            for u in range(150)
        ]
        np.testing.assert_allclose(found, np.vstack(alone), rtol=1e-5, atol=1e-6)
    found = memory.scores(held, taken)
    alone = [memory.scores(held, taken[[u]]) for u in range(150)]
    np.testing.assert_allclose(found, np.vstack(alone), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("change", [{}, {"elsewhere": 0.0}, {"regress": 0.0}, {"lend": 0.0}])
def test_of_some_items_at_a_time_it_is_the_formula_too(change) -> None:
    world, (taken, elsewhere) = drawn(), asked()
    taken[1], elsewhere[3] = 0, 0
    constants = replace(CONSTANTS, newcomers=0.6, **change)
    held = Remembered(fitted(world, constants), constants, 0.5)
    rows = Taken(sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    n = np.maximum(np.where(taken.sum(1) > 0, taken.sum(1), elsewhere.sum(1)), 1)
    wanted = 0.5 * n[:, None] ** -0.5 * oracle(world, taken, elsewhere, constants)
    wanted[0] += 0.6 * np.log1p(world.x.sum(0))
    many = ForMany(held, rows)
    for items in (np.arange(N), np.array([5, 2, 8])):
        found = many.columns(items)
        np.testing.assert_allclose(
            np.vstack([found(slice(0, 4)), found(slice(4, 6))]), wanted[:, items], 1e-5, 1e-6
        )
    np.testing.assert_allclose(many.rows(np.arange(6)), wanted, rtol=1e-5, atol=1e-6)
    # Few are told one by one; for many it is cheaper to go through the counts once an item.
    assert not ForMany(held, rows.rows(np.array([2]))).by_columns
    everyone = Taken(*(sparse.vstack([part] * 20, "csr") for part in rows))
    assert ForMany(held, everyone).by_columns


def test_everyone_who_has_anything_is_answered() -> None:
    world, (taken, elsewhere) = drawn(), asked()
    found = memory.scores(fitted(world), sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    assert (found[:, NEW].max(axis=0) > 0).all()  # new items, by what they borrow
    assert found[0].any() and found[1].any()  # cold in the domain; known in it alone


def test_all_parts_add_up_to_the_score() -> None:
    world, (taken, elsewhere) = drawn(), asked()
    found, targets = fitted(world), np.array([4, 2, 8])
    for x, other in zip(taken, elsewhere, strict=True):
        row, there = sparse.csr_matrix(x[None]), sparse.csr_matrix(other[None])
        parts = memory.parts(found, row, targets, there)
        both = (parts.regressed, parts.regressed_elsewhere)
        total = sum(
            p.sum(0) for p in (parts.direct, parts.lent, parts.alike, parts.elsewhere, *both)
        )
        score = memory.scores(found, row, there)[0, targets]
        np.testing.assert_allclose(total, score, rtol=1e-4, atol=1e-6)
        for k, j in enumerate(parts.taken):
            both = [(world.x[:, j] * world.x[:, i]).sum() for i in targets]
            assert parts.people[k].tolist() == both
        for k, j in enumerate(parts.taken_elsewhere):
            both = [(world.other[:, j] * world.x[:, i]).sum() for i in targets]
            assert parts.people_elsewhere[k].tolist() == both
    alone = memory.parts(found, row, targets)
    assert alone.elsewhere.shape == (0, 3)


def test_users_can_be_left_out_of_what_they_are_told() -> None:
    world = drawn()
    taken, elsewhere = world.x[[1, 6]], world.other[[1, 6]]
    taken[:, 0] = 0
    rows = sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere)
    found = memory.scores(fitted(world), *rows, own=np.array([1, 6]))
    for k, user in enumerate((1, 6)):
        wanted = oracle(world, taken[[k]], elsewhere[[k]], CONSTANTS, user)
        np.testing.assert_allclose(found[[k]], wanted, rtol=1e-5, atol=1e-6)


def test_without_neighbours_nothing_is_lent() -> None:
    world = drawn()
    world.neighbours = np.zeros((N, N))
    row = sparse.csr_matrix(asked()[0][2:3])
    parts = memory.parts(fitted(world), row, np.arange(N))
    np.testing.assert_allclose(parts.lent, 0, atol=1e-6)


def test_a_new_item_changes_no_score_of_the_others() -> None:
    """Neither that it is there nor what it says."""
    world, (taken, elsewhere) = drawn(), asked()
    taken[:, NEW] = 0
    rows = sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere)
    before = memory.scores(fitted(world), *rows)
    world.neighbours[NEW], world.cosines[NEW] = 0, 0
    after = memory.scores(fitted(world), *rows)
    old = np.setdiff1d(np.arange(N), NEW)
    np.testing.assert_array_equal(before[:, old], after[:, old])


def test_relabelling_changes_no_score() -> None:
    world, (taken, elsewhere) = drawn(), asked()
    before = memory.scores(fitted(world), sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    rng = np.random.default_rng(3)
    users, items, others = (rng.permutation(n) for n in (N_USERS, N, N_OTHER))
    moved = SimpleNamespace(
        x=world.x[users][:, items],
        other=world.other[users][:, others],
        neighbours=world.neighbours[items][:, items],
        cosines=world.cosines[items][:, items],
        weights=world.weights[np.concatenate([items, N + others])][:, items],
    )
    rows = sparse.csr_matrix(taken[:, items]), sparse.csr_matrix(elsewhere[:, others])
    after = memory.scores(fitted(moved), *rows)
    np.testing.assert_allclose(after, before[:, items], rtol=1e-5, atol=1e-6)


def test_newcomers_are_told_what_everybody_takes() -> None:
    """Who took something elsewhere and nothing here, and nobody else; all parts add up."""
    world, (taken, elsewhere) = drawn(), asked()
    taken[1], elsewhere[1] = 0, 0
    constants = replace(CONSTANTS, newcomers=0.6)
    held = Remembered(fitted(world, constants), constants, 0.5)
    everyone = Taken(sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    found = held.scores(everyone)
    n = np.maximum(np.where(taken.sum(1) > 0, taken.sum(1), elsewhere.sum(1)), 1)
    wanted = 0.5 * n[:, None] ** -0.5 * oracle(world, taken, elsewhere, constants)
    wanted[0] += 0.6 * np.log1p(world.x.sum(0))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for column in (4, NEW[0]):
        np.testing.assert_allclose(held.scores_of(everyone, column), wanted[:, column], atol=1e-6)
    for row in range(len(taken)):
        parts = held.parts(everyone.rows(np.array([row])), np.array([4, 8]))
        np.testing.assert_allclose(parts.total(), wanted[row, [4, 8]], rtol=1e-4, atol=1e-6)
    # An item that nobody took yet is as popular as it was: not at all.
    grown = held.with_new_item([(np.array([0, 4]), np.array([0.5, 0.5]))], [])
    assert grown.to_newcomers[-1] == 0
    np.testing.assert_array_equal(grown.to_newcomers[:-1], held.to_newcomers)


def test_everybody_else_is_told_it_as_much_as_is_asked_for() -> None:
    """Who took something here; what nobody took is like the mean of what is taken."""
    world, (taken, elsewhere) = drawn(), asked()
    taken[1], elsewhere[3] = 0, 0
    constants = replace(CONSTANTS, everybody=0.7)
    held = Remembered(fitted(world, constants), constants, 0.5)
    everyone = Taken(sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    n = np.maximum(np.where(taken.sum(1) > 0, taken.sum(1), elsewhere.sum(1)), 1)
    wanted = 0.5 * n[:, None] ** -0.5 * oracle(world, taken, elsewhere, constants)
    degree = world.x.sum(0)
    fame = np.log1p(degree)
    fame[NEW] = np.repeat(fame, degree.astype(int)).mean()
    wanted[taken.sum(1) > 0] += 0.7 * fame
    np.testing.assert_allclose(held.scores(everyone), wanted, rtol=1e-5, atol=1e-6)
    some = ForMany(held, everyone).columns(np.array([4, NEW[0]]))(slice(0, 6))
    np.testing.assert_allclose(some, wanted[:, [4, NEW[0]]], rtol=1e-5, atol=1e-6)
    for column in (4, NEW[0]):
        np.testing.assert_allclose(held.scores_of(everyone, column), wanted[:, column], atol=1e-6)
    for row in range(len(taken)):
        parts = held.parts(everyone.rows(np.array([row])), np.array([4, 8]))
        np.testing.assert_allclose(parts.total(), wanted[row, [4, 8]], rtol=1e-4, atol=1e-6)
    grown = held.with_new_item([(np.array([0, 4]), np.array([0.5, 0.5]))], [])
    np.testing.assert_allclose(grown.memory.fame, [*fame, fame[NEW[0]]])
    assert replace(held, weight=0.0).adds


def said(rng: np.random.Generator) -> list[Array]:
    """Rows of length 1 or 0: sparse words and dense vectors."""
    words = rng.random((N, 12)) * (rng.random((N, 12)) < 0.3)
    vectors = rng.normal(size=(N, 4))
    vectors[3] = 0
    return [
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (words, vectors)
    ]


def test_likeness_is_the_cosine_with_everything_taken() -> None:
    """As a dense formula has it; of one item, of parts and of an item that joined the same."""
    rng = np.random.default_rng(5)
    world, (taken, elsewhere), (words, vectors) = drawn(), asked(), said(rng)
    spaces = sparse.csr_matrix(words.astype(np.float32)), vectors.astype(np.float32)
    constants = replace(CONSTANTS, similar=0.7, similar_new=1.3)
    held = Remembered(
        fitted(world, constants), constants, 0.5, None, Likeness(spaces, world.x.sum(0) == 0)
    )
    everyone = Taken(sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    n = np.maximum(np.where(taken.sum(1) > 0, taken.sum(1), elsewhere.sum(1)), 1)
    alike = taken @ (words @ words.T + vectors @ vectors.T)
    alike *= np.where(np.isin(np.arange(N), NEW), 1.3, 0.7)
    wanted = 0.5 * n[:, None] ** -0.5 * (oracle(world, taken, elsewhere, constants) + alike)
    np.testing.assert_allclose(held.scores(everyone), wanted, rtol=1e-5, atol=1e-6)
    many = ForMany(held, everyone).columns(np.arange(N))
    np.testing.assert_allclose(many(slice(0, 6)), wanted, rtol=1e-5, atol=1e-6)
    for column in range(N):
        one = held.scores_of(everyone, column)
        np.testing.assert_allclose(one, wanted[:, column], rtol=1e-5, atol=1e-6)
    for row in range(len(taken)):
        parts = held.parts(everyone.rows(np.array([row])), np.array([4, 8]))
        np.testing.assert_allclose(parts.total(), wanted[row, [4, 8]], rtol=1e-4, atol=1e-6)


def test_newcomers_are_told_what_is_like_what_they_took_elsewhere() -> None:
    """And nobody else, as a dense formula has it; of one item, of some and of parts the same."""
    rng = np.random.default_rng(6)
    world, (taken, elsewhere), (words, vectors) = drawn(), asked(), said(rng)
    taken[1], elsewhere[1], taken[4] = 0, 0, 0
    terms = rng.random((N_OTHER, 12)) * (rng.random((N_OTHER, 12)) < 0.3)
    there = (terms, rng.normal(size=(N_OTHER, 4)))
    here = [sparse.csr_matrix(words.astype(np.float32)), vectors.astype(np.float32)]
    other = [sparse.csr_matrix(terms.astype(np.float32)), there[1].astype(np.float32)]
    likeness = likeness_of([here, other], 0, world.x.sum(0) == 0, True)
    constants = replace(CONSTANTS, similar_elsewhere=0.8, newcomers=0.3)
    held = Remembered(fitted(world, constants), constants, 0.5, None, likeness)
    everyone = Taken(sparse.csr_matrix(taken), sparse.csr_matrix(elsewhere))
    n = np.maximum(np.where(taken.sum(1) > 0, taken.sum(1), elsewhere.sum(1)), 1)
    wanted = oracle(world, taken, elsewhere, constants)
    newcomers = (taken.sum(1) == 0) & (elsewhere.sum(1) > 0)
    assert newcomers.sum() == 2
    across = elsewhere @ (there[0] @ words.T + there[1] @ vectors.T)
    wanted[newcomers] += 0.8 * across[newcomers]
    wanted *= 0.5 * n[:, None] ** -0.5
    wanted[newcomers] += 0.3 * np.log1p(world.x.sum(0))
    np.testing.assert_allclose(held.scores(everyone), wanted, rtol=1e-5, atol=1e-6)
    items = np.array([4, NEW[0], 8])
    many = ForMany(held, everyone).columns(items)
    some = np.vstack([many(slice(0, 3)), many(slice(3, 6))])
    np.testing.assert_allclose(some, wanted[:, items], rtol=1e-5, atol=1e-6)
    for column in items:
        one = held.scores_of(everyone, column)
        np.testing.assert_allclose(one, wanted[:, column], rtol=1e-5, atol=1e-6)
    for row in range(len(taken)):
        parts = held.parts(everyone.rows(np.array([row])), items)
        np.testing.assert_allclose(parts.total(), wanted[row, items], rtol=1e-4, atol=1e-6)
        assert parts.alike_elsewhere.any() == newcomers[row]
    # An item that joins says the same to them as to everybody.
    copied = Query(vectors[8], here[0][8].indices.astype(np.int64), here[0][8].data)
    grown = held.with_new_item([(np.array([0, 4]), np.array([0.5, 0.5]))], [copied, copied])
    new = grown.parts(everyone.rows(np.array([4])), np.array([N]))
    old = held.parts(everyone.rows(np.array([4])), np.array([8]))
    np.testing.assert_allclose(new.alike_elsewhere, old.alike_elsewhere, rtol=1e-5)


def test_what_cannot_be_compared_is_like_nothing() -> None:
    """Supplied vectors may be of another width in each domain, or words in one and none in two."""
    rng, new = np.random.default_rng(0), np.zeros(N, bool)
    words, vectors = (x.astype(np.float32) for x in said(rng))
    narrow = rng.normal(size=(N_OTHER, 3)).astype(np.float32)
    assert likeness_of([[vectors], [narrow]], 0, new, True).elsewhere == ()
    assert likeness_of([[sparse.csr_matrix(words)], [narrow]], 0, new, True).elsewhere == ()
    assert likeness_of([[vectors]], 0, new, True).elsewhere == ()
    assert likeness_of([[narrow], [vectors], [vectors]], 1, new, True).elsewhere == ()
    assert likeness_of([[vectors], [vectors]], 0, new, False).elsewhere == ()
    (stacked,) = likeness_of([[vectors], [vectors[:2]], [vectors[2:]]], 0, new, True).elsewhere
    np.testing.assert_array_equal(stacked, vectors)


def test_an_item_that_joins_is_like_what_was_taken() -> None:
    """One that says what another does is as like everything as that one; one may say nothing."""
    rng = np.random.default_rng(5)
    words, vectors = said(rng)
    matrix = sparse.csr_matrix(words.astype(np.float32))
    held = Likeness((matrix, vectors.astype(np.float32)), np.zeros(N, bool))
    copied = Query(vectors[6], matrix[6].indices.astype(np.int64), matrix[6].data)
    taken, grown = sparse.csr_matrix(asked()[0]), held.with_item([copied, copied])
    found = grown.scores(taken)
    of_new = grown.scores_of(taken, np.array([N]))[:, 0]
    np.testing.assert_allclose(of_new, found[:, N], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, N], found[:, 6], rtol=1e-5, atol=1e-6)
    assert not held.with_item([None, None]).scores(taken)[:, N].any()
    assert held.with_item([None, None]).new.tolist() == [False] * N + [True]


@pytest.mark.parametrize("d", [0, 1, 2])
def test_what_one_user_took_is_a_row_of_what_many_took(d: int) -> None:
    widths, taken = [5, 3, 4], [np.array([0, 3]), np.array([], int), np.array([1, 2, 3])]
    rows = []
    for width, items in zip(widths, taken, strict=True):
        rows.append(sparse.csr_matrix((np.ones(len(items)), items, [0, len(items)]), (1, width)))
    for one, of in zip(Taken.one(taken, widths, d), Taken.of(rows, d), strict=True):
        assert one.shape == of.shape and one.dtype == of.dtype and (one != of).nnz == 0
    alone = Taken.one(taken[:1], widths[:1], 0)
    assert alone.here.shape == (1, 5) and alone.elsewhere.shape == (1, 0)
