"""Nearest neighbours, dense and sparse, against a brute force in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.graphs.neighbours import (
    Features,
    Neighbours,
    inverted_file,
    normalise_rows,
    side_by_side,
    strongest,
)
from micrec_core.graphs.neighbours import nearest as search
from micrec_core.graphs.neighbours.nearest import nearest

KINDS = ("dense", "sparse")


def brute(queries, anchors, k, ok=None, same=None) -> tuple[NDArray, NDArray]:
    """Sort every allowed anchor of positive similarity by (-similarity, row)."""
    rows = np.full((len(queries), k), -1)
    similarity = np.zeros((len(queries), k))
    for q, query in enumerate(np.asarray(queries, float)):
        found = [
            (-float(query @ anchor), a)
            for a, anchor in enumerate(np.asarray(anchors, float))
            if (ok is None or ok[a]) and (same is None or same[q] != a) and query @ anchor > 0
        ]
        for place, (value, a) in enumerate(sorted(found)[:k]):
            rows[q, place], similarity[q, place] = a, -value
    return rows, similarity


def as_kind(matrix: NDArray, kind: str) -> Features:
    matrix = np.asarray(matrix, np.float32)
    return matrix if kind == "dense" else sparse.csr_matrix(matrix)


def check(found: Neighbours, wanted: tuple[NDArray, NDArray]) -> None:
    assert found.rows.dtype == np.int32 and found.similarity.dtype == np.float32
    assert np.array_equal(found.rows, wanted[0])
    np.testing.assert_allclose(found.similarity, wanted[1], atol=1e-6)


def unit_rows(rng: np.random.Generator, n: int, dim: int = 6) -> NDArray[np.float32]:
    matrix = rng.normal(size=(n, dim)) * (rng.random((n, dim)) < 0.7)
    return normalise_rows(matrix.astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4, 40])
def test_equals_brute_force(kind, k) -> None:
    rng = np.random.default_rng(k)
    queries, anchors = unit_rows(rng, 13), unit_rows(rng, 17)
    found = nearest(as_kind(queries, kind), as_kind(anchors, kind), k)
    check(found, brute(queries, anchors, k))


@pytest.mark.parametrize("kind", KINDS)
def test_only_anchors_lend_and_no_row_is_its_own_neighbour(kind) -> None:
    rng = np.random.default_rng(2)
    matrix = unit_rows(rng, 15)
    matrix[4] = 0
    ok, same = rng.random(15) < 0.6, np.arange(15)
    same[::4] = -1
    space = as_kind(matrix, kind)
    found = nearest(space, space, 5, anchor_ok=ok, same=same)
    check(found, brute(matrix, matrix, 5, ok, same))
    assert np.all(ok[found.rows[found.rows >= 0]])
    assert np.all(found.rows[4] == -1), "a missing row has no neighbours"
    assert not np.any(found.rows == 4), "and is nobody's neighbour"
    assert not found.weights(0.2)[4].any()


@pytest.mark.parametrize("n_queries", [1, 16, 37])
@pytest.mark.parametrize("common", [0.0, 2.0])  # queries side by side, or through the index
def test_sparse_rows_are_compared_in_both_ways(common: float, n_queries: int, monkeypatch) -> None:
    monkeypatch.setattr(side_by_side, "COMMON", common)
    rng = np.random.default_rng(3)
    matrix, ok = unit_rows(rng, 60, 9), rng.random(60) < 0.7
    matrix[[5, 7]], matrix[20] = 0, matrix[19]
    some = rng.permutation(60)[:n_queries]
    asked, anchors = (sparse.csr_matrix(x) for x in (matrix[some], matrix))
    found = nearest(asked, anchors, 8, anchor_ok=ok, same=some)
    check(found, brute(matrix[some], matrix, 8, ok, some))
    assert side_by_side.much_in_common(anchors) == (common == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_single_anchor_nobody_has_a_neighbour(kind) -> None:
    matrix = as_kind(np.eye(4), kind)
    found = nearest(matrix, matrix, 3, anchor_ok=np.zeros(4, bool))
    assert np.all(found.rows == -1) and not found.similarity.any()
    assert not found.density().any() and not found.weights(0.2).any()


# Eighths of halves: every product is exact, so that a tie is a tie in any order of summation.
exact = st.lists(st.sampled_from([0.0, 0.5, -0.5, 0.25]), min_size=3, max_size=3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(
    queries=st.lists(exact, min_size=1, max_size=5),
    anchors=st.lists(exact, min_size=1, max_size=12),
    k=st.integers(1, 6),
)
def test_ties_go_to_the_lower_row_also_at_the_last_place(kind, queries, anchors, k) -> None:
    found = nearest(as_kind(np.array(queries), kind), as_kind(np.array(anchors), kind), k)
    check(found, brute(np.array(queries), np.array(anchors), k))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(
    anchors=st.lists(exact, min_size=1, max_size=12),
    seed=st.integers(0, 10**6),
    k=st.integers(1, 6),
    others=st.booleans(),
    lists=st.booleans(),
)
def test_what_is_not_exact_holds_to_the_same_contract(
    kind, anchors, seed, k, others, lists
) -> None:
    """Ties, rows that lend nothing and rows that are the query: so few are all found, as exact."""
    rng, matrix = np.random.default_rng(seed), np.array(anchors)
    n = len(matrix)
    ok, same = rng.random(n) < 0.8, rng.integers(-1, n, n)
    if not others:
        same = np.where(same < 0, -1, np.arange(n))
    space = as_kind(matrix, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "ENOUGH", 0.0 if lists else 2.0)
        found = nearest(space, space, k, anchor_ok=ok, same=same, exact_pairs=0)
    check(found, brute(matrix, matrix, k, ok, same))
    assert found.recall == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_share_that_was_found_is_told(kind, monkeypatch) -> None:
    rng = np.random.default_rng(3)
    matrix = normalise_rows(rng.normal(size=(1500, 12)).astype(np.float32))
    space, same = as_kind(matrix, kind), np.arange(1500)
    monkeypatch.setattr(search, "ENOUGH", 2.0)
    monkeypatch.setattr(search, "DESCENTS", 0)
    monkeypatch.setattr(inverted_file, "PROBED", 2)
    monkeypatch.setattr(search, "_CHECKED", 1500)
    found = nearest(space, space, 10, same=same, exact_pairs=0)
    wanted = nearest(space, space, 10, same=same)
    both = [len(np.intersect1d(a, b)) for a, b in zip(found.rows, wanted.rows, strict=True)]
    assert wanted.recall == 1.0 and 0.1 < found.recall < 0.9
    assert found.recall == pytest.approx(np.sum(both) / wanted.rows.size, abs=1e-3)
    monkeypatch.setattr(search, "_CHECKED", 200)
    again = nearest(space, space, 10, same=same, exact_pairs=0)
    assert again.recall == pytest.approx(found.recall, abs=0.1)
    assert np.array_equal(again.rows, found.rows), "the sample decides nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_many_equal_anchors_give_the_first_ones(kind) -> None:
    anchors = np.tile([1.0, 0.0], (500, 1))
    anchors[100] = [0.6, 0.8]
    queries = np.array([[1.0, 0.0], [0.6, 0.8]])
    found = nearest(as_kind(queries, kind), as_kind(anchors, kind), 4)
    assert found.rows.tolist() == [[0, 1, 2, 3], [100, 0, 1, 2]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([3, 9]))
def test_both_selections_agree(seed, k, levels) -> None:
    """That of the kernel and that of torch, which a GPU uses."""
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-2, levels, (6, 5)) / levels).astype(np.float32)
    own = rng.integers(-1, 5, 6)
    found = []
    for select, given_scores in (
        (search._select, scores.copy()),
        (search._select_there, torch.from_numpy(scores.copy())),
    ):
        rows, values = np.full((6, k), -1, np.int32), np.zeros((6, k), np.float32)
        select(given_scores, own, rows, values)
        found.append((rows, values))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


OUT_OF_MEMORY = (
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
)


def room_for(n: int, error: Exception, patch: pytest.MonkeyPatch) -> list[int]:
    """Fail blocks of more than ``n`` rows; the sizes that were tried."""
    own, tried = search._select, []

    def select(scores: NDArray, *rest: NDArray) -> None:
        tried.append(len(scores))
        if len(scores) > n:
            raise error
        own(scores, *rest)

    patch.setattr(search, "_select", select)
    return tried


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_block_that_does_not_fit_is_tried_again_in_halves(error, monkeypatch) -> None:
    matrix, same = unit_rows(np.random.default_rng(7), 23), np.arange(23)
    wanted = nearest(matrix, matrix, 4, same=same)
    tried = room_for(3, error, monkeypatch)
    found = nearest(matrix, matrix, 4, same=same)
    assert np.array_equal(found.rows, wanted.rows)
    assert tried[:4] == [23, 11, 5, 2] and sum(n for n in tried if n <= 3) == 23


def test_a_single_row_that_does_not_fit_and_other_errors_are_raised(monkeypatch) -> None:
    matrix = unit_rows(np.random.default_rng(7), 5)
    room_for(0, MemoryError("no room"), monkeypatch)
    with pytest.raises(MemoryError, match="no room"):
        nearest(matrix, matrix, 2)
    tried = room_for(0, RuntimeError("shape mismatch"), monkeypatch)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        nearest(matrix, matrix, 2)
    assert tried == [5]


def test_small_blocks_change_nothing() -> None:
    matrix = unit_rows(np.random.default_rng(5), 23)
    same = np.arange(23)
    whole = nearest(matrix, matrix, 4, same=same)
    parts = nearest(matrix, matrix, 4, same=same, memory_bytes=4 * 23 * 5)
    assert np.array_equal(whole.rows, parts.rows)


def test_weights_are_a_softmax_over_those_there_are() -> None:
    found = Neighbours(
        np.array([[3, 1, -1], [-1, -1, -1]], np.int32),
        np.array([[0.9, 0.4, 0.0], [0, 0, 0]], np.float32),
    )
    weights = found.weights(0.2)
    wanted = np.exp(np.array([0.9, 0.4]) / 0.2)
    np.testing.assert_allclose(weights[0], [*(wanted / wanted.sum()), 0.0], rtol=1e-5)
    assert not weights[1].any()
    np.testing.assert_allclose(found.density(), [0.65, 0.0], rtol=1e-6)
    sharp = found.weights(1e-4)
    assert np.isfinite(sharp).all() and sharp[0].tolist() == [1.0, 0.0, 0.0]


def test_strongest_keeps_each_rows_largest_entries() -> None:
    rng = np.random.default_rng(6)
    dense = rng.random((9, 20)) * (rng.random((9, 20)) < 0.5)
    dense[[0, 4, 8]] = 0
    dense[2] = np.where(np.arange(20) < 3, 1.0, 0)
    found = strongest(sparse.csr_matrix(dense), 4).toarray()
    for row, kept in zip(dense, found, strict=True):
        wanted = row.copy()
        wanted[np.argsort(-row, kind="stable")[4:]] = 0
        if wanted.any():
            wanted /= np.linalg.norm(wanted)
        np.testing.assert_allclose(kept, wanted, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_normalised_rows_have_length_one_or_zero(kind) -> None:
    matrix = np.array([[3.0, 4.0], [0.0, 0.0], [1e-3, 0.0]])
    found = normalise_rows(as_kind(matrix, kind))
    dense = found if isinstance(found, np.ndarray) else found.toarray()
    np.testing.assert_allclose(dense, [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-5)
    assert dense.dtype == np.float32
