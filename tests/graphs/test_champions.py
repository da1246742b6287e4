"""Lists that are cut: what they find of texts, when they are asked, and that they are safe."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.benchmarks.worlds import documents
from micrec_core.graphs.neighbours import champions, normalise_rows
from micrec_core.graphs.neighbours import nearest as search
from micrec_core.graphs.neighbours.champions import Champions
from micrec_core.graphs.neighbours.nearest import nearest


def texts(n: int, n_topics: int, words: int = 12, seed: int = 0) -> sparse.csr_matrix:
    """Documents of a topic's words among words of their own, as titles of products are."""
    rng = np.random.default_rng(seed)
    topics = rng.random((n_topics, 400)) * (rng.random((n_topics, 400)) < words / 400)
    own = documents(n, 4000, words, seed)
    of_topics = sparse.csr_matrix(topics[rng.integers(0, n_topics, n)])
    of_topics.data *= rng.random(of_topics.nnz)
    found = normalise_rows(sparse.csr_matrix(sparse.hstack([of_topics, own]), dtype=np.float32))
    return sparse.csr_matrix(found)


def test_of_texts_nearly_all_are_found_by_lists_that_are_cut(monkeypatch) -> None:
    monkeypatch.setattr(champions, "LONGEST", 100)
    space, same, ok = texts(3000, 100), np.arange(3000), np.arange(3000) % 7 > 0
    wanted = nearest(space, space, 10, same=same, anchor_ok=ok)
    found = nearest(space, space, 10, same=same, anchor_ok=ok, exact_pairs=0)
    shares = [np.isin(a, b).mean() for a, b in zip(wanted.rows, found.rows, strict=True)]
    assert search.ENOUGH <= found.recall <= 1.0
    assert np.mean(shares) == pytest.approx(found.recall, abs=0.02)
    there = found.rows >= 0
    assert ok[found.rows[there]].all() and (found.rows != same[:, None]).all()
    assert (np.diff(found.similarity, axis=1) <= 0).all()
    assert all(len(set(r[r >= 0])) == (r >= 0).sum() for r in found.rows)
    q, place = np.nonzero(there)
    true = np.asarray(space[q].multiply(space[found.rows[q, place]]).sum(axis=1)).ravel()
    np.testing.assert_allclose(found.similarity[q, place], true, atol=1e-5)


def test_where_lists_find_too_few_cells_are_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(champions, "LONGEST", 20)
    monkeypatch.setattr(champions, "COMPARED", 10)
    dense = np.random.default_rng(1).random((1200, 12))
    space = sparse.csr_matrix(normalise_rows(dense.astype(np.float32)))
    same = np.arange(1200)
    by_lists = Champions(space, np.ones(1200, bool)).nearest(space, 10, same)
    found = nearest(space, space, 10, same=same, exact_pairs=0)
    exact = nearest(space, space, 10, same=same)
    assert search._share_found(exact, by_lists) < search.ENOUGH
    assert found.recall > search._share_found(exact, by_lists)


def test_a_list_keeps_the_rows_that_weigh_most_and_none_that_may_not_be_found(monkeypatch) -> None:
    monkeypatch.setattr(champions, "LONGEST", 2)
    anchors = np.array([[0.1, 0.9], [-0.8, 0.0], [0.7, 0.2], [0.9, 0.3]], np.float32)
    ok = np.array([True, True, True, False])
    lists = Champions(sparse.csr_matrix(anchors), ok).lists
    assert lists.toarray().tolist() == [
        [0.0, pytest.approx(-0.8), pytest.approx(0.7), 0.0],
        [pytest.approx(0.9), 0.0, pytest.approx(0.2), 0.0],
    ]


def test_a_sum_that_is_zero_for_a_moment_counts_once() -> None:
    # The second column takes away what the first gave, and the third gives it anew.
    anchors = sparse.csr_matrix(np.array([[1, -1, 1], [1, 0, 0]], np.float32) / 2)
    asked = sparse.csr_matrix(np.ones((1, 3), np.float32))
    found = Champions(anchors, np.ones(2, bool)).nearest(asked, 3, np.array([-1]))
    assert found.rows.tolist() == [[0, 1, -1]]
    np.testing.assert_allclose(found.similarity, [[0.5, 0.5, 0.0]])


def test_without_entries_nobody_is_found() -> None:
    nothing = sparse.csr_matrix((3, 5), dtype=np.float32)
    found = Champions(nothing, np.ones(3, bool)).nearest(nothing, 2, np.arange(3))
    assert (found.rows == -1).all() and not found.similarity.any()
