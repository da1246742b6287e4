"""Training one model on prepared inputs, chosen by validation on a fixed sample of users."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from micrec_core.answering.answers import array
from micrec_core.answering.baselines import answerer_of
from micrec_core.baselines import Baseline, ClosedForm
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import Stopped
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.questions import Question
from micrec_core.method.inductive import encode
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.training.build import build_any, build_model
from micrec_core.training.checkpoint import load_checkpoint
from micrec_core.training.prepare import Prepared
from micrec_core.training.trainer import OnEpoch, Trainer, Validate

_CUTOFF = 20
_SEED = 0


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Raise ``Stopped`` where SIGTERM arrives, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Validator:
    """Scores a model on the validation interactions of a fixed sample of users in each domain.

    The model may be MICRec, or a baseline of either kind.
    """

    def __init__(self, prepared: Prepared):
        self.prepared = prepared
        self.inputs = prepared.inputs
        self.questions = _questions(prepared)

    def measure(self, encoded: Sequence[Encoded]) -> dict[str, Any]:
        """The selection score (NDCG@20 summed over domains) and the metrics of each domain."""

        def rank(question: Question) -> NDArray[np.int32]:
            own = encoded[question.place]
            users = array(own.users)[question.users]
            return question.answer(users, array(own.items), _CUTOFF).ranked

        return self._measure(rank)

    def _measure(self, rank: Callable[[Question], NDArray[np.int32]]) -> dict[str, Any]:
        found: dict[str, dict[str, float]] = {}
        for question in self.questions:
            metrics = ranking_metrics(rank(question), question.positives, (_CUTOFF,))
            names = [f"ndcg@{_CUTOFF}", f"recall@{_CUTOFF}"]
            found[question.domain] = {name: float(metrics[name].mean()) for name in names}
        score = sum(values[f"ndcg@{_CUTOFF}"] for values in found.values())
        return {"score": score, "valid": found}

    def __call__(self, model: MICRec | Baseline | ClosedForm) -> dict[str, Any]:
        if isinstance(model, MICRec):
            return self.measure(encode(model, self.inputs))
        answerer = answerer_of(self.prepared, model)

        def rank(question: Question) -> NDArray[np.int32]:
            answer = answerer.answer(question, _CUTOFF)
            assert answer is not None
            return answer.ranked

        return self._measure(rank)


@dataclass(frozen=True)
class Fitted:
    """A trained model, its best epoch in place; ``seconds`` are of its epochs alone.

    ``score`` is what it was chosen by, of the best epoch: validation NDCG@20, domains added up.
    """

    model: MICRec
    encoded: list[Encoded]
    best_epoch: int
    seconds: float
    score: float = float("nan")

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


@dataclass(frozen=True)
class FittedRival:
    """The same of a baseline; epoch 0 where it was solved and not trained."""

    model: Baseline | ClosedForm
    best_epoch: int
    seconds: float
    score: float


def new_model(prepared: Prepared) -> MICRec:
    """The model that the settings name, untrained."""
    return build_model(prepared.settings.model, prepared.inputs, prepared.settings.seed)


def make_trainer(
    prepared: Prepared,
    model: MICRec | Baseline,
    validate: Validate,
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Trainer:
    """A trainer at its start, or where the checkpoint left off."""
    trainer = Trainer(
        model,
        prepared.inputs,
        [part.train for part in prepared.split.domains],
        prepared.training,
        prepared.settings.seed,
        validate,
        on_epoch,
        checkpoint,
    )
    if resume and checkpoint is not None:
        load_checkpoint(checkpoint, trainer)
    return trainer


def fit(prepared: Prepared, progress: Progress = silent, label: str = "training") -> Fitted:
    """Train a model from its start, keeping nothing on disk."""
    epochs, seconds = prepared.training.epochs, [0.0]

    def told(record: dict[str, Any], model: MICRec) -> None:
        seconds.append(float(record["seconds"]))
        progress(label, int(record["epoch"]), epochs)

    model = new_model(prepared)
    state = make_trainer(prepared, model, Validator(prepared), told).fit()
    encoded = encode(model, prepared.inputs)
    return Fitted(model, encoded, state.best_epoch, sum(seconds), state.best_score)


def fit_rival(
    prepared: Prepared,
    progress: Progress = silent,
    label: str = "training",
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> FittedRival:
    """Solve or train the baseline that the settings name, its second stage included.

    Parameters
    ----------
    on_epoch, checkpoint, resume : as of ``make_trainer``
    """
    settings = prepared.settings
    model = build_any(settings.model, prepared.inputs, settings.seed)
    assert not isinstance(model, MICRec)
    validator, started = Validator(prepared), time.perf_counter()
    if isinstance(model, ClosedForm):
        progress(label, 0, 0)
        model.solve([part.train for part in prepared.knowledge.domains], prepared.device)
        seconds = time.perf_counter() - started
        return FittedRival(model, 0, seconds, float(validator(model)["score"]))

    epochs, spent = prepared.training.epochs, [0.0]

    def told(record: dict[str, Any], model: Baseline) -> None:
        spent.append(float(record["seconds"]))
        progress(label, int(record["epoch"]), epochs)
        if on_epoch is not None:
            on_epoch(record, model)

    trainer = make_trainer(prepared, model, validator, told, checkpoint, resume)
    state = trainer.fit()
    started = time.perf_counter()
    model.finish(prepared.inputs, torch.Generator().manual_seed(settings.seed + 2))
    spent.append(time.perf_counter() - started)
    return FittedRival(model, state.best_epoch, sum(spent), state.best_score)


def _questions(prepared: Prepared) -> list[Question]:
    out = []
    most = prepared.training.validation_users
    pairs = zip(prepared.dataset.domains, prepared.split.domains, strict=True)
    for place, (domain, part) in enumerate(pairs):
        wanted = part.valid.matrix(domain.n_users, domain.n_items)
        users = np.flatnonzero(np.diff(wanted.indptr)).astype(np.int64)
        if len(users) == 0:
            continue
        if len(users) > most:
            users = np.sort(np.random.default_rng(_SEED).choice(users, most, replace=False))
        out.append(
            Question(
                "valid",
                domain.name,
                place,
                users,
                domain.user_ids[users],
                wanted[users],
                prepared.knowledge.domains[place].train[users],
                prepared.material.catalogues[place],
            )
        )
    return out
