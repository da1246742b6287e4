"""Rows handed through matrices, against dense products."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.graphs.chains import Reached


@pytest.mark.parametrize("density", [0.02, 0.6])
@pytest.mark.parametrize("in_order", [False, True])
def test_rows_are_products_and_leave_nothing_behind(density: float, in_order: bool) -> None:
    rng = np.random.default_rng(4)
    x, a, b = (
        sparse.random(n, m, density, "csr", np.float32, random_state=rng)
        for n, m in ((9, 40), (40, 30), (30, 20))
    )
    start, middle, end = Reached(40), Reached(30), Reached(20)
    factors = rng.random(30)
    wanted = (2 * x.toarray() @ a.toarray() * factors + a.toarray()[:9]) @ b.toarray()
    out = np.zeros((9, 20), np.float32)
    for row in range(9):
        start.add(x, row, 2.0)
        start.through(a, middle, sparse.csr_matrix(a.T) if in_order else None)
        middle.scale(factors)
        middle.add(a, row)
        middle.through(b, end, sparse.csr_matrix(b.T) if in_order else None)
        end.leave(out[row])
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)
    for row in (start, middle, end):
        assert row.count == 0 and not row.values.any() and not row.marks.any()
