"""What the report says of a comparison: who did how well, how each was tuned, what it cost.

A closer look (by K, by the items' degree, beyond accuracy) is at the reference beside the best
baseline of each family, and variants; the others are in the CSV.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from micrec_core.baselines import families
from micrec_core.comparing.comparison import ABOUT
from micrec_core.data.spreadsheets import CsvFolder
from micrec_core.figures.picking import pick
from micrec_core.names import BEYOND, DEGREE, FULL, POOLED, TESTS, VARIANTS, curve_file
from micrec_core.protocols import CURVES
from micrec_core.report.reproduce import compare_command
from micrec_core.report.stored_runs import MAIN, everyone, name_of
from micrec_core.runs import Run

BESIDE = "recall@20"
KNOWN = "known"
BY_K = [f"{name}@{k}" for name in ("ndcg", "recall") for k in (5, 10, 20, 50)]
_MODEL = ["model", "variant"]
_ROW = [*_MODEL, "domain"]


def comparison(run: Run, folder: CsvFolder) -> dict[str, Any]:
    """What its part of the report is made of; its numbers go into ``folder`` as CSV."""
    about = run.json(ABOUT)
    variants, tests = run.frame(VARIANTS), run.frame(TESTS)
    stem = f"comparison-{run.name}"
    folder.write(stem, variants)
    folder.write(f"{stem}-tests", tests)
    spread = pd.DataFrame(about["seeds_spread"])
    protocols = dict.fromkeys(variants["protocol"])
    best = best_of_families(variants)
    kept = [about["reference"][0], *best.values()]
    return {
        "run": run,
        "about": about,
        "reference": name_of(*about["reference"]),
        "command": compare_command(run, about),
        "results": {name: _results(name, variants, tests, spread) for name in protocols},
        "best": best,
        "columns_by_k": BY_K,
        "by_k": _by_k(pick(variants, model=kept)),
        "by_degree": by_degree(pick(run.frame(DEGREE), model=kept)) if run.has(DEGREE) else None,
        "beyond": _rows(pick(run.frame(BEYOND), model=kept)) if run.has(BEYOND) else None,
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


def _by_row(frame: pd.DataFrame, metric: str, **values: str) -> dict[tuple[str, ...], Any]:
    """A metric's rows by model, variant and domain."""
    rows = _rows(pick(frame, metric=metric, **values))
    return {tuple(row[k] for k in _ROW): row for row in rows}


def _results(
    protocol: str, variants: pd.DataFrame, tests: pd.DataFrame, spread: pd.DataFrame
) -> list[dict[str, Any]]:
    """One protocol: value, spread over seeds and paired test of every model."""
    rows = everyone(variants, protocol=protocol)
    several = bool((rows["seed"] == POOLED).any())
    beside = _by_row(rows, BESIDE)
    tested = _by_row(tests, MAIN, protocol=protocol)
    seeds = _by_row(spread, MAIN, protocol=protocol) if several else {}
    return [
        {"main": row, "beside": beside[key], "test": tested.get(key), "spread": seeds.get(key)}
        for key, row in _by_row(rows, MAIN).items()
    ]


def best_of_families(variants: pd.DataFrame) -> dict[str, str]:
    """Family -> the baseline with the highest NDCG@20 on known users, domains added up."""
    rows = everyone(variants, protocol=KNOWN, metric=MAIN, variant=FULL)
    sums = rows.groupby("model")["mean"].sum()
    own = {family: sums[sums.index.isin(models)] for family, models in families().items()}
    return {family: str(values.idxmax()) for family, values in own.items() if len(values)}


def _by_k(variants: pd.DataFrame) -> list[dict[str, Any]]:
    groups = everyone(variants, protocol=KNOWN).groupby(_ROW, sort=False)
    return [
        dict(zip(_ROW, key)) | {"at": own.set_index("metric")["mean"].to_dict()}
        for key, own in groups
    ]


def by_degree(frame: pd.DataFrame) -> dict[str, Any]:
    """Item-side recall@20 of the first seed in each bin of train degree that was asked about."""
    asked = frame[frame["n_positives"] > 0]
    at = {key: own.set_index("bin").to_dict("index") for key, own in asked.groupby(_ROW)}
    rows = frame[_ROW].drop_duplicates().itertuples(index=False, name=None)
    return {
        "bins": list(dict.fromkeys(frame["bin"])),
        "rows": [dict(zip(_ROW, row)) | {"at": at.get(row, {})} for row in rows],
    }


def curves(run: Run, folder: CsvFolder) -> list[dict[str, Any]]:
    """NDCG@20 of models trained on less, a table a domain; their numbers into ``folder`` as CSV."""
    found = []
    for curve, words in CURVES.items():
        if not run.has(curve_file(curve)):
            continue
        frame = run.frame(curve_file(curve))
        folder.write(f"{run.name}-{curve}", frame)
        rows = everyone(frame, metric=MAIN)
        by = ["modality", "domain"] if "modality" in rows else ["domain"]
        tables = [(", ".join(what), _shares(part)) for what, part in rows.groupby(by, sort=False)]
        found.append({"about": words.about, "run": run, "tables": tables})
    return found


def _shares(part: pd.DataFrame) -> dict[str, Any]:
    """A row a question and model; those that the curve does not touch are left out."""
    keys = ["protocol", *_MODEL]
    rows: Sequence[dict[str, Any]] = [
        dict(zip(keys, key)) | {"n": own["n"].iloc[0], "at": own.set_index("share").T.to_dict()}
        for key, own in part.groupby(keys, sort=False)
        if own["mean"].nunique() > 1
    ]
    return {"shares": sorted(part["share"].unique()), "rows": rows}
