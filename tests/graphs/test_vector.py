"""A sparse vector through sparse matrices, by NumPy and by the kernel, against SciPy's products."""

import sys
from importlib import import_module

import numpy as np
import pytest
from scipy import sparse

from micrec_core.graphs import vector
from micrec_core.graphs.lanes import Lanes
from micrec_core.graphs.vector import Vector

KERNEL = "micrec_core.graphs.walk"


@pytest.fixture(params=["numpy", "kernel"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(KERNEL)
    monkeypatch.setitem(sys.modules, KERNEL, module)
    if request.param == "numpy":
        monkeypatch.delitem(sys.modules, KERNEL)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n", [30, 5000])  # many are met of few columns, few of many
@pytest.mark.parametrize("few", [0, 20_000])
def test_it_is_the_product(n: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "_FEW", few)
    rng = np.random.default_rng(0)
    rows = sparse.random(3, 40, 0.2, "csr", rng=rng)
    rows.data[::3] *= -1
    chain = [sparse.random(*shape, 0.1, "csr", rng=rng) for shape in ((40, n), (n, 25))]
    chain[0].data[::2] *= -1  # what cancels out on the way is met again
    chain[0] = sparse.csr_matrix(chain[0])
    for row in range(3):
        found, wanted = Vector.of(rows, row), rows[[row]]
        out = np.ones(n)
        found.onto(chain[0], out)
        np.testing.assert_allclose(out - 1, (wanted @ chain[0]).toarray()[0], atol=1e-12)
        for matrix in chain:
            found, wanted = found.through(matrix), wanted @ matrix
            assert (np.diff(found.at) > 0).all() and found.n == matrix.shape[1]
            dense = np.zeros(found.n)
            dense[found.at] = found.values
            np.testing.assert_allclose(dense, wanted.toarray()[0], atol=1e-12)


@pytest.mark.usefixtures("way")
def test_nothing_gives_nothing() -> None:
    nothing = Vector.of(sparse.csr_matrix((1, 4)), 0)
    found = nothing.through(sparse.csr_matrix(np.ones((4, 3))))
    assert not len(found.at) and found.n == 3


def test_what_of_a_dense_vector_is_not_nothing() -> None:
    found = Vector.where(np.array([0.0, 3.0, 0.0, -1.0]))
    assert found.at.tolist() == [1, 3] and found.values.tolist() == [3, -1] and found.n == 4


@pytest.mark.parametrize("n_rows", [1, 16, 50])
def test_a_dense_vector_goes_through_rows_side_by_side(n_rows: int) -> None:
    """Of any number and length; some are empty."""
    rng = np.random.default_rng(1)
    matrix = sparse.random(40, n_rows, 0.3, "csr", rng=rng).multiply(rng.random((40, 1)) < 0.7)
    dense = rng.normal(size=40)
    found = Lanes.turned(sparse.csr_matrix(matrix)).product(dense)
    np.testing.assert_allclose(found, matrix.T @ dense, rtol=1e-6, atol=1e-7)
    assert not Lanes.turned(sparse.csr_matrix((40, n_rows))).product(dense).any()
