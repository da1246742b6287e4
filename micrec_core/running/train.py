"""``train_run``: from a folder of tables to a run that can be served, explained and audited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from micrec_core.answering.answers import Answerer, array, popularity_outcome
from micrec_core.config import RunSettings
from micrec_core.data import Dataset
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import MicrecError, Stopped
from micrec_core.evaluation.leaks import require_disjoint
from micrec_core.method.bridge import Bridge
from micrec_core.method.inductive import encode
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.names import CATALOGUE, SUMMARY, WEIGHTS
from micrec_core.running.catalogue import catalogue_frame
from micrec_core.running.clock import CHECKPOINT, PARAMETERS, Clock, TrainResult, end_run
from micrec_core.running.fit import (
    Fitted,
    Validator,
    make_trainer,
    new_model,
    stop_on_sigterm,
)
from micrec_core.running.frames import own_frames
from micrec_core.running.record import first_info, neighbour_recall, require_same
from micrec_core.running.snapshots import Snapshots, wanted
from micrec_core.running.train_baseline import train_rival
from micrec_core.running.weights import weights_frame
from micrec_core.runs import RunWriter, live_history
from micrec_core.training.prepare import (
    Prepared,
    choose_device,
    encode_material,
    load_dataset,
    prepare,
)

__all__ = ["TrainResult", "train_run"]


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
) -> TrainResult:
    """Train, evaluate and write a run; one of a baseline has nothing that serves it.

    SIGTERM marks the run cancelled and an exception marks it failed, with one sentence; either can
    be resumed, as can a run whose process was killed.

    Parameters
    ----------
    data : a folder of tables, or what was read of one in the way that the settings ask for
    out : the run's directory, new or empty unless ``resume``
    device : auto, cpu or cuda
    resume : go on with a run of the same settings and data from its last checkpoint
    progress : told what is being done
    cache : folder of encoded features; None keeps none
    umap : lay snapshots out by UMAP too, where umap-learn is installed

    Raises
    ------
    DataError, ConfigError
        The tables or the settings are not usable; nothing has been written.
    RunError
        Training failed, or there is nothing of these settings to resume.
    """
    clock = Clock()
    with stop_on_sigterm():
        device = choose_device(device)
        with clock.part("read"):
            dataset, split = load_dataset(data, settings)
            require_disjoint(dataset, split)
        if resume:
            require_same(Path(out), settings, dataset)
        writer = RunWriter(Path(out), first_info(dataset, settings, device), resume)
        with _ended_properly(writer):
            progress("encoding texts and pictures", 0, 0)
            with clock.part("encode"):
                material = encode_material(dataset, split, settings, device, cache)
            progress("finding neighbours", 0, 0)
            with clock.part("neighbours"):
                prepared = prepare(material, settings, device)
            encoders = {m: e.label for m, e in prepared.features.encoders.items()}
            names = [domain.name for domain in dataset.domains]
            recall = neighbour_recall(names, prepared.knowledge)
            writer.update(encoders=encoders, neighbour_recall=recall)
            if settings.model.is_baseline:
                return train_rival(writer, prepared, resume, clock, progress)
            with clock.training(device):
                snapshots = Snapshots(writer, prepared)
                fitted = _train(writer, prepared, snapshots, resume, progress)
            return _write(writer, prepared, fitted, snapshots, umap, clock, progress)


def _train(
    writer: RunWriter, prepared: Prepared, snapshots: Snapshots, resume: bool, progress: Progress
) -> Fitted:
    validator, epochs = Validator(prepared), prepared.training.epochs
    model = new_model(prepared)
    if 0 not in set(snapshots.alignment["epoch"]):
        snapshots.take(0, encode(model, prepared.inputs))

    # Of the epoch at hand, where it was validated: the same parameters give the same.
    latest: list[Encoded] = []

    def validate(model: MICRec) -> dict[str, Any]:
        latest[:] = encode(model, prepared.inputs)
        return validator.measure(latest) | {"alignment": snapshots.watch(latest)}

    def on_epoch(record: dict[str, Any], model: MICRec) -> None:
        epoch = record["epoch"]
        if wanted(epoch):
            snapshots.take(epoch, latest or encode(model, prepared.inputs))
        if trainer.state.best_epoch < epochs:  # else it is what the training ends in
            latest.clear()
        writer.append_history(record)
        progress("training", epoch, epochs)

    folder = writer.path / CHECKPOINT
    trainer = make_trainer(prepared, model, validate, on_epoch, folder, resume)
    if resume:
        writer.keep_history(trainer.state.epoch)
    progress("training", trainer.state.epoch, epochs)
    state = trainer.fit()
    seconds = float(live_history(writer.path)["seconds"].sum())
    encoded = latest or encode(model, prepared.inputs)
    return Fitted(model, encoded, state.best_epoch, seconds)


def _write(
    writer: RunWriter,
    prepared: Prepared,
    fitted: Fitted,
    snapshots: Snapshots,
    umap: bool,
    clock: Clock,
    progress: Progress,
) -> TrainResult:
    """Everything after training: parameters, what serves them, metrics, pictures, manifest."""
    model, encoded = fitted.model, fitted.encoded
    state = {name: array(value) for name, value in model.state_dict().items()}
    writer.write_tensors(PARAMETERS, state)
    with clock.part("serving"):
        progress("writing what serves it", 0, 0)
        answerer = Answerer(prepared, model, encoded)
        by_source = encode(model, prepared.inputs, by_source=True)
        write_serving(writer, prepared, fitted, answerer.fitted_bridges)
        writer.write_parquet(CATALOGUE, catalogue_frame(prepared, progress))
    with clock.part("evaluate"):
        progress("evaluating", 0, 0)
        asked = prepared.material.questions
        own = answerer.outcome(asked, seconds=fitted.seconds)
        others = [popularity_outcome(prepared), *answerer.bridges(asked)]
        frames = own_frames(prepared, own, others)
        frames[WEIGHTS] = weights_frame(prepared, model, by_source)
        for relative, frame in frames.items():
            writer.write_parquet(relative, frame)
    with clock.part("layouts"):
        snapshots.finish(fitted.best_epoch, encoded, umap, progress)
    summary = frames[SUMMARY]
    return end_run(writer, prepared, own, summary, fitted.best_epoch, clock)


def write_serving(
    writer: RunWriter,
    prepared: Prepared,
    fitted: Fitted,
    bridges: Mapping[tuple[int, int], Bridge],
) -> None:
    """Write what serves the run, with ``bridges`` between its domains."""
    from micrec_core.serving.bundle import write_bundle

    write_bundle(
        writer,
        dataset=prepared.dataset,
        split=prepared.split,
        knowledge=prepared.knowledge,
        features=prepared.features,
        model=fitted.model,
        encoded=fitted.encoded,
        bridges=bridges,
        extra={},
    )


@contextmanager
def _ended_properly(writer: RunWriter) -> Iterator[None]:
    """Mark the run failed or cancelled where its making does not come to its end."""
    try:
        yield
    except (Stopped, KeyboardInterrupt):
        writer.cancel()
        raise
    except MicrecError as error:
        writer.fail(str(error))
        raise
    except Exception as error:
        writer.fail(sentence(error))
        raise


def sentence(error: BaseException) -> str:
    """An unexpected error in one line."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    kind = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
    return f"{kind}: {said[:300]}" if said else kind
