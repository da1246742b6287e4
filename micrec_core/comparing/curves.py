"""The curves of models trained on less: ``metrics/sparsity``, ``missing`` and ``overlap``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from micrec_core.comparing.plan import Contender, Plan
from micrec_core.comparing.trainings import METRICS, Training, stored
from micrec_core.evaluation.metric_frames import summary_table
from micrec_core.evaluation.questions import tabulate
from micrec_core.evaluation.stress import Stress, kept
from micrec_core.names import curve_file
from micrec_core.protocols import CURVES
from micrec_core.training.prepare import Material

_BESIDE = ["domain", "user_id", "cohort", "n_positives", "protocol", "scope"]


def curve_frames(plan: Plan, material: Material) -> dict[str, pd.DataFrame]:
    """A table for each protocol of the plan's stresses, by its path in the run.

    Columns are those of a summary and ``share``; for ``sparsity`` the real share of the domain's
    train interactions and ``n_train``, of that domain's users alone; for ``missing`` also
    ``modality``. With several seeds there are rows of their mean (seed -1) too. Where
    nothing is taken away, and where a model does not look at what is, its plain trainings stand.
    """
    # One training may stand at many points.
    summaries: dict[tuple[str, ...], pd.DataFrame] = {}
    out: dict[str, list[pd.DataFrame]] = {}
    for stress, _, group in _points(plan):
        key = tuple(training.path.name for training in group)
        if key not in summaries:
            summaries[key] = _summary(group)
        rows = _placed(summaries[key], stress, material)
        out.setdefault(curve_file(stress.protocol), []).append(rows)
    return {path: pd.concat(parts, ignore_index=True) for path, parts in out.items()}


def _points(plan: Plan) -> Iterator[tuple[Stress, Contender, list[Training]]]:
    """Every contender where nothing is taken away, then under every stress."""
    for protocol, what in dict.fromkeys((s.protocol, s.what) for s in plan.stresses):
        whole = Stress(protocol, CURVES[protocol].whole, what)
        for contender in plan.contenders:
            yield whole, contender, plan.final(contender) or []
    yield from plan.stressed()


def _placed(summary: pd.DataFrame, stress: Stress, material: Material) -> pd.DataFrame:
    """The rows of one point of the curve, and where it lies."""
    if stress.protocol == "sparsity":
        stays = kept(material.dataset, material.split, stress.what, stress.share)
        rows = summary[summary["domain"] == stress.what]
        return rows.assign(share=round(float(stays.mean()), 4), n_train=int(stays.sum()))
    if CURVES[stress.protocol].each == "modality":
        return summary.assign(share=stress.share, modality=stress.what)
    return summary.assign(share=stress.share)


def _summary(group: Sequence[Training]) -> pd.DataFrame:
    """METRICS of one contender at one point, and of the mean over its seeds."""
    outcomes = []
    for training in group:
        found = stored(training)
        keep = [c for c in (*_BESIDE, *METRICS) if c in found.frame]
        outcomes.append(replace(found, frame=found.frame[keep]))
    return tabulate(summary_table, outcomes, pool=True)
