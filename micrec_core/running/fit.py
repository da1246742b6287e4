"""Fitting one model on prepared inputs, chosen by validation on a fixed sample of users."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from micrec_core.answering.answers import (
    Answerer,
    EmbeddingAnswerer,
    Model,
    answerer_of,
    array,
    embed,
    embedding_answerer,
    validation_questions,
)
from micrec_core.baselines import Baseline, ClosedForm
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError, RunError
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.names import HEADLINE
from micrec_core.running.film import Film
from micrec_core.running.snapshots import Snapshots, wanted
from micrec_core.training.build import build_any, effective_training
from micrec_core.training.checkpoint import load_checkpoint
from micrec_core.training.prepare import Prepared
from micrec_core.training.trainer import OnEpoch, Trainer, Validate
from micrec_core.training.workers.handed import handed
from micrec_core.training.workers.shared_trainer import ALONE, SharedTrainer
from micrec_core.training.workers.team import Team

_CUTOFF = 20
_SEED = 0


@dataclass(frozen=True)
class Fitted:
    """A fitted model, its best epoch in place, and what answers for it.

    Attributes
    ----------
    best_epoch : 0 where it was solved and not trained
    seconds : of its epochs, or of its solution
    score : what it was chosen by, of the best epoch: validation NDCG@20, domains added up
    """

    answerer: Answerer
    best_epoch: int
    seconds: float
    score: float

    @property
    def model(self) -> Model:
        return self.answerer.model


def fit(
    prepared: Prepared,
    progress: Progress = silent,
    label: str = "training",
    *,
    on_epoch: Callable[[dict[str, Any]], None] = lambda record: None,
    checkpoint: Path | None = None,
    resume: bool = False,
    snapshots: Snapshots | None = None,
    film: Film | None = None,
    team: Team | None = None,
) -> Fitted:
    """Train the model that the settings name, or solve it.

    Parameters
    ----------
    on_epoch : told of every epoch's record; of epoch 0 where the model is solved
    checkpoint : folder that every epoch is saved into; None keeps nothing
    resume : go on from the checkpoint, where there is one
    snapshots : taken of chosen epochs; what they tell of alignment joins the records
    film : taken at chosen steps
    team : who trains with this process, which is its first
    """
    settings = prepared.settings
    model = build_any(settings.model, prepared.inputs, settings.seed)
    questions = validation_questions(prepared, prepared.training.validation_users)
    if isinstance(model, ClosedForm):
        progress(label, 0, 0)
        solved = _solved(model, prepared, questions, team)
        on_epoch({"epoch": 0, "seconds": solved.seconds})
        return solved
    if snapshots is not None and 0 not in set(snapshots.alignment["epoch"]):
        # Without a name here: five tables of all users would stay for as long as the training.
        _take_start(embed(model, prepared.inputs), snapshots, film)
    epochs, seconds = prepared.training.epochs, 0.0
    # Of the epoch at hand, where it was validated: the same parameters give the same.
    latest: list[EmbeddingAnswerer] = []

    def check(model: MICRec | Baseline) -> dict[str, Any]:
        latest[:] = [embedding_answerer(prepared, model)]
        watched = {} if snapshots is None else {"alignment": snapshots.watch(latest[0].encoded)}
        return validate(latest[0], questions) | watched

    def told(record: dict[str, Any], model: MICRec | Baseline) -> None:
        nonlocal seconds
        if snapshots is not None and wanted(record["epoch"]):
            encoded = latest[0].encoded if latest else embed(model, prepared.inputs)
            snapshots.take(record["epoch"], encoded)
        if film is not None and latest:
            film.take(record["epoch"], latest[0].encoded)
        if trainer.state.best_epoch < epochs:  # else it is what the training ends in
            latest.clear()
        seconds += record["seconds"]
        on_epoch(record)
        progress(label, record["epoch"], epochs)

    trainer = make_trainer(prepared, model, check, told, checkpoint, film, team)
    _start(trainer, resume, team)
    progress(label, trainer.state.epoch, epochs)
    state = trainer.fit()
    if isinstance(model, Baseline):
        started = time.perf_counter()
        model.finish(prepared.inputs, torch.Generator().manual_seed(settings.seed + 2))
        seconds += time.perf_counter() - started
        latest.clear()
    answerer = latest[0] if latest else answerer_of(prepared, model)
    return Fitted(answerer, state.best_epoch, seconds, state.best_score)


def _take_start(start: Sequence[Encoded], snapshots: Snapshots, film: Film | None) -> None:
    """What there is before the first step."""
    snapshots.take(0, start)
    if film is not None:
        film.take(0, start)


def _solved(
    model: ClosedForm, prepared: Prepared, questions: Sequence[Question], team: Team | None
) -> Fitted:
    if team is not None:
        raise ConfigError(ALONE)
    seconds = solve(model, prepared)
    answerer = answerer_of(prepared, model)
    return Fitted(answerer, 0, seconds, validate(answerer, questions)["score"])


def helping_trainer(settings: RunSettings, team: Team, folder: Path) -> Trainer:
    """The trainer by which another than the first of a team takes part in a ``fit``.

    Parameters
    ----------
    settings : as the first worker was given them
    folder : of its checkpoints, where it has handed over what is trained on

    Raises
    ------
    RunError
        This machine does not see the folder.
    """
    inputs, edges, per_user = handed(folder)
    settings = settings.suited(per_user)
    model = build_any(settings.model, inputs, settings.seed)
    if isinstance(model, ClosedForm):
        raise ConfigError(ALONE)
    training = effective_training(settings.model, settings.training)
    known = inputs, edges, training, settings.seed
    trainer = SharedTrainer(team, model, *known, lambda own: {}, checkpoint=folder)
    _start(trainer, False, team)
    return trainer


def _start(trainer: Trainer, resume: bool, team: Team | None) -> None:
    """Put a trainer where it goes on from; of a team the first one says whether it does."""
    if team is not None:
        resume = bool(team.told(float(resume)))
    if resume and trainer.checkpoint is not None:
        load_checkpoint(trainer.checkpoint, trainer)


def make_trainer(
    prepared: Prepared,
    model: MICRec | Baseline,
    validate: Validate,
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | None = None,
    film: Film | None = None,
    team: Team | None = None,
) -> Trainer:
    """A trainer at its start; of a team it takes no film, for which all would have to stop."""
    edges = [part.train for part in prepared.split.domains]
    known = prepared.inputs, edges, prepared.training, prepared.settings.seed
    if team is not None:
        return SharedTrainer(team, model, *known, validate, on_epoch, checkpoint)
    look = None if film is None else film.look
    return Trainer(model, *known, validate, on_epoch, checkpoint, look)


def parameters(model: Model) -> dict[str, NDArray[np.float32]]:
    """What is stored of a fitted model; nothing where it is solved again when it is needed."""
    if isinstance(model, ClosedForm):
        return {}
    return {name: array(value) for name, value in model.state_dict().items()}


def restore(prepared: Prepared, stored: Callable[[], Mapping[str, NDArray]], where: str) -> Model:
    """A fitted model again, from its stored parameters or solved once more.

    Parameters
    ----------
    where : what errors call the place that stores them, such as ``run 'sample'``

    Raises
    ------
    RunError
        The parameters have other shapes than the settings ask for.
    """
    settings = prepared.settings
    model = build_any(settings.model, prepared.inputs, settings.seed)
    if isinstance(model, ClosedForm):
        solve(model, prepared)
        return model
    state = {name: torch.from_numpy(value) for name, value in stored().items()}
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise RunError(
            f"{where} has parameters of another shape than its settings ask for; "
            "it was written by another version: train it anew"
        ) from None
    return model


def solve(model: ClosedForm, prepared: Prepared) -> float:
    """Solve a model that is not trained; the seconds that took."""
    started = time.perf_counter()
    model.solve(prepared.knowledge, prepared.device)
    return time.perf_counter() - started


def validate(answerer: Answerer, questions: Sequence[Question]) -> dict[str, Any]:
    """The selection score (NDCG@20 summed over domains) and the metrics of each domain."""
    found: dict[str, dict[str, float]] = {}
    for question in questions:
        answer = answerer.answer(question, _CUTOFF)
        assert answer is not None
        metrics = ranking_metrics(answer.ranked, question.positives, (_CUTOFF,))
        names = [HEADLINE, f"recall@{_CUTOFF}"]
        found[question.domain] = {name: float(metrics[name].mean()) for name in names}
    return {"score": sum(values[HEADLINE] for values in found.values()), "valid": found}
