"""The search for one query against the one for many; the top of a list against a full sort."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from micrec_core.graphs.neighbours import normalise_rows, strongest
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.method import search
from micrec_core.method.search import Index, Query, repeated_rows, softmax_weights, top_rows

scores = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, -np.inf]), max_size=30)


@given(values=st.lists(st.sampled_from([0, 1, 2, 9, -np.inf]), min_size=90), k=st.integers(1, 6))
def test_top_rows_of_many_are_those_of_a_full_sort(values: list[float], k: int) -> None:
    array = np.array(values, dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_TOGETHER", 3)
        found = top_rows(array, k)
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert found.tolist() == [i for i in order if values[i] > -np.inf][:k]


def test_the_kernel_finds_the_very_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = sparse.random(60, 40, density=0.3, random_state=1, format="csr", dtype=np.float32)
    index = Index(normalise_rows(matrix))
    for row in (0, 7):
        one = matrix[[row]]
        query = Query(np.zeros(1), one.indices.astype(np.int64), one.data)
        monkeypatch.setattr(search, "walk", lambda: None)
        plain = index.cosines(query)
        monkeypatch.setattr(search, "walk", lambda: import_module("micrec_core.graphs.walk"))
        np.testing.assert_array_equal(index.cosines(query), plain)


@given(values=scores, k=st.integers(0, 35))
def test_top_rows_are_those_of_a_full_sort(values: list[float], k: int) -> None:
    array = np.array(values, dtype=np.float32)
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert top_rows(array, k).tolist() == [i for i in order if values[i] > -np.inf][:k]


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_one_query_finds_what_many_find(kind: str) -> None:
    generator = np.random.default_rng(0)
    matrix = sparse.random(60, 40, density=0.3, random_state=1, format="csr", dtype=np.float32)
    space = normalise_rows(matrix)
    if kind == "dense":
        space = np.asarray(space.todense())
    ok = generator.random(60) < 0.7
    many = nearest(space, space, 5, anchor_ok=ok, same=np.arange(60))
    index = Index(space)
    for row in range(60):
        if kind == "dense":
            query = Query(space[row].astype(np.float64))
        else:
            one = space[[row]]
            query = Query(np.zeros(1), one.indices.astype(np.int64), one.data)
        rows, cosines = index.nearest(query, 5, ok, without=row)
        known = many.rows[row] >= 0
        np.testing.assert_allclose(cosines, many.similarity[row][known], atol=1e-6)
        if kind == "sparse":
            assert rows.tolist() == many.rows[row][known].tolist()
        np.testing.assert_allclose(
            softmax_weights(cosines, 0.2), many.weights(0.2)[row][known], atol=1e-5
        )


def test_the_strongest_terms_are_those_of_training() -> None:
    matrix = sparse.random(8, 300, density=0.6, random_state=2, format="csr", dtype=np.float32)
    cut = strongest(matrix)
    for row in range(8):
        one = matrix[[row]]
        query = Query(np.zeros(1), one.indices.astype(np.int64), one.data).as_profile()
        known = cut[[row]].sorted_indices()
        assert query.terms.tolist() == known.indices.tolist()
        np.testing.assert_allclose(query.values, known.data, rtol=1e-5)


def test_repeated_rows_name_the_first_of_each() -> None:
    matrix = np.array([[1, 0], [2, 2], [1, -0.0], [3, 1], [2, 2]], dtype=np.float32)
    first, later = repeated_rows(matrix)
    assert dict(zip(later.tolist(), first.tolist())) == {2: 0, 4: 1}
    assert repeated_rows(matrix[:0])[0].size == 0
