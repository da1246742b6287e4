"""A run's model beside others, all trained on less: curves added to a complete run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from micrec_core.comparing.compare import TRAININGS, contenders_of, work
from micrec_core.comparing.curves import curve_frames
from micrec_core.comparing.plan import Plan
from micrec_core.comparing.trainings import Bench
from micrec_core.comparing.variants import BESIDE, add_frames, require_full, variant_settings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.evaluation.stress import check_stresses, plan_stresses
from micrec_core.protocols import CURVES
from micrec_core.running.evaluate import reopen
from micrec_core.runs import open_run


def train_curves(
    run_path: Path | str,
    dataset_path: Path | str,
    *,
    protocols: Sequence[str] = tuple(CURVES),
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
    protocols : of ``protocols.CURVES``
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
    beside = variant_settings(BESIDE if names is None else names)
    full = reopen(run, dataset_path, device, progress, cache)
    modalities = full.features.modalities
    stresses = plan_stresses(full.dataset, full.split, modalities, protocols, shares)
    if not stresses:
        raise ConfigError("at these shares nothing is taken away; give others")
    contenders = contenders_of(
        ["micrec", *(m.name for m in beside if not m.without)],
        [name for m in beside for name in m.without],
    )
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
