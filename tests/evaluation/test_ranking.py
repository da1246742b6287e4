"""Full ranking: masks, candidates, ties, memory."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from micrec_core.evaluation import by_columns
from micrec_core.evaluation.ranking import rank_embeddings, rank_users
from tests.evaluation.lists import top_k


def oracle(scores, mask=None, candidates=None, k=5):
    """A sort per user by (-score, row) over what may be recommended."""
    out = np.full((len(scores), k), -1)
    for u, row in enumerate(scores):
        items = [
            i
            for i in range(len(row))
            if np.isfinite(row[i])
            and (mask is None or not mask[u, i])
            and (candidates is None or candidates[i])
        ]
        best = sorted(items, key=lambda i: (-row[i], i))[:k]
        out[u, : len(best)] = best
    return out


def random_case(seed, n=23, m=41, levels=None):
    rng = np.random.default_rng(seed)
    if levels is None:
        scores = rng.normal(size=(n, m)).astype(np.float32)
    else:
        scores = rng.integers(0, levels, size=(n, m)).astype(np.float32)
    mask = rng.random((n, m)) < 0.2
    return scores, mask, rng.random(m) < 0.5


def test_ties_go_to_the_lower_row():
    scores = np.array([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0]], dtype=np.float32)
    np.testing.assert_array_equal(top_k(scores, 4), [[1, 2, 4, 3], [0, 1, 2, 3]])


def test_nan_and_minus_infinity_are_never_ranked_and_short_lists_end_in_minus_one():
    scores = np.array([[np.nan, -np.inf, -5.0, np.inf]])
    np.testing.assert_array_equal(top_k(scores, 4), [[3, 2, -1, -1]])


def test_whole_number_scores_stay_exact():
    scores = np.array([[2**24, 2**24 + 1]])
    np.testing.assert_array_equal(top_k(scores, 2), [[1, 0]])


def test_top_k_reads_any_memory_layout_and_leaves_scores_alone():
    scores = np.asfortranarray(random_case(0)[0])
    before = scores.copy()
    np.testing.assert_array_equal(top_k(scores, 5), oracle(scores))
    np.testing.assert_array_equal(scores, before)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 5, 41, 50]), st.sampled_from([None, 2, 4]))
def test_agrees_with_a_plain_sort(seed, k, levels):
    scores, mask, candidates = random_case(seed, levels=levels)
    ranked = rank_users(
        lambda rows: scores[rows], np.arange(len(scores)), sparse.csr_matrix(mask), candidates, k
    )
    np.testing.assert_array_equal(ranked, oracle(scores, mask, candidates, k))


def test_masked_first_and_last_rows():
    scores = np.array([[9, 1, 2, 8]], dtype=np.float32)
    mask = sparse.csr_matrix(np.array([[1, 0, 0, 1]]))
    ranked = rank_users(lambda rows: scores[rows], [0], mask, k=3)
    np.testing.assert_array_equal(ranked, [[2, 1, -1]])


def test_unsorted_and_repeated_mask_entries_and_explicit_zeros():
    scores = np.array([[5, 4, 3, 2, 1]], dtype=np.float32)
    mask = sparse.csr_matrix(
        (np.array([1.0, 1.0, 1.0, 0.0]), np.array([4, 0, 0, 1]), np.array([0, 4])), shape=(1, 5)
    )
    stored = mask.indices.copy()
    ranked = rank_users(lambda rows: scores[rows], [0], mask, k=5)
    np.testing.assert_array_equal(ranked, [[1, 2, 3, -1, -1]])
    np.testing.assert_array_equal(mask.indices, stored)


def test_user_rows_select_their_own_mask_row_in_any_order():
    scores, mask, _ = random_case(3)
    users = np.array([7, 2, 2, 20])
    ranked = rank_users(lambda rows: scores[rows], users, sparse.csr_matrix(mask), k=6)
    np.testing.assert_array_equal(ranked, oracle(scores, mask, k=6)[users])


def test_memory_bound_sets_the_chunk_and_not_the_result():
    scores, mask, _ = random_case(4)
    seen = []

    def block(rows):
        seen.append(len(rows))
        return scores[rows]

    bound = 2 * 3 * scores.shape[1] * 4  # three users, counted twice
    ranked = rank_users(block, np.arange(len(scores)), sparse.csr_matrix(mask), k=5,
                        memory_bytes=bound)  # fmt: skip
    assert max(seen) == 3 and sum(seen) == len(scores)
    np.testing.assert_array_equal(ranked, oracle(scores, mask))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
)
@pytest.mark.parametrize("concurrent", [False, True])
def test_out_of_memory_is_tried_again_in_smaller_chunks(error, concurrent):
    scores, mask, _ = random_case(5)

    def block(rows):
        if len(rows) > 2:
            raise error
        return scores[rows]

    ranked = rank_users(
        block, np.arange(len(scores)), sparse.csr_matrix(mask), k=5, concurrent=concurrent
    )
    np.testing.assert_array_equal(ranked, oracle(scores, mask))


def test_other_errors_and_a_single_user_that_does_not_fit_are_raised():
    def broken(rows):
        raise RuntimeError("shape mismatch")

    def too_big(rows):
        raise MemoryError("no room")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        rank_users(broken, [0, 1], n_items=3, k=1)
    with pytest.raises(MemoryError):
        rank_users(too_big, [0, 1], n_items=3, k=1)


def test_inputs_that_disagree_are_refused():
    scores, mask, candidates = random_case(6)
    with pytest.raises(ValueError, match="disagree"):
        rank_users(lambda r: scores[r], [0], sparse.csr_matrix(mask), candidates[:-1], 3)
    with pytest.raises(ValueError, match="outside"):
        rank_users(lambda r: scores[r], [99], sparse.csr_matrix(mask), None, 3)
    with pytest.raises(ValueError, match="scores are"):
        rank_users(lambda r: scores, [0], sparse.csr_matrix(mask), None, 3)
    with pytest.raises(ValueError, match="at least 1"):
        rank_users(lambda r: scores[r], [0], None, None, 0)


def test_no_users_give_an_empty_result():
    assert rank_users(lambda r: np.zeros((0, 3)), [], n_items=3, k=4).shape == (0, 4)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_embeddings_agree_with_their_score_matrix(share):
    rng = np.random.default_rng(8)
    users, items = rng.normal(size=(200, 8)), rng.normal(size=(300, 8))
    mask = rng.random((200, 300)) < 0.05
    candidates = rng.random(300) < share
    scores = users.astype(np.float32) @ items.astype(np.float32).T
    ranked = rank_embeddings(users, items, None, sparse.csr_matrix(mask), candidates, k=10)
    np.testing.assert_array_equal(ranked, oracle(scores, mask, candidates, 10))
    some = np.array([150, 3])
    ranked = rank_embeddings(users, items, some, sparse.csr_matrix(mask), candidates, k=10)
    np.testing.assert_array_equal(ranked, oracle(scores, mask, candidates, 10)[some])


def test_equal_embeddings_rank_by_row():
    users = np.ones((5, 4))
    items = np.ones((9, 4))
    np.testing.assert_array_equal(rank_embeddings(users, items, k=9), [list(range(9))] * 5)


@pytest.mark.parametrize("n_users", [1, 7, 150])
def test_items_with_the_same_vector_tie_exactly(n_users):
    """BLAS alone breaks this: it rounds the same product differently across a block."""
    rng = np.random.default_rng(10)
    vectors = rng.normal(size=(40, 64)).astype(np.float32)
    group = rng.integers(0, 40, size=1001)
    users = rng.normal(size=(n_users, 64)).astype(np.float32)
    ranked = rank_embeddings(users, vectors[group], k=200)
    for row in ranked:
        runs = group[row]
        for g in np.unique(runs):
            members = row[runs == g]
            assert np.all(np.diff(members) > 0)
            # The lowest rows of the group were taken, and none was skipped.
            np.testing.assert_array_equal(members, np.flatnonzero(group == g)[: len(members)])


def test_two_rankings_are_identical():
    rng = np.random.default_rng(9)
    users, items = rng.normal(size=(500, 16)), rng.normal(size=(400, 16))
    np.testing.assert_array_equal(rank_embeddings(users, items), rank_embeddings(users, items))


@pytest.mark.parametrize("n_candidates", [40, 9])
def test_what_is_added_to_the_products_counts(n_candidates: int) -> None:
    """Of all items, and where so few may be recommended that nothing else is scored."""
    rng = np.random.default_rng(3)
    users, items = rng.normal(size=(30, 8)), rng.normal(size=(40, 8)).astype(np.float32)
    added = rng.normal(size=(30, 40)).astype(np.float32)
    candidates = np.zeros(40, bool)
    candidates[rng.permutation(40)[:n_candidates]] = True
    mask = sparse.random(30, 40, 0.2, "csr", random_state=4)
    some = np.array([3, 7, 22])
    found = rank_embeddings(users, items, some, mask, candidates, 6, add=lambda rows: added[rows])
    whole = users.astype(np.float32) @ items.T + added
    wanted = rank_users(lambda rows: whole[rows], some, mask, candidates, 6)
    np.testing.assert_array_equal(found, wanted)


class Told:
    """What is added, as a memory adds it: of some users or of some items for all."""

    def __init__(self, table: np.ndarray, by_columns: bool):
        self.table, self.by_columns = table, by_columns

    def rows(self, users: np.ndarray) -> np.ndarray:
        return self.table[users]

    def columns(self, items: np.ndarray):
        return lambda users: self.table[users, items]


@pytest.mark.parametrize("share", [1.0, 0.7, 0.2])
def test_of_some_items_at_a_time_the_lists_are_the_same(share: float, monkeypatch) -> None:
    """Items of many blocks, ties within blocks and between them, few candidates, short lists."""
    monkeypatch.setattr(by_columns, "_USERS", 50)
    rng = np.random.default_rng(5)
    group = rng.integers(0, 500, 700)
    users = rng.normal(size=(120, 8)).astype(np.float32)
    items = rng.normal(size=(500, 8)).astype(np.float32)[group]
    table = rng.integers(-3, 3, (120, 500)).astype(np.float32)[:, group]
    mask = sparse.random(120, 700, 0.3, "csr", random_state=6)
    candidates = rng.random(700) < share
    for k in (6, 600):
        told = [np.zeros((120, k), np.float32) for _ in range(2)]
        by_rows, by_items = (
            rank_embeddings(
                users, items, None, mask, candidates, k, add=Told(table, how), scores=scores
            )
            for how, scores in zip((False, True), told, strict=True)
        )
        np.testing.assert_array_equal(by_items, by_rows)
        np.testing.assert_allclose(told[1], told[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_rows_and_their_scores(dtype) -> None:
    """Rows of several strides of the kernel: ties, gaps of the mask, NaN and infinities."""
    rng = np.random.default_rng(4)
    scores = rng.integers(-40, 40, (6, 301)).astype(dtype)
    scores[rng.random(scores.shape) < 0.1] = np.nan
    scores[:, 70:72] = -np.inf, np.inf
    scores[5] = -np.inf
    mask = rng.random(scores.shape) < 0.2
    candidates = rng.random(301) < 0.8
    told = np.zeros((6, 9), dtype)
    found = rank_users(
        lambda rows: scores[rows], np.arange(6), sparse.csr_matrix(mask), candidates, 9, scores=told
    )
    for row, mine, ranked, values in zip(scores, mask, found, told, strict=True):
        rankable = np.flatnonzero(candidates & ~mine & (row > -np.inf))
        best = rankable[np.argsort(-row[rankable], kind="stable")][:9]
        assert list(ranked[: len(best)]) == list(best)
        np.testing.assert_array_equal(values[: len(best)], row[best])
        assert (ranked[len(best) :] == -1).all() and (values[len(best) :] == -np.inf).all()
