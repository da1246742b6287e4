"""Means weighed by trained cosines: the kernels against torch's own operations and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.graphs.attention import cosine_means, plain_cosine_means


def _world(n: int, k: int, dim: int, seed: int) -> tuple[torch.Tensor, ...]:
    draw = np.random.default_rng(seed)
    unit = torch.from_numpy(draw.normal(size=(n, 5)).astype(np.float32))
    values = torch.from_numpy(draw.normal(size=(n, dim)).astype(np.float32))
    near = draw.integers(-1, n, (n, k))
    near[0] = -1  # nobody near
    flow = torch.from_numpy(draw.normal(size=(n, dim)).astype(np.float32))
    return torch.nn.functional.normalize(unit, dim=1), torch.from_numpy(near), values, flow


@given(st.integers(2, 30), st.integers(1, 6), st.sampled_from([1, 3, 64]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_values_and_gradients_are_those_of_torch(n: int, k: int, dim: int, seed: int) -> None:
    unit, near, values, flow = _world(n, k, dim, seed)
    found = []
    for means, kind in ((cosine_means, torch.float32), (plain_cosine_means, torch.float64)):
        x, v = (part.detach().to(kind).clone().requires_grad_() for part in (unit, values))
        out = means(x, near, v)
        out.backward(flow.to(kind))
        found.append([part.float() for part in (out.detach(), x.grad, v.grad)])
    # A slope is divided by the sum of a row's cosines, and so is what was rounded of it.
    cosines = (unit[:, None] * unit[near.clamp(min=0)]).sum(-1).clamp(min=0) * (near >= 0)
    sums = cosines.sum(1)
    least = float(sums[sums > 0].min()) if (sums > 0).any() else 1.0
    for own, plain in zip(*found, strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-5 * (1 + 1 / least))


def test_weights_add_up_to_one_and_nobody_near_is_nothing() -> None:
    unit, near, values, _ = _world(20, 4, 8, seed=1)
    out = cosine_means(unit, near, torch.ones_like(values))
    positive = ((unit[:, None] * unit[near.clamp(min=0)]).sum(-1) > 0) & (near >= 0)
    torch.testing.assert_close(out[:, 0], positive.any(1).float())
    assert not out[0].any()


@pytest.mark.parametrize("kind", [torch.float64])
def test_other_precisions_go_by_torch(kind: torch.dtype) -> None:
    unit, near, values, _ = _world(12, 3, 4, seed=2)
    wide = cosine_means(unit.to(kind), near, values.to(kind))
    assert wide.dtype == kind
    torch.testing.assert_close(wide.float(), cosine_means(unit, near, values))
