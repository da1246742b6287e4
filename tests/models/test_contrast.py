"""InfoNCE over distinct rows, counted or marked."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from micrec_core.models.contrast import distinct, info_nce, marked


@given(st.lists(st.integers(0, 9), min_size=1, max_size=25), st.integers(0, 99))
def test_marked_rows_give_the_loss_and_gradients_of_distinct_ones(rows, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 10, 6, generator=generator)
    found = []
    for way in (distinct, marked):
        picked, counted = way(torch.tensor(rows))
        tables = [x.clone().requires_grad_() for x in (a, b)]
        loss = info_nce(*(x[picked] for x in tables), 0.2, counted)
        loss.backward()
        found.append([loss, *(x.grad for x in tables)])
    for one, other in zip(*found, strict=True):
        assert torch.isfinite(other).all()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
