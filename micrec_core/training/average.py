"""The exponential mean of the parameters over the steps of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class ParameterAverage:
    """A running mean of a model's parameters, which generalises better than their last values.

    mean <- w mean + (1 - w) parameters, w = min(decay, (1 + n) / (10 + n)) at step n: the window
    grows with the training up to 1 / (1 - decay) steps (Polyak and Juditsky, 1992, in the
    exponential form). ``decay`` 0 is no averaging: the mean is the parameters.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model = model
        self.decay = decay
        self.steps = 0
        # Without averaging the parameters' own memory, so that there is nothing to keep up.
        self.mean = {
            name: p.detach().clone() if decay else p.detach()
            for name, p in model.named_parameters()
        }

    def update(self) -> None:
        """Take the parameters in after a step."""
        weight = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        if not self.decay:
            return
        current = [p.detach() for _, p in self.model.named_parameters()]
        torch._foreach_lerp_(list(self.mean.values()), current, 1.0 - weight)

    def restore(self, mean: dict[str, Tensor], steps: int) -> None:
        """Go on from a saved mean.

        Raises
        ------
        KeyError
            A parameter has no mean.
        """
        for name, own in self.mean.items():
            own.copy_(mean[name])
        self.steps = steps

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the mean as its parameters, while this lasts."""
        if not self.decay:
            yield
            return
        parameters = dict(self.model.named_parameters())
        own = {name: p.detach().clone() for name, p in parameters.items()}
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(values[name])
