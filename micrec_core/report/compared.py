"""The part of the report on comparisons: who was compared, how they were tuned, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.comparing.comparison import ABOUT
from micrec_core.data.schema import counted
from micrec_core.names import EVERYONE, TESTS, VARIANTS, curve_file
from micrec_core.protocols import CURVES
from micrec_core.report.commands import compare_command
from micrec_core.report.families import closer_look
from micrec_core.report.stored_runs import MAIN, name_of, over_seeds
from micrec_core.runs import Run

BESIDE = "recall@20"
_WHO = ["model", "variant"]


def comparison_section(run: Run, folder: Path) -> list[str]:
    """A comparison's tables as lines of Markdown; its numbers go into ``folder`` as CSV."""
    about = run.json(ABOUT)
    variants, tests = run.frame(VARIANTS), run.frame(TESTS)
    stem = f"comparison-{run.name}"
    variants.to_csv(folder / f"{stem}.csv", index=False)
    tests.to_csv(folder / f"{stem}-tests.csv", index=False)
    seeds = ", ".join(str(seed) for seed in about["seeds"])
    reference = name_of(*about["reference"])
    lines = [
        f"### Comparison {run.name}\n",
        f"{len(about['models'])} models, up to {about['budget']} points of each grid "
        f"({about['selection']}), then trained with seeds {seeds} on {run.info.device}. Values are "
        f"means over seeds, user by user; differences are from {reference}, paired by user, with "
        "95 % bootstrap intervals and p of the paired permutation test, Holm-corrected over models "
        "and domains of a protocol.\n",
    ]
    lines += ["```", compare_command(run, about), "```\n"]
    for protocol in dict.fromkeys(variants["protocol"]):
        lines += _results(protocol, variants, tests, pd.DataFrame(about["seeds_spread"]))
    lines += closer_look(run, [*about["reference"]])
    lines += _tuning(pd.DataFrame(about["tuning"]))
    if about.get("cost"):
        lines += comparison_cost(about["cost"])
    return lines


def _results(
    protocol: str, variants: pd.DataFrame, tests: pd.DataFrame, spread: pd.DataFrame
) -> list[str]:
    """One protocol: value, spread over seeds and paired test of every model."""
    rows = variants[(variants["protocol"] == protocol) & (variants["cohort"] == EVERYONE)]
    rows, several = over_seeds(rows)
    keys = [*_WHO, "domain"]
    values = {m: rows[rows["metric"] == m].set_index(keys) for m in (MAIN, BESIDE)}
    tested = _lookup(tests, keys, protocol)
    seeds = _lookup(spread, keys, protocol)
    lines = [
        f"**{protocol}**\n",
        "| model | domain | NDCG@20 | Recall@20 | n | over seeds | difference | p (Holm) | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, row in values[MAIN].iterrows():
        model, variant, domain = key  # type: ignore[misc]
        test, sd = tested.get(key), seeds.get(key)
        told = "| | "
        if test is not None:
            gap = f"{test['diff']:+.4f} [{test['diff_low']:+.4f}, {test['diff_high']:+.4f}]"
            told = f"{gap} | {test['p_holm']:.3f} | {test['verdict']}"
        over = f"± {sd['sd']:.4f} ({sd['n_seeds']})" if sd is not None and several else ""
        lines.append(
            f"| {name_of(model, variant)} | {domain} | {_cell(row)} | "
            f"{_cell(values[BESIDE].loc[key])} | {int(row['n'])} | {over} | {told} |"
        )
    return [*lines, ""]


def _lookup(frame: pd.DataFrame, keys: list[str], protocol: str) -> dict[Any, dict[str, Any]]:
    """Rows of a protocol's NDCG@20 by model, variant and domain."""
    if frame.empty:
        return {}
    rows = frame[(frame["protocol"] == protocol) & (frame["metric"] == MAIN)]
    return {tuple(row[k] for k in keys): row for row in rows.to_dict("records")}


def _tuning(tuning: pd.DataFrame) -> list[str]:
    """Every point that was tried, and which was chosen."""
    lines = [
        "<details><summary>Points tried</summary>\n",
        "| model | point | validation score | best epoch | seconds | chosen |",
        "|---|---|---|---|---|---|",
    ]
    for row in tuning.itertuples():
        lines.append(
            f"| {row.model} | {row.change} | {row.score:.4f} | {row.best_epoch} | "
            f"{row.seconds:.0f} | {'yes' if row.chosen else ''} |"
        )
    return [*lines, "\n</details>\n"]


def comparison_cost(cost: Sequence[dict[str, Any]]) -> list[str]:
    """What a training took; means over seeds."""
    # Trainings made before threads were stored tell none, and then nothing is said.
    threads = {int(row.get("threads") or 0) for row in cost}
    told = ""
    if len(threads) == 1 and (n := threads.pop()):
        told = f" Each trained with {counted(n, 'thread')}."
    lines = [
        f"Cost, means over seeds.{told} Peak memory: of the training, above what its process held "
        "at its start (data, features, graphs), the least over seeds. A list: of answering all "
        "test questions at once, everyone's embeddings included.\n",
        "| model | training seconds | peak memory, MiB above start | best epoch | parameters | "
        "milliseconds a list |",
        "|---|---|---|---|---|---|",
    ]
    for row in cost:
        timed = "" if row["milliseconds"] is None else f"{row['milliseconds']:.3f}"
        # Comparisons made before memory was measured know none.
        peak = "" if row.get("peak_mb") is None else f"{row['peak_mb']:.0f}"
        lines.append(
            f"| {name_of(row['model'], row['variant'])} | {row['seconds']:.1f} | "
            f"{peak} | {row['best_epoch']:.0f} | {row['n_parameters']:,.0f} | {timed} |"
        )
    return [*lines, ""]


def _cell(row: pd.Series) -> str:
    return f"{row['mean']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def curves_section(run: Run, folder: Path) -> list[str]:
    """NDCG@20 of models trained on less, a table a domain; none where the run has no curves."""
    lines: list[str] = []
    for curve, words in CURVES.items():
        stored = curve_file(curve)
        if not run.has(stored):
            continue
        frame = run.frame(stored)
        frame.to_csv(folder / f"{run.name}-{curve}.csv", index=False)
        lines += [f"<details><summary>{words.about} (run {run.name}), NDCG@20</summary>\n"]
        lines += _curve(frame)
        lines += [
            "Models without a row are those that it does not touch.\n",
            "</details>\n",
        ]
    return lines


def _curve(frame: pd.DataFrame) -> list[str]:
    rows = frame[(frame["metric"] == MAIN) & (frame["cohort"] == EVERYONE)]
    rows, _ = over_seeds(rows)
    by = ["modality", "domain"] if "modality" in rows else ["domain"]
    lines = []
    for what, part in rows.groupby(by, sort=False):
        lines += [f"**{', '.join(what)}**\n", *_shares(part)]
    return lines


def _shares(part: pd.DataFrame) -> list[str]:
    shares = sorted(part["share"].unique())
    lines = [
        f"| question | model | n | {' | '.join(f'{share:.1%}' for share in shares)} |",
        "|---|---|---|" + "---|" * len(shares),
    ]
    for (protocol, model, variant), own in part.groupby(["protocol", *_WHO], sort=False):
        if own["mean"].nunique() == 1:
            continue
        at = own.set_index("share")
        cells = [_cell(at.loc[share]) if share in at.index else "" for share in shares]
        n = int(own["n"].iloc[0])
        lines.append(f"| {protocol} | {name_of(model, variant)} | {n} | {' | '.join(cells)} |")
    return [*lines, ""]


def compared_parts(runs: Iterable[Run], folder: Path) -> list[str]:
    """The sections of all comparisons among the runs, and the curves of any run."""
    lines: list[str] = []
    for run in runs:
        if run.info.is_comparison:
            lines += comparison_section(run, folder)
        lines += curves_section(run, folder)
    return lines
