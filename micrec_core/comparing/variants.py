"""The full model beside everything it is compared with, trained on the very same split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from micrec_core.answering.answers import answerer_of
from micrec_core.answering.references import references
from micrec_core.baselines import models
from micrec_core.config import ModelSettings, RunSettings, make_settings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.evaluation.questions import Outcome, tabulate
from micrec_core.evaluation.tables import (
    Result,
    pool_seeds,
    summary_table,
    variants_table,
)
from micrec_core.mechanisms import MECHANISMS
from micrec_core.names import FULL_MODEL, MICREC, SUMMARY, VARIANTS
from micrec_core.running.evaluate import load_model, reopen
from micrec_core.running.fit import fit
from micrec_core.running.frames import comparison_frames
from micrec_core.runs import Run, RunWriter, open_run
from micrec_core.training.prepare import Prepared, prepare

# Baselines that are trained where nobody says which.
BESIDE = ("inmo", "lightgcn")


def train_variants(
    run_path: Path | str,
    dataset_path: Path | str,
    *,
    names: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    progress: Progress = silent,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Train variants and baselines of a complete run's model and add the comparison to the run.

    Rewrites the run's ``metrics/variants``, ``summary``, ``degree``, ``cutoff`` and ``beyond``
    with rows for all of them; should it be stopped, the run is as it was.

    Parameters
    ----------
    run_path : of a full micrec
    dataset_path : the tables it was trained on
    names : mechanisms to do without and baselines to train; all by default
    seeds : with more than one, everything is trained with each, the full model too, and rows
        averaged over seeds are added; the run's own seed by default

    Returns
    -------
    the content of ``metrics/variants.parquet``

    Raises
    ------
    ConfigError
        A name is unknown, or the run is not of the full model.
    """
    run = open_run(run_path)
    require_full(run)
    full = reopen(run, dataset_path, device, progress, cache)
    wanted = _wanted(names, full.features.modalities)
    own, beside = _own(run, full)
    outcomes = [own]
    for seed in dict.fromkeys((full.settings.seed, *(seeds or ()))):
        if seed != full.settings.seed:
            outcomes.append(_trained(full, full.settings.model, seed, progress))
        outcomes += [_trained(full, model, seed, progress) for model in wanted]
    progress("comparing", 0, 0)
    return _add(run, full, outcomes, beside)


def require_full(run: Run) -> None:
    """Refuse a run of anything but the full model."""
    if (run.info.model, run.info.variant) != FULL_MODEL:
        raise ConfigError(
            f"run '{run.name}' is of {run.info.model} without {', '.join(run.info.without)}; "
            "compare variants with a run of the full micrec"
        )


def add_frames(run: Run, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write tables into a complete run; should it be stopped, the run is as it was."""
    writer = RunWriter.amend(run.path)
    try:
        for relative, frame in frames.items():
            writer.write_parquet(relative, frame)
        writer.finish()
    except BaseException:
        writer.cancel()
        raise


def variant_settings(names: Iterable[str]) -> list[ModelSettings]:
    """Model settings of each name: a mechanism to do without, or a baseline."""
    # Popularity stands beside every model in any case.
    known = [name for name in models() if name not in (MICREC, "popularity")]
    out = []
    for name in names:
        if name in known:
            out.append(make_settings(ModelSettings, {"name": name}))
        elif name in MECHANISMS:
            out.append(make_settings(ModelSettings, {"without": (name,)}))
        else:
            there = ", ".join((*MECHANISMS, *known))
            raise ConfigError(f"there is no variant or baseline '{name}'; there are: {there}")
    return out


def _wanted(names: Sequence[str] | None, modalities: tuple[str, ...]) -> list[ModelSettings]:
    """What to train; by default nothing that differs from the full model in name only."""
    if names is not None:
        return variant_settings(names)
    own = [n for n, m in MECHANISMS.items() if not m.modality or m.lost(modalities)]
    return variant_settings([*own, *BESIDE])


def _own(run: Run, full: Prepared) -> tuple[Outcome, list[Outcome]]:
    """The run's own model and its references."""
    answerer = answerer_of(full, load_model(run, full))
    asked = full.material.questions
    history = run.history()
    seconds = float(history["seconds"].sum()) if len(history) else float("nan")
    return answerer.outcome(asked, seconds), references(answerer, asked)


def _trained(full: Prepared, model: ModelSettings, seed: int, progress: Progress) -> Outcome:
    prepared = prepare(full.material, _like(full.settings, model, seed), full.device)
    label = f"{model.name} without {model.without[0]}" if model.without else model.name
    fitted = fit(prepared, progress, f"{label}, seed {seed}")
    return fitted.answerer.outcome(full.material.questions, fitted.seconds)


def _like(settings: RunSettings, model: ModelSettings, seed: int) -> RunSettings:
    """The same settings for another model: its name and what it goes without change."""
    own = {"name": model.name, "without": model.without, "options": model.options}
    return settings.of(settings.model.model_copy(update=own), seed)


def _add(
    run: Run, full: Prepared, outcomes: Sequence[Outcome], beside: Sequence[Outcome]
) -> pd.DataFrame:
    """Write the comparison into the run."""
    popular = beside[0]
    several = len({o.seed for o in outcomes}) > 1
    # Popularity knows no seed: it stands beside the models of each.
    compared = [*outcomes, *_for_seeds(popular, {o.seed for o in outcomes})]

    def table(results: list[Result]) -> pd.DataFrame:
        return variants_table([*results, *pool_seeds(results)] if several else results)

    variants = tabulate(table, compared)
    same_seed = [o for o in outcomes if o.seed == full.settings.seed]
    plain = [o for o in same_seed if o.variant == "full"]
    frames = {
        VARIANTS: variants,
        SUMMARY: tabulate(summary_table, [*plain, *beside]),
    } | comparison_frames(full, [*same_seed, popular])
    add_frames(run, frames)
    return variants


def _for_seeds(outcome: Outcome, seeds: Iterable[int]) -> list[Outcome]:
    return [
        Outcome(outcome.model, outcome.variant, seed, outcome.answers) for seed in sorted(seeds)
    ]
