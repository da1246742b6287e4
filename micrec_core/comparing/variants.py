"""The full model beside others, added to a complete run: on the same split, or trained on less."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.answering.answers import Answerer, MicrecAnswerer, answerer_of
from micrec_core.answering.references import references
from micrec_core.baselines import models
from micrec_core.comparing.compare import TRAININGS, work
from micrec_core.comparing.curves import curve_frames
from micrec_core.comparing.plan import Contender, Plan
from micrec_core.comparing.trainings import Bench
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.evaluation.metric_frames import summary_table, variants_table
from micrec_core.evaluation.questions import Outcome, tabulate
from micrec_core.evaluation.stress import check_stresses, curves_of, plan_stresses
from micrec_core.mechanisms import mechanisms
from micrec_core.names import FULL, FULL_MODEL, LOW_DEGREE, MICREC, REFERENCES, SUMMARY, VARIANTS
from micrec_core.running.beside import Beside, solved_beside
from micrec_core.running.evaluate import load_model, reopen
from micrec_core.running.fit import Fitted, fit
from micrec_core.running.frames import comparison_frames, low_degree_frame
from micrec_core.running.record import settings_of
from micrec_core.runs import Run, RunWriter, open_run
from micrec_core.serving.bundle import Tensors
from micrec_core.serving.by_likes import by_likes_file, goes_by_likes, pack_by_likes
from micrec_core.training.prepare import Prepared, require_acting

# Baselines that are trained where nobody says which.
BESIDE = ("inmo", "lightgcn")


def train_variants(
    run_path: Path | str,
    dataset_path: Path | str,
    *,
    names: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    baselines: bool = True,
    progress: Progress = silent,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Train variants and baselines of a complete run's model and add the comparison to the run.

    Rewrites the run's ``metrics/variants``, ``summary``, ``degree``, ``cutoff`` and ``beyond``
    with rows for all of them, and keeps what LightGCN lists for someone new by; should it be
    stopped, the run is as it was.

    Parameters
    ----------
    run_path : of a full micrec
    dataset_path : the tables it was trained on
    names : mechanisms to do without and baselines to train; all by default
    baselines : set the cheap ones beside all of them (``running.beside``), and the maps between
        user spaces
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
    wanted = _wanted(names, full)
    own, others = _own(run, full)
    outcomes, bench = [own], Bench(full.material, full.device)
    kept: dict[str, Tensors] = {}
    for seed in dict.fromkeys((full.settings.seed, *(seeds or ()))):
        trained = wanted if seed == full.settings.seed else [Contender(MICREC), *wanted]
        for contender in trained:
            fitted = _fitted(bench, full.settings, seed, contender, progress)
            outcomes.append(fitted.answerer.outcome(full.material.questions, fitted.seconds))
            if (outcomes[-1].model, outcomes[-1].variant) == FULL_MODEL:
                others += references(fitted.answerer, full.material.questions)
            if seed == full.settings.seed:
                kept |= _kept(fitted.answerer)
    beside = Beside([])
    if baselines:
        beside = solved_beside(full, _seconds(run), progress, [c.name for c in wanted])
    else:
        others = [o for o in others if o.model not in REFERENCES]
    progress("comparing", 0, 0)
    return _add(run, full, [*outcomes, *others], beside, kept)


def train_curves(
    run_path: Path | str,
    dataset_path: Path | str,
    *,
    protocols: Sequence[str] = (),
    shares: Sequence[float] = (),
    names: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    progress: Progress = silent,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Train the run's model and others under stress and add their curves to the run.

    All have the run's settings; no grid is tried. What was trained lies in a hidden folder beside
    the run until all of it is, so that a second start redoes none; the run changes at the end.

    Parameters
    ----------
    run_path : of a full micrec
    dataset_path : the tables it was trained on
    protocols : of ``protocols.CURVES``; all that this data has something to take away for
    shares : points of the curves; each protocol has its own by default
    names : mechanisms to do without and baselines beside micrec; INMO and LightGCN by default
    seeds : the run's own by default

    Returns
    -------
    the content of the tables written, ``curve`` telling which

    Raises
    ------
    ConfigError
        A name or share is unknown, or the run is not of the full model.
    """
    run = open_run(run_path)
    require_full(run)
    check_stresses(protocols, shares)
    features = settings_of(run.info).features
    beside = contenders_beside(BESIDE if names is None else names, features)
    full = reopen(run, dataset_path, device, progress, cache)
    modalities = full.features.modalities
    require_acting([m for c in beside for m in c.without], full.dataset, full.split)
    curves = protocols or curves_of(full.dataset, full.split, modalities)
    stresses = plan_stresses(full.dataset, full.split, modalities, curves, shares)
    if not stresses:
        raise ConfigError("at these shares nothing is taken away; give others")
    contenders = (Contender(MICREC), *sorted(beside, key=lambda c: bool(c.without)))
    folder = run.path.parent / f".{run.path.name}-{TRAININGS}"
    plan = Plan(
        contenders, tuple(dict.fromkeys(seeds or (full.settings.seed,))), 1, full.settings,
        folder, full.dataset.fingerprint, tuple(stresses), modalities,
    )  # fmt: skip
    work(plan, Bench(full.material, full.device), progress)
    frames = curve_frames(plan, full.material)
    add_frames(run, frames)
    shutil.rmtree(folder)
    parts = [frame.assign(curve=Path(relative).stem) for relative, frame in frames.items()]
    return pd.concat(parts, ignore_index=True)


def require_full(run: Run) -> None:
    """Refuse a run of anything but the full model."""
    if (run.info.model, run.info.variant) != FULL_MODEL:
        raise ConfigError(
            f"run '{run.name}' is of {run.info.model} without {', '.join(run.info.without)}; "
            "compare variants with a run of the full micrec"
        )


def add_frames(
    run: Run,
    frames: Mapping[str, pd.DataFrame],
    tensors: Mapping[str, Tensors] | None = None,
    **info: Any,
) -> None:
    """Write tables and tensors into a complete run, and ``info`` into what it says of itself.

    Should it be stopped, the run is as it was.
    """
    writer = RunWriter.amend(run.path)
    try:
        for relative, frame in frames.items():
            writer.write_parquet(relative, frame)
        for relative, arrays in (tensors or {}).items():
            writer.write_tensors(relative, arrays)
        writer.finish(**info)
    except BaseException:
        writer.cancel()
        raise


def contenders_beside(names: Iterable[str], modalities: Iterable[str]) -> list[Contender]:
    """What each name stands for: micrec without a mechanism, or a baseline.

    ``modalities`` : that there are encoders of
    """
    switches = mechanisms(modalities)
    # Popularity stands beside every model in any case.
    known = [name for name in models() if name not in (MICREC, "popularity")]
    out = []
    for name in dict.fromkeys(names):
        if name not in known and name not in switches:
            there = ", ".join((*switches, *known))
            raise ConfigError(f"there is no variant or baseline '{name}'; there are: {there}")
        out.append(Contender(name) if name in known else Contender(MICREC, (name,)))
    return out


def _wanted(names: Sequence[str] | None, full: Prepared) -> list[Contender]:
    """What to train; by default nothing that differs from the full model in name only."""
    modalities = full.features.modalities
    if names is not None:
        wanted = contenders_beside(names, modalities)
        require_acting([m for c in wanted for m in c.without], full.dataset, full.split)
        return wanted
    overlaps = full.split.overlaps(full.dataset)
    own = [
        name
        for name, m in mechanisms(modalities).items()
        if (not m.modality or m.lost(modalities)) and (overlaps or not m.overlap)
    ]
    return contenders_beside([*own, *BESIDE], modalities)


def _own(run: Run, full: Prepared) -> tuple[Outcome, list[Outcome]]:
    """The run's own model and its references."""
    answerer = answerer_of(full, load_model(run, full))
    asked = full.material.questions
    return answerer.outcome(asked, _seconds(run)), references(answerer, asked)


def _seconds(run: Run) -> float:
    """That the run's training took."""
    history = run.history()
    return float(history["seconds"].sum()) if len(history) else float("nan")


def _fitted(
    bench: Bench, base: RunSettings, seed: int, own: Contender, progress: Progress
) -> Fitted:
    """A contender, trained with the settings of the run's model otherwise."""
    return fit(bench.prepared(own.like(base, seed)), progress, f"{own.label}, seed {seed}")


def _kept(answerer: Answerer) -> dict[str, Tensors]:
    """What a run keeps of a model beside its own, to list for someone new: path -> tensors."""
    if not (isinstance(answerer, MicrecAnswerer) and goes_by_likes(answerer.model.settings)):
        return {}
    name = by_likes_file(answerer.prepared.settings.model.name)
    return {name: pack_by_likes(answerer.model, answerer.prepared)}


def _add(
    run: Run,
    full: Prepared,
    outcomes: Sequence[Outcome],
    beside: Beside,
    kept: Mapping[str, Tensors],
) -> pd.DataFrame:
    """Write the comparison into the run."""
    seed = full.settings.seed
    # What is solved knows no seed: it stands beside the models of each.
    of_seeds = [
        replace(solved, seed=other)
        for solved in beside.outcomes
        for other in sorted({o.seed for o in outcomes})
    ]
    variants = tabulate(variants_table, [*outcomes, *of_seeds], pool=True)
    same_seed = [o for o in [*outcomes, *beside.outcomes] if o.seed == seed]
    plain = [o for o in same_seed if o.variant == FULL]
    known = [o for o in same_seed if o.model not in REFERENCES]
    frames = {
        VARIANTS: variants,
        SUMMARY: tabulate(summary_table, plain),
        LOW_DEGREE: low_degree_frame(full, known),
    } | comparison_frames(full, known)
    add_frames(run, frames, kept, baselines=beside.seconds, left_out=beside.left_out)
    return variants
