"""From stored trainings to a comparison: tables with paired tests, in a run that pages open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from micrec_core.answering.answers import variant_name
from micrec_core.comparing.trainings import (
    FRAMES,
    METRICS,
    StoredOutcome,
    Training,
    cost,
    forget_parameters,
    stored,
    stored_frames,
)
from micrec_core.data.progress import Progress
from micrec_core.evaluation.metric_frames import (
    pool_seeds,
    summary_table,
    variants_table,
)
from micrec_core.evaluation.questions import tabulate
from micrec_core.evaluation.significance import compare_table
from micrec_core.figures.picking import pick
from micrec_core.names import (
    CATALOGUE,
    EVERYONE,
    LEVEL,
    POOLED,
    SUMMARY,
    SUMMARY_COLUMNS,
    TESTS,
    VARIANTS,
    users_file,
)
from micrec_core.protocols import PROTOCOLS
from micrec_core.running.catalogue import catalogue_frame
from micrec_core.runs import RunWriter
from micrec_core.training.prepare import Prepared

ABOUT = "compare.json"


def write_comparison(
    writer: RunWriter,
    prepared: Prepared,
    trainings: Sequence[Sequence[Training]],
    spare: Sequence[Training],
    tuning: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    about: dict[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """Write every table and finish the run.

    Parameters
    ----------
    prepared : of the reference
    trainings : per contender, one a seed in the same order; the first contender is the reference
    spare : every training whose parameters are needed no more
    curves : further tables by their path in the run
    """
    outcomes = [stored(t) for row in trainings for t in row]
    reference = outcomes[0].model, outcomes[0].variant
    variants = tabulate(partial(variants_table, reference=reference), outcomes, pool=True)
    frames = {VARIANTS: variants, **_of_first_seed(trainings), **curves}
    tests = tests_table(outcomes, reference)
    report = about | {
        "reference": list(reference),
        "results": variants[SUMMARY_COLUMNS].to_dict("records"),
        "tests": tests.to_dict("records"),
        "tuning": tuning.to_dict("records"),
        "seeds_spread": spread_table(variants).to_dict("records"),
        "cost": cost_table(trainings),
    }
    for relative, frame in (frames | {TESTS: tests, "tuning.parquet": tuning}).items():
        writer.write_parquet(relative, frame)
    writer.write_parquet(CATALOGUE, catalogue_frame(prepared, progress))
    writer.write_json(ABOUT, report)
    for training in [*spare, *(t for row in trainings for t in row)]:
        forget_parameters(training)
    for lock in trainings[0][0].folder.glob("*.lock"):
        lock.unlink(missing_ok=True)
    own = trainings[0][0].about()
    writer.finish(best_epoch=own["best_epoch"], n_parameters=own["n_parameters"])
    return report


def _of_first_seed(trainings: Sequence[Sequence[Training]]) -> dict[str, pd.DataFrame]:
    """The tables that hold one training of each contender; values per user of the reference."""
    first = [stored(row[0]) for row in trainings]
    frames = {SUMMARY: tabulate(summary_table, first)}
    tables = [stored_frames(row[0]) for row in trainings]
    for name in FRAMES:
        parts = [found[name] for found in tables]
        frames[f"metrics/{name}.parquet"] = pd.concat(parts, ignore_index=True)
    for protocol in PROTOCOLS:
        users = first[0].users(protocol)
        if len(users):
            frames[users_file(protocol)] = users
    return frames


def tests_table(outcomes: Sequence[StoredOutcome], reference: tuple[str, str]) -> pd.DataFrame:
    """Every contender against the reference, user by user, of the mean over seeds where several.

    Holm's correction runs over contenders and domains of one protocol and metric. ``verdict`` is of
    the contender: better, worse, or that no difference can be shown at the level of 5 %.
    """
    parts = []
    for protocol in PROTOCOLS:
        results = [r for o in outcomes for r in o.results() if r.protocol == protocol]
        pooled = pool_seeds(results)
        seeds = {o.seed for o in outcomes}
        chosen = pooled if len(seeds) > 1 else results
        frames = {f"{r.model}|{r.variant}": r.users for r in chosen}
        name = "|".join(reference)
        if name not in frames or len(frames) < 2:
            continue
        found = compare_table(frames, name, METRICS)
        parts.append(found.assign(protocol=protocol, n_seeds=len(seeds)))
    if not parts:
        return pd.DataFrame(columns=["model", "variant", "protocol", "verdict"])
    out = pd.concat(parts, ignore_index=True)
    names = out.pop("name").str.split("|", expand=True)
    out.insert(0, "model", names[0])
    out.insert(1, "variant", names[1])
    shown = out["p_holm"] < LEVEL
    out["verdict"] = np.select(
        [shown & (out["diff"] > 0), shown & (out["diff"] < 0)],
        ["better", "worse"],
        "no difference can be shown",
    )
    return out


def cost_table(trainings: Sequence[Sequence[Training]]) -> list[dict[str, Any]]:
    """What every contender took, averaged over its seeds; None where one was not measured.

    Of peak memory the least: what is loaded or compiled for the first time counts for whichever
    training of a process came first.
    """
    rows = []
    for row in trainings:
        model, told = row[0].settings.model, [cost(training) for training in row]
        means = {key: _mean([values[key] for values in told]) for key in told[0]}
        peaks = [peak for values in told if (peak := values["peak_mb"]) is not None]
        means["peak_mb"] = min(peaks, default=None)
        rows.append({"model": model.name, "variant": variant_name(model.without), **means})
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def spread_table(variants: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every model's mean over users."""
    rows = pick(variants[variants["seed"] != POOLED], cohort=EVERYONE, metric=METRICS)
    grouped = rows.groupby(["model", "variant", "protocol", "domain", "metric"], sort=False)["mean"]
    return grouped.agg(mean_of_seeds="mean", sd="std", n_seeds="size").reset_index()
