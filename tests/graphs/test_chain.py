"""The kernels for 64 rows side by side, against SciPy's products."""

import numpy as np
import pytest
from scipy import sparse

from micrec_core.graphs.chain import WIDTH, Packed, add_product, lay

SHAPES = (9, 40), (40, 25), (25, 130), (130, 150)


@pytest.fixture(params=[0.0, 0.05, 0.6])
def chain(request: pytest.FixtureRequest) -> list[sparse.csr_matrix]:
    found = [
        sparse.random(*shape, request.param, "csr", np.float64, np.random.default_rng(at))
        for at, shape in enumerate(SHAPES)
    ]
    found[1].data[::2] *= -1  # what cancels out on the way is met again
    return found


def close(found: np.ndarray, wanted: sparse.csr_matrix) -> None:
    assert found.dtype == np.float32
    largest = max(abs(wanted).max(), 1.0)
    np.testing.assert_allclose(found, wanted.toarray(), rtol=1e-5, atol=1e-6 * largest)


def test_rows_go_side_by_side_through_a_chain(chain: list[sparse.csr_matrix]) -> None:
    rows, first, second, last = chain
    tile = np.zeros((130, WIDTH), np.float32)
    lay(tile, rows, Packed.of(first), Packed.of(second))
    assert not tile[:, 9:].any()
    close(tile[:, :9].T, rows @ first @ second)
    close(Packed.turned(last).through(tile)[:, :9].T, rows @ first @ second @ last)
    packed, twice = Packed.of(sparse.csr_matrix(last.T)), np.hstack([tile, 2 * tile])
    out = np.full((40, 2 * WIDTH), np.nan, np.float32)
    packed.through(twice, out, slice(100, 140))
    for side, times in ((0, 1), (WIDTH, 2)):
        wanted = sparse.csr_matrix((times * rows @ first @ second @ last)[:, 100:140])
        close(out[:, side : side + 9].T, wanted)
    out = np.full((9, 150), np.nan, np.float32)
    Packed.turned(last).into(out, tile)
    close(out, rows @ first @ second @ last)


def test_rows_are_added_to_what_is_there(chain: list[sparse.csr_matrix]) -> None:
    rows, first = chain[:2]
    tile = np.zeros((40, WIDTH), np.float32)
    lay(tile, rows)
    lay(tile, rows)
    close(tile[:, :9].T, 2 * rows)
    out = np.ones((9, 25), np.float32)
    add_product(Packed.of(rows), Packed.of(first), out)
    close(out - np.float32(1), rows @ first)
