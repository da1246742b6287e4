"""``train_run``: from a folder of tables to a run that can be served, explained and audited."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.answering.references import references
from micrec_core.config import RunSettings
from micrec_core.data import Dataset
from micrec_core.data.progress import Progress, silent
from micrec_core.engines import HERE, Engine
from micrec_core.evaluation.leaks import require_disjoint
from micrec_core.evaluation.parallel import sharing_cores
from micrec_core.method.inductive import encode_by_source
from micrec_core.modalities.registry import nouns
from micrec_core.names import CATALOGUE, MICREC, PARAMETERS, SUMMARY, TUNING, WEIGHTS
from micrec_core.running.beside import Beside, solved_beside
from micrec_core.running.catalogue import catalogue_frame
from micrec_core.running.cost import Clock
from micrec_core.running.ending import marked_at_its_end, stop_on_sigterm
from micrec_core.running.film import Film
from micrec_core.running.fit import Fitted, fit, helping_trainer, parameters
from micrec_core.running.frames import headline, own_frames
from micrec_core.running.record import first_info, neighbour_recall, require_same
from micrec_core.running.snapshots import Snapshots
from micrec_core.running.weights import weights_frame
from micrec_core.runs import RunWriter, live_history
from micrec_core.runs.writer import SCRATCH, is_unbegun
from micrec_core.serving.bundle import write_bundle
from micrec_core.training.prepare import (
    Prepared,
    choose_device,
    encode_material,
    load_dataset,
    prepare,
    require_acting,
)
from micrec_core.training.workers.handed import hand_over
from micrec_core.training.workers.team import Team
from micrec_core.version import __version__

Gather = Callable[[], AbstractContextManager[Team | None]]


@dataclass(frozen=True)
class TrainResult:
    """A finished run in short; ``metrics`` as ``headline`` gives them."""

    run: Path
    model: str
    variant: str
    metrics: dict[str, Any]
    seconds: float
    best_epoch: int


def train_run(
    data: Dataset | Path | str,
    out: Path | str,
    settings: RunSettings,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Progress = silent,
    cache: Path | None = None,
    umap: bool = True,
    baselines: bool = True,
    tuning: pd.DataFrame | None = None,
    team: Gather = nullcontext,
    engine: Engine = HERE,
) -> TrainResult:
    """Train, evaluate and write a run; one of a baseline has nothing that serves it.

    SIGTERM marks the run cancelled and an exception marks it failed, with one sentence; either can
    be resumed, as can a run whose process was killed.

    Parameters
    ----------
    data : a folder of tables, or what was read of one in the way that the settings ask for
    out : the run's directory, new or empty unless ``resume``
    device : auto, cpu or cuda
    resume : go on with a run of the same settings and data from its last checkpoint that is whole;
        starts where it was stopped before there was one
    progress : told what is being done
    cache : folder of encoded features; None keeps none
    umap : lay snapshots out by UMAP too, where umap-learn is installed
    baselines : set cheap baselines beside a MICRec (``running.beside``)
    tuning : what was tried before these settings were found (``running.tune``), to be kept
    team : gathers who trains with this process, once features are encoded; nobody by default
    engine : what encodes and finds neighbours

    Raises
    ------
    DataError, ConfigError
        The tables or the settings are not usable; nothing has been written.
    RunError
        Training failed, or there is nothing of these settings to resume.
    """
    clock, said = Clock(), settings
    with stop_on_sigterm():
        device = choose_device(device)
        with clock.part("read"):
            dataset, split = load_dataset(data, settings, progress)
            require_disjoint(dataset, split)
            require_acting(settings.model.without, dataset, split)
            settings = settings.suited(split.per_user)
        resume = resume and not is_unbegun(Path(out))
        if resume:
            require_same(Path(out), settings, dataset, device)
        writer = RunWriter(Path(out), first_info(dataset, settings, device), resume)
        with marked_at_its_end(writer):
            if tuning is not None:
                writer.write_parquet(TUNING, tuning)
            progress(f"encoding {nouns()}", 0, 0)
            with clock.part("encode"):
                material = encode_material(dataset, split, settings, device, cache, engine)
            with team() as others, sharing_cores(1 if others is None else others.here):
                progress("finding neighbours", 0, 0)
                with clock.part("neighbours"):
                    prepared = prepare(material, settings, device, engine)
                encoders = {m: e.label for m, e in prepared.features.encoders.items()}
                names = [domain.name for domain in dataset.domains]
                recall = neighbour_recall(names, prepared.knowledge)
                writer.update(encoders=encoders, neighbour_recall=recall)
                if others is not None:
                    writer.update(workers=others.size)
                    edges = [part.train for part in split.domains]
                    hand_over(writer.path / SCRATCH, prepared.inputs, edges, split.per_user)
                    others.require_same(_told(said))
                with clock.training(device):
                    aligned = not settings.model.is_baseline
                    snapshots = Snapshots(writer, prepared) if aligned else None
                    alone = not resume and others is None
                    film = Film(snapshots, whole=alone) if snapshots is not None else None
                    fitted = _fit(writer, prepared, snapshots, film, resume, progress, others)
            beside = Beside([])
            if baselines and settings.model.name == MICREC:
                with clock.part("baselines"):
                    beside = solved_beside(prepared, fitted.seconds, progress)
            return _write(writer, prepared, fitted, snapshots, film, beside, umap, clock, progress)


def help_train(
    out: Path | str, settings: RunSettings, *, device: str = "auto", team: Gather
) -> None:
    """Take part in the training of a ``train_run`` that the first of the team makes and writes.

    Parameters
    ----------
    out : the run's directory, where the first one hands over what is trained on
    settings : as it was given them

    Raises
    ------
    ConfigError
        There is no such device.
    RunError
        Another worker is gone, or was told of other settings, or the run cannot be seen from here.
    """
    with stop_on_sigterm(), team() as others:
        assert others is not None
        choose_device(device)
        with sharing_cores(others.here):
            others.require_same(_told(settings))
            helping_trainer(settings, others, Path(out) / SCRATCH).fit()


def _told(settings: RunSettings) -> str:
    """What all workers of a training must have been told alike."""
    return f"{settings.model_dump_json()} {__version__}"


def _fit(
    writer: RunWriter,
    prepared: Prepared,
    snapshots: Snapshots | None,
    film: Film | None,
    resume: bool,
    progress: Progress,
    team: Team | None,
) -> Fitted:
    """Fit, the run's history and checkpoint kept; seconds of what was done before it count too."""
    before = live_history(writer.path)
    told: list[int] = []

    def on_epoch(record: dict[str, Any]) -> None:
        if not told:
            # A checkpoint is written after the history: what it lacks is trained, and told, again.
            writer.keep_history(record["epoch"] - 1)
        told.append(record["epoch"])
        writer.append_history(record)

    fitted = fit(
        prepared, progress, on_epoch=on_epoch, checkpoint=writer.path / SCRATCH, resume=resume,
        snapshots=snapshots, film=film, team=team,
    )  # fmt: skip
    if len(before):
        kept = before["epoch"] < min(told, default=float("inf"))
        fitted = replace(fitted, seconds=fitted.seconds + float(before["seconds"][kept].sum()))
    return fitted


def _write(
    writer: RunWriter,
    prepared: Prepared,
    fitted: Fitted,
    snapshots: Snapshots | None,
    film: Film | None,
    beside: Beside,
    umap: bool,
    clock: Clock,
    progress: Progress,
) -> TrainResult:
    """Everything after training: parameters, metrics, pictures, what serves them, manifest."""
    answerer = fitted.answerer
    if state := parameters(fitted.model):
        writer.write_tensors(PARAMETERS, state)
    with clock.part("catalogue"):
        writer.write_parquet(CATALOGUE, catalogue_frame(prepared, progress))
    with clock.part("evaluate"):
        progress("evaluating", 0, 0)
        own = _evaluate(writer, prepared, fitted, beside)
    if isinstance(answerer, MicrecAnswerer) and snapshots is not None:
        with clock.part("layouts"):
            snapshots.finish(fitted.best_epoch, answerer.encoded, umap, progress)
            if film is not None:
                film.finish(fitted.best_epoch, answerer.encoded, umap, progress)
    # Last, for it lets go of what the others ask of.
    if isinstance(answerer, MicrecAnswerer):
        with clock.part("serving"):
            progress("writing what serves it", 0, 0)
            _write_served(writer, prepared, answerer)
    writer.finish(
        best_epoch=fitted.best_epoch,
        n_parameters=own.n_parameters,
        peak_mb=clock.peak_mb,
        timings={name: round(seconds, 3) for name, seconds in clock.timings.items()},
        unreadable_images=len(prepared.features.unreadable),
        baselines=beside.seconds,
        left_out=beside.left_out,
    )
    named = own.model, own.variant, own.metrics
    return TrainResult(writer.path, *named, clock.total, fitted.best_epoch)


class _Evaluated(NamedTuple):
    """What is left of a model's answers once their metrics are written."""

    model: str
    variant: str
    n_parameters: int
    metrics: dict[str, Any]


def _evaluate(writer: RunWriter, prepared: Prepared, fitted: Fitted, beside: Beside) -> _Evaluated:
    """Write the metrics of the model and of what stands beside it."""
    answerer, asked = fitted.answerer, prepared.material.questions
    own = answerer.outcome(asked, fitted.seconds)
    frames = own_frames(prepared, own, references(answerer, asked), beside.outcomes)
    for relative, frame in frames.items():
        writer.write_parquet(relative, frame)
    metrics = headline(frames[SUMMARY], own.model, own.variant)
    return _Evaluated(own.model, own.variant, int(own.n_parameters), metrics)


def _write_served(writer: RunWriter, prepared: Prepared, answerer: MicrecAnswerer) -> None:
    """What answers, and the weights of its gates, both of embeddings kept apart by source.

    By source a million users take gigabytes: bridges and memories are fitted before, and what the
    answerer holds of the model, but for users and items, goes.
    """
    fitted_to = answerer.bridges, answerer.memories
    del answerer.encoded
    by_source = encode_by_source(answerer.model, prepared.inputs)
    write_bundle(writer, prepared, answerer.model, by_source, *fitted_to)
    writer.write_parquet(WEIGHTS, weights_frame(prepared, answerer.model, by_source))
