"""A closer look at a comparison: by K, by the items' degree and beyond accuracy.

The reference beside the best baseline of each family, and variants; the others are in the CSV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from micrec_core.baselines import families
from micrec_core.names import EVERYONE, VARIANTS
from micrec_core.report.stored_runs import MAIN, name_of, over_seeds
from micrec_core.runs import Run

KNOWN = "known"
AT = (5, 10, 20, 50)
BEYOND = {
    "coverage": "items in anyone's list",
    "mean_popularity": "mean train degree of what is listed",
    "intra_list_similarity": "similarity within a list",
}


def best_of_families(variants: pd.DataFrame) -> dict[str, str]:
    """Family -> the baseline with the highest NDCG@20 on known users, domains added up."""
    rows = variants[(variants["protocol"] == KNOWN) & (variants["cohort"] == EVERYONE)]
    rows, _ = over_seeds(rows[(rows["metric"] == MAIN) & (rows["variant"] == "full")])
    sums = rows.groupby("model")["mean"].sum()
    found = {}
    for family, models in families().items():
        own = sums[sums.index.isin(models)]
        if len(own):
            found[family] = str(own.idxmax())
    return found


def closer_look(run: Run, reference: Sequence[str]) -> list[str]:
    """Tables of the reference, its variants and the best of each family."""
    variants = run.frame(VARIANTS)
    best = best_of_families(variants)
    named = ", ".join(f"{model} ({family})" for family, model in best.items())
    kept = [reference[0], *best.values()]
    lines = [
        f"<details><summary>By K, by degree and beyond accuracy: {reference[0]} and the best of "
        f"each family</summary>\n",
        f"The best of each family by NDCG@20 of known users, domains added up: {named}.\n",
    ]
    lines += _by_k(variants, kept)
    for stored, table in (("degree", _by_degree), ("beyond", _beyond)):
        path = f"metrics/{stored}.parquet"
        if run.has(path):
            frame = run.frame(path)
            lines += table(frame[frame["model"].isin(kept)])
    return [*lines, "</details>\n"]


def _by_k(variants: pd.DataFrame, kept: Sequence[str]) -> list[str]:
    rows = variants[(variants["protocol"] == KNOWN) & (variants["cohort"] == EVERYONE)]
    rows, _ = over_seeds(rows[rows["model"].isin(kept)])
    metrics = [f"{name}@{k}" for name in ("ndcg", "recall") for k in AT]
    lines = [
        "**By K**, known users\n",
        f"| model | domain | {' | '.join(metrics)} |",
        "|---|---|" + "---|" * len(metrics),
    ]
    keys = ["model", "variant", "domain"]
    for (model, variant, domain), own in rows.groupby(keys, sort=False):
        at = own.set_index("metric")["mean"]
        cells = " | ".join(f"{at[m]:.4f}" for m in metrics)
        lines.append(f"| {name_of(model, variant)} | {domain} | {cells} |")
    return [*lines, ""]


def _by_degree(frame: pd.DataFrame) -> list[str]:
    """Item-side recall@20 of the first seed in each bin of train degree."""
    bins = list(dict.fromkeys(frame["bin"]))
    lines = [
        "**Low degree**: item-side Recall@20 by train degree, first seed\n",
        f"| model | domain | {' | '.join(bins)} |",
        "|---|---|" + "---|" * len(bins),
    ]
    keys = ["model", "variant", "domain"]
    for (model, variant, domain), own in frame.groupby(keys, sort=False):
        asked = own[own["n_positives"] > 0].set_index("bin").to_dict("index")
        cells = [_with_interval(asked[name]) if name in asked else "" for name in bins]
        lines.append(f"| {name_of(model, variant)} | {domain} | {' | '.join(cells)} |")
    return [*lines, ""]


def _with_interval(row: Mapping[Any, Any]) -> str:
    return f"{row['recall']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _beyond(frame: pd.DataFrame) -> list[str]:
    lines = [
        "**Beyond accuracy**, lists of 20, first seed\n",
        f"| model | domain | {' | '.join(BEYOND.values())} |",
        "|---|---|" + "---|" * len(BEYOND),
    ]
    for row in frame.to_dict("records"):
        cells = " | ".join(f"{row[column]:.3f}" for column in BEYOND)
        lines.append(f"| {name_of(row['model'], row['variant'])} | {row['domain']} | {cells} |")
    return [*lines, ""]
