"""The run of a baseline: parameters, history, metrics and catalogue; nothing that serves it."""

from __future__ import annotations

from typing import Any

from micrec_core.answering.answers import array, popularity_outcome
from micrec_core.answering.baselines import answerer_of, rival_outcome
from micrec_core.baselines import Baseline, ClosedForm
from micrec_core.data.progress import Progress
from micrec_core.names import CATALOGUE, SUMMARY
from micrec_core.running.catalogue import catalogue_frame
from micrec_core.running.clock import CHECKPOINT, PARAMETERS, Clock, TrainResult, end_run
from micrec_core.running.fit import FittedRival, fit_rival
from micrec_core.running.frames import own_frames
from micrec_core.runs import RunWriter
from micrec_core.training.prepare import Prepared


def train_rival(
    writer: RunWriter, prepared: Prepared, resume: bool, clock: Clock, progress: Progress
) -> TrainResult:
    """Train, evaluate and write the baseline that the settings name.

    What is solved in closed form keeps no parameters: it is solved again when it is needed.
    """
    with clock.training(prepared.device):
        fitted = _fit(writer, prepared, resume, progress)
    model = fitted.model
    if isinstance(model, Baseline):
        state = {name: array(value) for name, value in model.state_dict().items()}
        writer.write_tensors(PARAMETERS, state)
    with clock.part("catalogue"):
        writer.write_parquet(CATALOGUE, catalogue_frame(prepared, progress))
    with clock.part("evaluate"):
        progress("evaluating", 0, 0)
        answerer = answerer_of(prepared, model)
        own = rival_outcome(answerer, prepared.material.questions, fitted.seconds)
        others = [] if own.model == "popularity" else [popularity_outcome(prepared)]
        frames = own_frames(prepared, own, others)
        for relative, frame in frames.items():
            writer.write_parquet(relative, frame)
    summary = frames[SUMMARY]
    return end_run(writer, prepared, own, summary, fitted.best_epoch, clock)


def _fit(writer: RunWriter, prepared: Prepared, resume: bool, progress: Progress) -> FittedRival:
    def on_epoch(record: dict[str, Any], model: Baseline) -> None:
        # A checkpoint is written after the history: what it lacks is trained, and told, again.
        writer.keep_history(int(record["epoch"]) - 1)
        writer.append_history(record)

    folder = writer.path / CHECKPOINT
    fitted = fit_rival(prepared, progress, "training", on_epoch, folder, resume)
    if isinstance(fitted.model, ClosedForm):
        writer.keep_history(-1)
        writer.append_history({"epoch": 0, "seconds": fitted.seconds})
    return fitted
