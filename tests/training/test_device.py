"""A step as on a GPU, on tensors of the host: the same step, and nothing in it asks the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from micrec_core.errors import RunError
from micrec_core.graphs import fast
from micrec_core.method import contrast
from micrec_core.training.checkpoint import load_checkpoint
from micrec_core.training.trainer import Trainer

RECIPE = {"views": 0.3, "leave_out": True, "epochs": 1, "weight_decay": 0.1}
# What a GPU answers to only when all before it is done: a number, or a size that depends on data.
_WAITS = ("_local_scalar_dense", "_unique2", "unique", "nonzero", "masked_select", "equal", "item")


class _Asked(TorchDispatchMode):
    """Keeps the names of operations that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.__name__.split(".")[0]
        if name in _WAITS:
            self.names.append(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def as_on_a_gpu(made: Trainer) -> Iterator[Trainer]:
    """All that asks where it is answers that it is not the host."""
    made.on_host = False
    with fast.plain():
        yield made


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "distinct", contrast.marked)


@pytest.mark.parametrize("model", [{}, {"name": "inmo"}, {"name": "lightgcn"}])
def test_an_epoch_is_that_of_the_host(trainer, marks, model) -> None:
    training = RECIPE if not model else {"epochs": 1}
    here, there = trainer(model, training), trainer(model, training)
    records: list[dict[str, float]] = []
    here.on_epoch = there.on_epoch = lambda record, _: records.append(record["loss"])
    here.fit()
    with as_on_a_gpu(there):
        there.fit()
    assert records[0].keys() == records[1].keys()
    for name, value in records[0].items():
        assert records[1][name] == pytest.approx(value, rel=1e-4, abs=1e-6), name


def test_nothing_in_a_step_waits(trainer, marks) -> None:
    made = trainer({}, RECIPE)
    with as_on_a_gpu(made):
        orders = [torch.randperm(len(u)) for u in made.users]
        made.model.train()
        with _Asked() as asked:
            told = made._step(orders, 0, 2)
            # The rows of a batch are drawn on the host for the seeds of dropout alone.
            seeds = len(made.users)
        assert asked.names.count("_local_scalar_dense") <= seeds
        assert set(asked.names) <= {"_local_scalar_dense"}
        with _Asked() as asked:
            float(told["ranking"])
        assert asked.names == ["_local_scalar_dense"], "and this would have been seen"


def test_a_loss_that_is_no_number_is_told_at_the_end_of_the_epoch(trainer, marks) -> None:
    made = trainer({}, RECIPE | {"epochs": 2})
    inner, calls = made.objective, []

    def spoil(batches, drops, generator):
        terms = inner(batches, drops, generator)
        calls.append(1)
        return terms | {"views": terms["views"] * float("nan")} if len(calls) == 2 else terms

    made.objective = spoil  # type: ignore[assignment]
    with as_on_a_gpu(made), pytest.raises(RunError, match=r"became nan in epoch 1, batch 2;"):
        made.fit()


def test_a_checkpoint_keeps_what_is_drawn_on_the_device_too(trainer, tmp_path) -> None:
    """Two generators, as on a GPU: a resumed training draws what an unbroken one does."""

    def begun(epochs: int, folder=None) -> Trainer:
        made = trainer({}, {"epochs": epochs}, checkpoint=folder)
        made.drawing = torch.Generator().manual_seed(5)
        return made

    whole = begun(4)
    whole.fit()
    first = begun(4, tmp_path)
    first.settings = first.settings.model_copy(update={"epochs": 2})
    first.fit()
    second = begun(4, tmp_path)
    load_checkpoint(tmp_path, second)
    second.fit()
    assert torch.equal(whole.drawing.get_state(), second.drawing.get_state())
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
