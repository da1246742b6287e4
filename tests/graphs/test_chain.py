"""The kernel for rows through two matrices, against SciPy's products."""

import numpy as np
import pytest
from scipy import sparse

from micrec_core.graphs.chain import multiplied


@pytest.mark.parametrize("density", [0.0, 0.05, 0.6])
def test_it_is_the_product(density: float) -> None:
    shapes = (9, 40), (40, 25), (25, 30)
    a, b, c = (
        sparse.random(*shape, density, "csr", np.float64, np.random.default_rng(at))
        for at, shape in enumerate(shapes)
    )
    b.data[::2] *= -1  # what cancels out on the way is met again
    found = multiplied(a, b, c)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (a @ b @ c).toarray(), rtol=1e-5, atol=1e-6)
