"""The mean of the parameters, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from micrec_core.training.average import ParameterAverage


def linear(value: float = 0.0) -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(value)
    return model


def follow(values: list[float], decay: float) -> tuple[torch.nn.Linear, ParameterAverage]:
    model = linear()
    average = ParameterAverage(model, decay)
    for value in values:
        with torch.no_grad():
            model.weight.fill_(value)
        average.update()
    return model, average


@given(st.lists(st.floats(-5, 5, width=32), max_size=30), st.floats(0, 0.999))
def test_follows_the_recurrence(values: list[float], decay: float) -> None:
    _, average = follow(values, decay)
    mean = 0.0
    for step, value in enumerate(values):
        weight = min(decay, (1 + step) / (10 + step))
        mean = weight * mean + (1 - weight) * value
    assert average.mean["weight"].item() == pytest.approx(mean, abs=1e-4)


def test_without_decay_the_mean_is_the_parameters() -> None:
    model, average = follow([1.0, -2.0], 0.0)
    with average.in_place():
        assert model.weight.item() == -2.0


def test_the_mean_is_in_place_only_as_long_as_asked_even_when_it_fails() -> None:
    model, average = follow([1.0, 3.0], 0.9)
    with pytest.raises(RuntimeError), average.in_place():
        assert model.weight.item() == average.mean["weight"].item() != 3.0
        raise RuntimeError
    assert model.weight.item() == 3.0


def test_a_saved_mean_goes_on_as_if_it_had_not_stopped() -> None:
    _, average = follow([1.0, 3.0, 2.0], 0.9)
    other = ParameterAverage(linear(7.0), 0.9)
    other.restore({"weight": average.mean["weight"].clone()}, average.steps)
    for held in (average, other):
        with torch.no_grad():
            held.model.weight.fill_(-1.0)
        held.update()
    assert np.array_equal(average.mean["weight"].numpy(), other.mean["weight"].numpy())


def test_the_mean_of_another_model_is_refused() -> None:
    with pytest.raises(KeyError):
        ParameterAverage(linear(), 0.9).restore({}, 3)
