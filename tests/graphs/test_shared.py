"""What is added to sums of templates, against torch's own operations."""

from __future__ import annotations

import pytest
import torch

from micrec_core.graphs.shared import add_shared


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("n", [0, 5, 300])
@pytest.mark.parametrize("dim", [64, 6])
@pytest.mark.parametrize("with_own", [True, False])
def test_values_and_gradients_are_those_of_the_formula(n, dim, with_own) -> None:
    table, shared, own = draw(n, dim, seed=1), draw(dim, seed=2), draw(n, dim, seed=3)
    scale, told = draw(n, seed=4).detach().abs(), draw(n, dim, seed=5).detach()
    factor = torch.tensor(0.7, requires_grad=True)
    rest = (own, factor) if with_own else ()

    def formula(table):
        out = table + scale[:, None] * shared
        return out + factor * own if with_own else out

    found = []
    for way in (lambda x: add_shared(x, scale, shared, *rest), formula):
        out = way(2.0 * table)
        found.append([out, *torch.autograd.grad(out, [table, shared, *rest], told)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
