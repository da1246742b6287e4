"""Neighbours looked for in nearby cells: exact where all cells are near, else most of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.graphs.neighbours import Features, inverted_file, normalise_rows
from micrec_core.graphs.neighbours import nearest as search
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.graphs.neighbours.nn_descent import descend, offer

KINDS = ("dense", "sparse")


@pytest.fixture(autouse=True)
def no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells for sparse rows too, whatever lists would find."""
    monkeypatch.setattr(search, "ENOUGH", 2.0)


def as_kind(matrix: NDArray, kind: str) -> Features:
    return matrix if kind == "dense" else sparse.csr_matrix(matrix)


def crowds(n: int, n_crowds: int, dim: int = 24, seed: int = 0) -> NDArray[np.float32]:
    """Rows around so many centres, some of them zero."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_crowds, dim))
    rows = centres[rng.integers(0, n_crowds, n)] + 0.5 * rng.normal(size=(n, dim))
    rows[rng.random(n) < 0.02] = 0.0
    found = normalise_rows(rows.astype(np.float32))
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_cells_looked_at_it_is_exact(kind: str) -> None:
    matrix = as_kind(crowds(14, 3), kind)  # four cells, and so many are looked at
    ok = np.arange(14) % 5 != 0
    wanted = nearest(matrix, matrix, 3, same=np.arange(14), anchor_ok=ok)
    found = nearest(matrix, matrix, 3, same=np.arange(14), anchor_ok=ok, exact_pairs=0)
    assert np.array_equal(found.rows, wanted.rows)
    np.testing.assert_allclose(found.similarity, wanted.similarity, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("others", [False, True])
def test_of_many_rows_most_true_neighbours_are_found(kind: str, others: bool) -> None:
    dense = crowds(3000, 60)
    matrix = as_kind(dense, kind)
    asked, same = (as_kind(dense[:500].copy(), kind), np.arange(500)) if others else (matrix, None)
    same = np.arange(3000) if same is None else same
    ok = np.random.default_rng(1).random(3000) < 0.9
    wanted = nearest(asked, matrix, 10, same=same, anchor_ok=ok)
    found = nearest(asked, matrix, 10, same=same, anchor_ok=ok, exact_pairs=0)
    shares = [np.isin(a, b).mean() for a, b in zip(wanted.rows, found.rows, strict=True)]
    assert np.mean(shares) > 0.9
    there = found.rows >= 0
    assert ok[found.rows[there]].all() and (found.rows != same[:, None]).all()
    assert not there[~dense[: len(same)].any(axis=1)].any()
    assert (np.diff(found.similarity, axis=1) <= 0).all()
    assert all(len(set(r[r >= 0])) == (r >= 0).sum() for r in found.rows)
    q, place = np.nonzero(there)
    true = np.einsum("nd,nd->n", dense[q], dense[found.rows[q, place]])
    np.testing.assert_allclose(found.similarity[q, place], true, atol=1e-5)
    again = nearest(asked, matrix, 10, same=same, anchor_ok=ok, exact_pairs=0)
    assert np.array_equal(found.rows, again.rows)


def test_every_query_that_is_not_zero_is_in_one_group() -> None:
    matrix = crowds(400, 9)
    ok = np.arange(400) % 3 > 0
    rows = [(asked, near) for asked, near in inverted_file.groups(matrix, matrix, ok, 0)]
    asked = np.concatenate([a for a, _ in rows])
    assert sorted(asked) == np.flatnonzero(matrix.any(axis=1)).tolist()
    assert all(ok[near].all() and (np.diff(near) > 0).all() for _, near in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_single_anchor_there_is_no_group(kind: str) -> None:
    matrix = as_kind(crowds(20, 2), kind)
    none = np.zeros(20, bool)
    assert list(inverted_file.groups(matrix, matrix, none, 0)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_of_neighbours_come_in_and_none_is_lost(kind: str) -> None:
    # On a line each knows the next one alone; two rounds reach what is up to three away.
    angles = np.linspace(0.0, 1.0, 9)
    matrix = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    rows = np.full((9, 3), -1, np.int32)
    similarity = np.zeros((9, 3), np.float32)
    rows[:-1, 0] = np.arange(1, 9)
    similarity[:-1, 0] = np.einsum("nd,nd->n", matrix[:-1], matrix[1:])
    found, values = descend(as_kind(matrix, kind), rows, similarity, 2)
    assert found[0].tolist() == [1, 2, 3] and found[-1].tolist() == [-1, -1, -1]
    np.testing.assert_allclose(values[0], matrix[0] @ matrix[1:4].T, atol=1e-6)
    assert rows[0].tolist() == [1, -1, -1]


def test_what_is_known_already_is_not_put_in_twice() -> None:
    rows = np.array([[-1, -1], [4, -1]], np.int32)
    similarity = np.array([[0, 0], [0.5, 0]], np.float32)
    new = np.array([[7, 2], [4, 3]], np.int32)
    values = np.array([[0.3, 0.3], [0.5, 0.9]], np.float32)
    offer(np.arange(2), new, values, rows, similarity)
    assert rows.tolist() == [[2, 7], [3, 4]]
    np.testing.assert_allclose(similarity, [[0.3, 0.3], [0.9, 0.5]])
