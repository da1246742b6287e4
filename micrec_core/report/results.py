"""``docs/results.md`` from stored runs.

Every figure is read from a run's metrics; nothing is typed by hand. Runs of the same dataset and
split are put side by side, compared user by user with the full model of the same seed. What
``compare`` wrote has tables of its own, and so have curves of models trained on less.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micrec_core.names import COLD, DEGREE, SUMMARY, VARIANTS
from micrec_core.protocols import PROTOCOLS
from micrec_core.report.commands import TABLES, train_command
from micrec_core.report.compared import compared_parts
from micrec_core.report.pooled import poolable, pooled_cold
from micrec_core.report.stored_runs import (
    FULL,
    Group,
    dataset_of,
    label,
    name_of,
    over_seeds,
    size,
    split_seed,
    title,
)
from micrec_core.report.summary import summary_parts
from micrec_core.runs import Run, open_run

METRICS = ("ndcg@10", "ndcg@20", "recall@10", "recall@20")
INTRODUCTION = """# Results

Made by `python -m micrec_core results` from the runs listed under each table, with their
dataset fingerprint and settings; the numbers behind it are in `results/`. Measured here, by this
implementation, on our own splits: no number is the paper's. Full ranking over all items of the
domain; train and validation masked; the epoch chosen by validation NDCG@20 alone; intervals are
95 % bootstrap over users; p is of the paired permutation test over users against the full model of
the same seed, Holm-corrected over all rows of the table; of cold users, against the maps between
the same model's user spaces. All models share loss, mean of the parameters, selection rule and,
where they have templates, dropout. The full model and its variants have a recipe of their own (a
rate that falls, weight decay, smaller batches, interactions weighed by their user's activity) and
the others by default a rate that stays until validation stops improving; in a comparison that rate,
decay and batch are a point of their grids too, and each is tested at the point that validation
prefers. `notes/2026-11-21-training.md` says how the defaults were chosen, and which of them not
blind to test figures.
"""


def write_results(
    paths: Iterable[Path],
    out: Path,
    notes: Mapping[str, str] | None = None,
    draws: Iterable[Path] = (),
) -> None:
    """Write the report and, beside it, a folder of the tables as CSV.

    Parameters
    ----------
    notes : dataset name -> a sentence that must stand above its tables
    draws : runs of the full model that are put together in tables over several draws of a split
    """
    notes = notes or {}
    groups: dict[tuple[str, str, str, int], list[Run]] = defaultdict(list)
    for path in paths:
        run = open_run(path)
        data = dataset_of(run)
        groups[data.name, data.fingerprint, run.info.split, split_seed(run)].append(run)
    folder = out.parent / out.stem
    folder.mkdir(parents=True, exist_ok=True)
    for runs in groups.values():
        runs.sort(key=lambda r: (r.info.model != FULL, label(r), r.info.seed))
    compared = {key: Group(runs) for key, runs in groups.items()}
    parts = [INTRODUCTION, *summary_parts(list(compared.values()))]
    for (dataset, _, split, _), group in compared.items():
        parts.append(f"## {title(group.runs[0])}\n")
        if dataset in notes:
            parts.append(f"{notes[dataset]}\n")
        parts += _trained(group, split, folder)
        parts += compared_parts(group.runs, folder)
    parts += cold_users_together([open_run(path) for path in draws], folder)
    out.write_text("\n".join(parts), encoding="utf-8")


def _trained(group: Group, split: str, folder: Path) -> list[str]:
    """The tables of runs of a single model each."""
    runs = group.single
    if not runs:
        return []
    known = split == "known"
    parts = _known(group, folder) + _degree(runs) if known else _inductive(group, folder)
    for run in runs:
        if run.has(VARIANTS):
            parts += _variants(run)
    return [*parts, _sources(runs)]


def _known(group: Group, folder: Path) -> list[str]:
    runs, rows, tests = group.single, [], _tests(group)
    by_label: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_label[label(run)].append(run)
    popular = _summary(runs[0], "popularity", "known")
    stored = [_summary(run, run.info.model, "known").assign(label=label(run)) for run in runs]
    stored.append(popular.assign(label="popularity"))
    pd.concat(stored).to_csv(folder / f"{_slug(runs[0])}.csv", index=False)
    for domain in [d.name for d in dataset_of(runs[0]).domains]:
        rows.append(f"**{domain}**, n = {_count(popular, domain)} users\n")
        rows.append(f"| model | {' | '.join(METRICS)} | NDCG@20 over seeds | against full |")
        rows.append("|" + "---|" * (len(METRICS) + 3))
        for name, members in by_label.items():
            summary = _summary(members[0], members[0].info.model, "known")
            rows.append(
                f"| {name} | {_cells(summary, domain)} | {_seeds(members, domain)} | "
                f"{tests.get((name, domain), '')} |"
            )
        rows.append(f"| popularity | {_cells(popular, domain)} | | |\n")
    return rows


def _tests(group: Group, protocol: str = "known") -> dict[tuple[str, str], str]:
    """By label and domain, how much better the full model is."""
    table = group.tested(protocol)
    return {(row["name"], row["domain"]): _gain(row) for _, row in table.iterrows()}


def _inductive(group: Group, folder: Path) -> list[str]:
    runs, rows, stored = group.single, [], []
    for protocol in (name for name, p in PROTOCOLS.items() if p.split == "inductive"):
        rows.append(f"**{protocol}**, NDCG@20 and Recall@20\n")
        rows.append("| model | domain | NDCG@20 | Recall@20 | n | against full |")
        rows.append("|---|---|---|---|---|---|")
        tests = _tests(group, protocol)
        for run in runs:
            for model in dict.fromkeys(run.frame(SUMMARY)["model"]):
                own = model == run.info.model
                shown = label(run) if own else model
                if not own and label(run) != FULL:
                    continue
                summary = _summary(run, model, protocol)
                stored.append(summary.assign(label=shown, split_seed=split_seed(run)))
                for domain in dict.fromkeys(summary["domain"]):
                    cells = _cells(summary, domain, ("ndcg@20", "recall@20"))
                    against = tests.get((label(run), domain), "") if own else ""
                    if not own and protocol == "cold-domain":
                        against = _against_maps(run, model, domain)
                    rows.append(
                        f"| {shown}, seed {run.info.seed} | {domain} | {cells} | "
                        f"{_count(summary, domain)} | {against} |"
                    )
        rows.append("")
    pd.concat(stored).to_csv(folder / f"{_slug(runs[0])}.csv", index=False)
    return rows


def cold_users_together(runs: Sequence[Run], folder: Path) -> list[str]:
    """Cold users of several draws of one dataset together: the full model against the maps."""
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in poolable([run for run in runs if label(run) == FULL]):
        groups[dataset_of(run).name, dataset_of(run).fingerprint].append(run)
    rows = []
    for (name, fingerprint), members in groups.items():
        if len({(split_seed(run), run.info.seed) for run in members}) < 2:
            continue
        table = pooled_cold(members)
        table.to_csv(folder / f"{_slug(members[0])}-cold-users-pooled.csv", index=False)
        seeds = sorted({split_seed(run) for run in members})
        rows.append(f"## {name}, {size(members[0])}: cold users of {len(seeds)} draws\n")
        rows.append(
            "Users withheld from one domain, drawn anew with each split seed; a user drawn more "
            "than once counts once, with their mean. p is Holm-corrected over the table. Split "
            f"seeds {', '.join(map(str, seeds))}; dataset fingerprint `{fingerprint}`.\n"
        )
        rows.append("| model | domain | NDCG@20 | NDCG@20 of full | n | against full |")
        rows.append("|---|---|---|---|---|---|")
        for _, row in table.iterrows():
            rows.append(
                f"| {row['name']} | {row['domain']} | {row['mean']:.4f} | "
                f"{row['reference_mean']:.4f} | {row['n']} | {_gain(row)} |"
            )
        rows.append("")
    return rows


def _against_maps(run: Run, model: str, domain: str) -> str:
    """The full model's gain over a map between the user spaces of the same run."""
    if not run.has(COLD):
        return ""
    frame = run.frame(COLD)
    wanted = (frame["model"] == model) & (frame["domain"] == domain) & (frame["cohort"] == "all")
    found = frame[wanted & (frame["metric"] == "ndcg@20")]
    return _gain(found.iloc[0]) if len(found) else ""


def _gain(row: Any) -> str:
    """How much better the full model is than a row's, with interval and p."""
    gain = -row["diff"] / row["mean"] if row["mean"] else float("nan")
    p = "< 0.001" if row["p_holm"] < 0.001 else f"= {row['p_holm']:.3f}"
    bounds = f"{-row['diff_high']:+.4f} to {-row['diff_low']:+.4f}"
    return f"full is {100 * gain:+.1f} % ({bounds}), p {p}"


def _variants(run: Run) -> list[str]:
    """NDCG@20 of every variant and baseline stored in one run, over its seeds where several."""
    frame = run.frame(VARIANTS)
    frame = frame[(frame["metric"] == "ndcg@20") & (frame["cohort"] == "all")]
    frame, _ = over_seeds(frame)
    rows = [f"**Variants and baselines in run {run.name}**, NDCG@20, mean of its seeds\n"]
    rows.append("| protocol | domain | model | NDCG@20 | difference from full | p (Holm) |")
    rows.append("|---|---|---|---|---|---|")
    for row in frame.sort_values(["protocol", "domain"], kind="stable").itertuples():
        name = name_of(row.model, row.variant)
        tested = "| |"
        if row.diff == row.diff:
            gap = f"{row.diff:+.4f} [{row.diff_low:+.4f}, {row.diff_high:+.4f}]"
            tested = f"{gap} | {row.p_holm:.3f} |"
        rows.append(
            f"| {row.protocol} | {row.domain} | {name} | "
            f"{row.mean:.4f} [{row.low:.4f}, {row.high:.4f}] | {tested}"
        )
    return [*rows, ""]


def _degree(runs: Sequence[Run]) -> list[str]:
    """Item-side recall@20 by train degree, of the models trained with the first seed."""
    chosen = {label(r): r for r in reversed(runs) if not r.info.without}
    names = [n for n in (FULL, "inmo", "lightgcn") if n in chosen]
    if not names:
        return []
    frames = {}
    for name in names:
        frame = chosen[name].frame(DEGREE)
        frames[name] = frame[frame["model"] == name].set_index(["domain", "bin"])
    rows = ["**Item-side Recall@20 by train degree of the item**\n"]
    rows.append(f"| domain | degree | test interactions | {' | '.join(names)} |")
    rows.append("|---|---|---|" + "---|" * len(names))
    first = frames[names[0]]
    for key, row in first.iterrows():
        domain, bin_name = key  # type: ignore[misc]
        cells = []
        for name in names:
            found = frames[name].loc[key]
            shown = f"{found['recall']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
            cells.append(shown if row["n_positives"] else "nothing asked")
        rows.append(f"| {domain} | {bin_name} | {int(row['n_positives'])} | {' | '.join(cells)} |")
    return [*rows, ""]


def _summary(run: Run, model: str, protocol: str) -> pd.DataFrame:
    frame = run.frame(SUMMARY)
    wanted = (frame["model"] == model) & (frame["protocol"] == protocol)
    return frame[wanted & (frame["cohort"] == "all")]


def _cells(summary: pd.DataFrame, domain: str, metrics: Sequence[str] = METRICS) -> str:
    rows = summary[summary["domain"] == domain].set_index("metric")
    return " | ".join(
        f"{rows.at[m, 'mean']:.4f} [{rows.at[m, 'low']:.4f}, {rows.at[m, 'high']:.4f}]"
        for m in metrics
    )


def _count(summary: pd.DataFrame, domain: str) -> int:
    return int(summary.loc[summary["domain"] == domain, "n"].iloc[0])


def _seeds(members: Sequence[Run], domain: str) -> str:
    values = []
    for run in members:
        rows = _summary(run, run.info.model, "known")
        picked = rows[(rows["domain"] == domain) & (rows["metric"] == "ndcg@20")]
        values.append(float(picked["mean"].iloc[0]))
    if len(values) == 1:
        return f"1 seed ({members[0].info.seed})"
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f} ({len(values)} seeds)"


def _slug(run: Run) -> str:
    name = "".join(c if c.isalnum() else "-" for c in dataset_of(run).name.lower())
    drawn = f"-{split_seed(run)}" if split_seed(run) else ""
    return f"{name}-{dataset_of(run).fingerprint[:6]}-{run.info.split}{drawn}"


def _sources(runs: Sequence[Run]) -> str:
    lines = ["<details><summary>Runs, cost and settings</summary>\n"]
    lines.append("| run | model | seed | best epoch | training seconds | parameters | device |")
    lines.append("|---|---|---|---|---|---|---|")
    for run in runs:
        info = run.info
        seconds = float(run.history()["seconds"].sum())
        lines.append(
            f"| {run.name} | {label(run)} | {info.seed} | {info.best_epoch} | {seconds:.0f} | "
            f"{info.n_parameters:,} | {info.device} |"
        )
    first = runs[0].info
    config = json.dumps(first.config, default=str)
    lines.append(
        f"\nDataset fingerprint `{dataset_of(runs[0]).fingerprint}`; settings of the first "
        f"`{config}`. `{TABLES}` is the folder with the data:\n"
    )
    lines += ["```", *(train_command(run) for run in runs), "```\n"]
    lines.append("</details>\n")
    return "\n".join(lines)
