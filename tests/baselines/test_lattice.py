"""LATTICE's means weighed by cosines."""

from __future__ import annotations

import numpy as np
import torch

from micrec_core.baselines.lattice import cosine_means


def test_weights_add_up_to_one_and_nobody_near_is_nothing() -> None:
    draw = np.random.default_rng(1)
    unit = torch.nn.functional.normalize(torch.from_numpy(draw.normal(size=(20, 5))), dim=1)
    near = torch.from_numpy(draw.integers(-1, 20, (20, 4)))
    near[0] = -1  # nobody near
    out = cosine_means(unit, near, torch.ones(20, 8, dtype=torch.float64))
    positive = ((unit[:, None] * unit[near.clamp(min=0)]).sum(-1) > 0) & (near >= 0)
    torch.testing.assert_close(out[:, 0], positive.any(1).double())
    assert not out[0].any()
