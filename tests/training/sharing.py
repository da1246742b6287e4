"""What the workers of ``test_workers`` do; a module, so that processes can be started on it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from micrec_core.config import ModelSettings, TrainSettings, make_settings
from micrec_core.errors import RunError
from micrec_core.training.build import effective_training
from micrec_core.training.checkpoint import load_checkpoint
from micrec_core.training.trainer import Trainer
from micrec_core.training.workers.shared_trainer import SharedTrainer
from micrec_core.training.workers.team import Team, joined
from tests.method import worlds
from tests.training.conftest import QUICK


@dataclass(frozen=True)
class Case:
    """A training, and what becomes of its workers.

    Attributes
    ----------
    killed : (worker, epoch) that is killed amid, once
    checkpoint : folder that it is saved into, and gone on from where ``resume``
    """

    name: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    killed: tuple[int, int] | None = None
    checkpoint: str | None = None
    resume: bool = False


# More than twenty steps, with every term of the loss.
LONG = {"epochs": 4, "patience": 99}
FULL = LONG | {"leave_out": True, "views": 0.3, "weight_decay": 0.4, "schedule": "cosine"}
CASES = [
    Case("plain", {}, LONG),
    Case("full", {"dim": 64}, FULL),
    Case("bpr", {}, LONG | {"loss": "bpr", "average": 0.0}),
    Case("lightgcn", {"name": "lightgcn"}, LONG),
    Case("inmo", {"name": "inmo"}, LONG),
]
# One step over everything, whose bytes are counted.
STEP = Case("step", {}, FULL | {"epochs": 1, "steps": 1, "batch_size": 8192})


def make(case: Case, team: Team | None, told: list[Any]) -> Trainer:
    """The trainer of one process or of a worker; ``told`` gets every epoch's loss."""
    world = worlds.small()
    model, inputs = world.build(0, **case.model)
    named = make_settings(ModelSettings, case.model)
    training = effective_training(named, make_settings(TrainSettings, {**QUICK, **case.training}))
    folder = None if case.checkpoint is None else Path(case.checkpoint)

    def validate(whole: Any) -> dict[str, Any]:
        return {"score": float(sum(p.detach().abs().sum() for p in whole.parameters()))}

    rest = world.edges, training, 0, validate, lambda record, _: told.append(record["loss"]), folder
    if team is None:
        return Trainer(model, inputs, *rest)
    return SharedTrainer(team, model, inputs, *rest)


def train(case: Case, team: Team | None) -> tuple[dict[str, torch.Tensor], list[Any]]:
    """The trained model, whole on the first worker, and the losses of its epochs.

    Of what a worker sends, what it sent before its first step is forgotten.
    """
    told: list[Any] = []
    trainer = make(case, team, told)
    if team is not None:
        team.sent.clear()
    whole = trainer._complete if isinstance(trainer, SharedTrainer) else trainer.model
    if case.resume:
        load_checkpoint(Path(str(case.checkpoint)), trainer)
    if case.killed is not None and team is not None and team.rank == case.killed[0]:
        end_in(trainer, case.killed[1])
    trainer.fit()
    return ({} if whole is None else whole.state_dict()), told


def end_in(trainer: Trainer, epoch: int) -> None:
    """Let this process be killed in the second step of an epoch, between two exchanges."""
    inner, steps = trainer.objective, []

    def objective(*given: Any) -> Any:
        steps.append(trainer.state.epoch)
        if steps.count(epoch - 1) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*given)

    trainer.objective = objective  # type: ignore[assignment]


def work(variables: dict[str, str], cases: list[Case], folder: str) -> None:
    """Take part in the trainings, one after the other; the first worker writes what comes out."""
    torch.set_num_threads(1)
    place = Path(folder)
    with joined(variables) as team:
        for case in cases:
            try:
                state, told = train(case, team)
            except RunError as error:
                (place / f"{case.name}-{team.rank}.txt").write_text(str(error))
                return
            about = {"case": asdict(case), "losses": told, "sent": dict(team.sent)}
            (place / f"{case.name}-{team.rank}.json").write_text(json.dumps(about))
            if team.leads:
                save_file(state, place / f"{case.name}.safetensors")
