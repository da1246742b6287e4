"""The optimiser agrees with torch's own to the last bit and goes on from what it has saved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
import torch
from torch import nn

from micrec_core.training.adam import Adam

DECAYS = (0.4, 0.0)
PLAIN = """
import sys, torch
from micrec_core.training.adam import Adam
table = torch.nn.Parameter(torch.ones(3, 2))
adam = Adam([([table], 0.1)], 0.1)
adam.zero_grad()
table.sum().backward()
adam.step()
sys.exit("torch._dynamo" in sys.modules)
"""


def parameters() -> list[list[nn.Parameter]]:
    """Two groups; the last of the second never gets a gradient."""
    drawn = torch.Generator().manual_seed(0)
    shapes = [[(40, 16), (8, 8)], [(16,), (), (5,)]]
    return [
        [nn.Parameter(torch.randn(shape, generator=drawn)) for shape in group] for group in shapes
    ]


def ours(groups: list[list[nn.Parameter]], decays: tuple[float, ...] = DECAYS) -> Adam:
    return Adam(zip(groups, decays, strict=True), 0.01)


def torchs(groups: list[list[nn.Parameter]]) -> torch.optim.Optimizer:
    pairs = zip(groups, DECAYS, strict=True)
    wanted = [{"params": group, "weight_decay": decay} for group, decay in pairs]
    return torch.optim.AdamW(wanted, lr=0.01, fused=True)


def without_decay(groups: list[list[nn.Parameter]]) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for group in groups for p in group], lr=0.01, fused=True)


def run(optimiser: Any, groups: list[list[nn.Parameter]], steps: range) -> None:
    """Steps with gradients and rates that depend on the number of the step alone."""
    for step in steps:
        optimiser.zero_grad(set_to_none=True)
        drawn = torch.Generator().manual_seed(step)
        for parameter in (groups[0] + groups[1])[:-1]:
            parameter.grad = torch.randn(parameter.shape, generator=drawn)
        for group in optimiser.param_groups:
            group["lr"] = 0.01 / (1 + step)
        optimiser.step()


def same(first: list[list[nn.Parameter]], second: list[list[nn.Parameter]]) -> bool:
    pairs = zip(chain(*first), chain(*second), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("reference", "decays"), [(torchs, DECAYS), (without_decay, (0.0, 0.0))], ids=["decay", "plain"]
)
def test_agrees_with_torch_bit_for_bit(reference: Callable, decays: tuple[float, ...]) -> None:
    mine, theirs = parameters(), parameters()
    adam, other = ours(mine, decays), reference(theirs)
    run(adam, mine, range(6))
    run(other, theirs, range(6))
    assert same(mine, theirs) and not same(mine, parameters())
    found, known = adam.state(), other.state_dict()["state"]
    assert found.keys() == known.keys() == {0, 1, 2, 3}
    for place, slots in known.items():
        assert found[place].keys() == slots.keys()
        assert all(torch.equal(found[place][name], value) for name, value in slots.items())


def test_goes_on_from_a_saved_state() -> None:
    whole, cut = parameters(), parameters()
    run(ours(whole), whole, range(6))
    first = ours(cut)
    run(first, cut, range(3))
    saved = {p: {k: v.clone() for k, v in slots.items()} for p, slots in first.state().items()}
    second = ours(cut)
    second.restore(saved)
    run(second, cut, range(3, 6))
    assert same(whole, cut)


def test_a_state_that_lacks_a_moment_is_refused() -> None:
    groups = parameters()
    made = ours(groups)
    run(made, groups, range(1))
    saved = made.state()
    del saved[1]["exp_avg_sq"]
    with pytest.raises(KeyError, match="exp_avg_sq"):
        ours(groups).restore(saved)


def test_gradients_are_forgotten_or_zeroed() -> None:
    groups = parameters()
    made = ours(groups)
    groups[0][0].grad = torch.ones(40, 16)
    made.zero_grad(set_to_none=False)
    assert torch.equal(groups[0][0].grad, torch.zeros(40, 16)) and groups[0][1].grad is None
    made.zero_grad()
    assert groups[0][0].grad is None


def test_the_compiler_of_torch_is_not_loaded() -> None:
    assert subprocess.run([sys.executable, "-c", PLAIN], check=False).returncode == 0
