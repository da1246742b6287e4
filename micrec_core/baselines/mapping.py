"""Second stages of cross-domain models: a map fitted to overlapping users, stopped in time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_HELD = 10
# Fewer that are held out tell too little to stop by.
_LEAST = 10
_EVERY = 10
_RATE = 5e-3


def fit_map(
    module: nn.Module,
    loss: Callable[[Tensor], Tensor],
    n: int,
    steps: int,
    generator: torch.Generator,
) -> None:
    """Adam on ``module`` over ``n`` users, left at its best step on a tenth that is held out.

    Where that would be a handful only, on all of them.

    Parameters
    ----------
    loss : of some of the users, int64 rows in 0 to n - 1; a scalar
    """
    order = torch.randperm(n, generator=generator)
    n_held = n // _HELD if n // _HELD >= _LEAST else 0
    fitted = order[n_held:]
    watched = order[:n_held] if n_held else fitted
    optimiser = torch.optim.Adam(module.parameters(), lr=_RATE)
    best, lowest = _state(module), float("inf")
    for step in range(steps):
        if step % _EVERY == 0 or step + 1 == steps:
            with torch.no_grad():
                found = float(loss(watched))
            if found < lowest:
                best, lowest = _state(module), found
        optimiser.zero_grad(set_to_none=True)
        with torch.enable_grad():
            loss(fitted).backward()
        optimiser.step()
    module.load_state_dict(best)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}
