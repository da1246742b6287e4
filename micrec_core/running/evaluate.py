"""Evaluating a finished run again, from its parameters and the dataset it was trained on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.answering.answers import Model, answerer_of
from micrec_core.answering.references import references
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError, RunError
from micrec_core.evaluation.metric_frames import summary_table
from micrec_core.evaluation.questions import Outcome, Question, tabulate
from micrec_core.modalities.registry import nouns
from micrec_core.names import PARAMETERS, SUMMARY
from micrec_core.protocols import MASKS, PROTOCOLS
from micrec_core.running.fit import restore
from micrec_core.running.frames import headline
from micrec_core.running.record import settings_of
from micrec_core.runs import Run, open_run
from micrec_core.training.prepare import (
    Prepared,
    choose_device,
    encode_material,
    load_dataset,
    prepare,
)


@dataclass(frozen=True)
class Evaluation:
    """What was measured; ``metrics`` as ``headline`` gives them, ``summary`` with references.

    ``mask`` is of ``protocols.MASKS``.
    """

    run: Path
    model: str
    metrics: dict[str, Any]
    summary: pd.DataFrame
    seconds: float
    best_epoch: int
    mask: str


def evaluate_run(
    path: Path | str,
    dataset_path: Path | str | None = None,
    *,
    protocol: str = "all",
    mask: str | None = None,
    device: str = "auto",
    progress: Progress = silent,
    cache: Path | None = None,
) -> Evaluation:
    """The metrics of a run: those it holds, or measured anew; the run is not changed.

    Parameters
    ----------
    dataset_path : the tables it was trained on, to measure anew; None reads what the run holds
    protocol : one of PROTOCOLS, or all
    mask : of MASKS; the run's own by default, another is measured anew

    Raises
    ------
    ConfigError
        The protocol or mask is unknown, the run's split does not withhold what is asked about, or
        its figures are under another mask and there is no dataset.
    RunError
        The run is damaged, or the dataset is another.
    """
    if protocol != "all" and protocol not in PROTOCOLS:
        raise ConfigError(
            f"there is no protocol '{protocol}'; there are: {', '.join(PROTOCOLS)} and all"
        )
    if mask is not None and mask not in MASKS:
        raise ConfigError(f"there is no mask '{mask}'; there are: {' and '.join(MASKS)}")
    started = time.perf_counter()
    run = open_run(path)
    mask = mask or run.info.mask
    if dataset_path is None and mask != run.info.mask:
        raise ConfigError(
            f"run '{run.name}' holds figures under the mask '{run.info.mask}'; give --dataset to "
            f"measure under '{mask}'"
        )
    if dataset_path is None:
        summary = run.frame(SUMMARY)
    else:
        prepared = reopen(run, dataset_path, device, progress, cache, mask)
        asked = [q for q in prepared.material.questions if protocol in ("all", q.protocol)]
        progress("evaluating", 0, 0)
        summary = tabulate(summary_table, _outcomes(run, prepared, asked))
    if protocol != "all":
        summary = summary[summary["protocol"] == protocol]
        if summary.empty:
            raise ConfigError(
                f"run '{run.name}' was trained on the {run.info.split} split, which withholds "
                f"nothing for '{protocol}'; train one with --split inductive"
            )
    metrics = headline(summary, run.info.model, run.info.variant)
    return Evaluation(
        run.path,
        run.info.model,
        metrics,
        summary,
        time.perf_counter() - started,
        int(run.info.best_epoch or 0),
        mask,
    )


def _outcomes(run: Run, prepared: Prepared, asked: Sequence[Question]) -> list[Outcome]:
    """The run's model first, then its references."""
    answerer = answerer_of(prepared, load_model(run, prepared))
    return [answerer.outcome(asked), *references(answerer, asked)]


def reopen(
    run: Run,
    dataset_path: Path | str,
    device: str,
    progress: Progress,
    cache: Path | None,
    mask: str | None = None,
) -> Prepared:
    """Everything that the run's model was trained on, asked under ``mask`` or the run's own.

    Raises
    ------
    RunError
        The dataset is not the one of the run.
    """
    settings = settings_of(run.info)
    settings = settings.model_copy(update={"mask": mask or settings.mask})
    device = choose_device(device)
    dataset, split = load_dataset(dataset_path, settings, progress)
    if run.info.dataset is None or run.info.dataset.fingerprint != dataset.fingerprint:
        raise RunError(
            f"run '{run.name}' was trained on other data than dataset '{dataset.name}' holds now; "
            "give the tables that it was trained on"
        )
    progress(f"encoding {nouns()}", 0, 0)
    material = encode_material(dataset, split, settings, device, cache)
    progress("finding neighbours", 0, 0)
    return prepare(material, settings, device)


def load_model(run: Run, prepared: Prepared) -> Model:
    """The run's model; RunError where its parameters do not fit the dataset and settings."""
    return restore(prepared, lambda: run.tensors(PARAMETERS), f"run '{run.name}'")
