"""The head of the report: who is best, which mechanism earns its place; all from stored tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from micrec_core.mechanisms import MECHANISMS
from micrec_core.names import ALIGNMENT, EVERYONE, TESTS, VARIANTS
from micrec_core.protocols import PROTOCOLS
from micrec_core.report.stored_runs import (
    FULL,
    MAIN,
    Group,
    dataset_of,
    first_of_each,
    n_items,
    name_of,
    over_seeds,
    split_seed,
)
from micrec_core.runs import Run

LEVEL = 0.05
_WITHOUT = f"{FULL} without "
# How often users find themselves in the other domain: what the contrast is trained for.
_RETRIEVAL = "mrr"


@dataclass(frozen=True)
class Finding:
    """The full model's NDCG@20 beside that of another model, or of itself without something.

    Attributes
    ----------
    data : dataset and split
    name : of the other: a model, or ``micrec without text``
    p : of the paired test, Holm-corrected over the table that it stands in
    """

    data: str
    protocol: str
    domain: str
    name: str
    full: float
    other: float
    p: float

    @property
    def gain(self) -> float:
        """How much better the full model is, relative to the other."""
        return self.full / self.other - 1.0 if self.other else float("nan")

    @property
    def verdict(self) -> str:
        """``better`` (the full model), ``worse``, or ``open``: no difference can be shown."""
        if not self.p < LEVEL:
            return "open"
        return "better" if self.full > self.other else "worse"

    @property
    def where(self) -> str:
        return f"{self.data}: {self.protocol}, {self.domain}"


def findings(group: Group) -> list[Finding]:
    """Of runs of one dataset and split: of single models, of variants of a run, of comparisons.

    Where texts are the only modality, to do without modalities is to do without text too.
    """
    found = list(_of_single(group))
    for run in group.runs:
        found += _of_comparison(run) if run.info.is_comparison else _of_variants(run)
    only = {next(iter(run.info.encoders)) for run in group.single if len(run.info.encoders) == 1}
    alone = [finding for finding in found if finding.name == f"{_WITHOUT}modality"]
    return found + [replace(f, name=_WITHOUT + m) for m in sorted(only) for f in alone]


def _short(run: Run) -> str:
    """What the tables of the head call a run's data."""
    drawn = f" {split_seed(run)}" if run.info.split != "known" else ""
    return f"{dataset_of(run).name} ({n_items(run):,} items), {run.info.split}{drawn}"


def _of_single(group: Group) -> Iterator[Finding]:
    for protocol in PROTOCOLS:
        for row in group.tested(protocol).to_dict("records"):
            yield _finding(_short(group.runs[0]), protocol, row["name"], row)


def _of_comparison(run: Run) -> Iterator[Finding]:
    tests = run.frame(TESTS)
    for row in tests[tests["metric"] == MAIN].to_dict("records"):
        yield _finding(_short(run), row["protocol"], name_of(row["model"], row["variant"]), row)


def _of_variants(run: Run) -> Iterator[Finding]:
    if not run.has(VARIANTS):
        return
    rows = run.frame(VARIANTS)
    rows, _ = over_seeds(rows[(rows["metric"] == MAIN) & (rows["cohort"] == EVERYONE)])
    # A run with variants is one of the full model, beside its own tests of single runs.
    for row in rows[rows["p_holm"].notna()].to_dict("records"):
        beside = row | {"reference_mean": row["mean"] - row["diff"]}
        yield _finding(_short(run), row["protocol"], name_of(row["model"], row["variant"]), beside)


def _finding(data: str, protocol: str, name: str, row: dict[str, Any]) -> Finding:
    return Finding(
        data, protocol, row["domain"], name, row["reference_mean"], row["mean"], row["p_holm"]
    )


def summary_parts(groups: Sequence[Group]) -> list[str]:
    """The head of the report.

    Parameters
    ----------
    groups : runs of one dataset and split each
    """
    found = [finding for group in groups for finding in findings(group)]
    parts = [*_best(found), *_mechanisms(found), *_alignment(groups), *_failed(found)]
    return ["## In short\n", *parts] if parts else []


def _best(found: Sequence[Finding]) -> list[str]:
    """The full model against the best other model of every question."""
    asked: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in found:
        if not finding.name.startswith(_WITHOUT):
            key = finding.data, finding.protocol, finding.domain
            asked.setdefault(key, []).append(finding)
    if not asked:
        return []
    lines = [
        "**The full model against the best of the others**, NDCG@20. The best is named by its "
        "test value, which favours it; p and counts are of the tables below. In a comparison each "
        "model stands at the point of its grid that validation chose. Data are named with "
        "their split (`known`: trained on everything) and the seed it was drawn with.\n",
        "| data | question | domain | full | best of the others | full is | p (Holm) | "
        "others worse | not told apart | better |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, protocol, domain), baselines in asked.items():
        best = max(baselines, key=lambda finding: finding.other)
        verdicts = [finding.verdict for finding in baselines]
        counts = " | ".join(str(verdicts.count(v)) for v in ("better", "open", "worse"))
        lines.append(
            f"| {data} | {protocol} | {domain} | {best.full:.4f} | {best.name} {best.other:.4f} | "
            f"{best.gain:+.1%} | {_p(best.p)} | {counts} |"
        )
    return [*lines, ""]


def _mechanisms(found: Sequence[Finding]) -> list[str]:
    """Where the full model loses by doing without a mechanism, where it gains, where neither."""
    lines = []
    for mechanism in MECHANISMS:
        own = [finding for finding in found if finding.name == _WITHOUT + mechanism]
        if not own:
            continue
        cells = [_places(own, verdict) for verdict in ("better", "worse")]
        n_open = sum(finding.verdict == "open" for finding in own)
        lines.append(f"| {mechanism} | {' | '.join(cells)} | {n_open} of {len(own)} |")
    if not lines:
        return []
    return [
        "**What each mechanism earns**, NDCG@20 of the full model relative to the same without it, "
        f"where a paired test tells them apart (p below {LEVEL}, Holm-corrected). A mechanism with "
        "nothing in the first column has shown no gain on any ranking question asked here; where "
        "there is but one modality, that is the one that goes.\n",
        "| mechanism | the full model is better | the full model is worse | no difference shown |",
        "|---|---|---|---|",
        *lines,
        "",
    ]


def _places(own: Sequence[Finding], verdict: str) -> str:
    told = sorted((f for f in own if f.verdict == verdict), key=lambda finding: -abs(finding.gain))
    return "<br>".join(f"{f.where} ({f.gain:+.1%}, p {_p(f.p)})" for f in told) or "nowhere"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _failed(found: Sequence[Finding]) -> list[str]:
    """What did not work, as far as the stored tests tell."""
    baselines = [f for f in found if not f.name.startswith(_WITHOUT)]
    lines = [
        f"- On {f.where}, {f.name} is better than the full model ({-f.gain:.1%}, p {_p(f.p)})."
        for f in baselines
        if f.verdict == "worse"
    ]
    level = dict.fromkeys(f.where for f in baselines if f.verdict == "open")
    for where in level:
        names = [f.name for f in baselines if f.where == where and f.verdict == "open"]
        lines.append(f"- On {where}, it cannot be told apart from {', '.join(names)}.")
    for mechanism in MECHANISMS:
        own = [f for f in found if f.name == _WITHOUT + mechanism]
        if own and not any(f.verdict == "better" for f in own):
            lines.append(f"- No gain of {mechanism} could be shown in {len(own)} tests.")
    if not lines:
        return []
    return ["**What did not work**; for attempts that were not kept, see `notes/`\n", *lines, ""]


def _alignment(groups: Sequence[Group]) -> list[str]:
    """How well overlapping users' vectors find their partners, of the full model and variants."""
    lines = []
    for group in groups:
        aligned = {
            name: shown
            for name, run in first_of_each(group.single).items()
            if (shown := _retrieval(run)) is not None
        }
        if len(aligned) > 1:
            lines += [
                f"| {_short(group.runs[0])} | {name} | {cell} |" for name, cell in aligned.items()
            ]
    if not lines:
        return []
    return [
        "**Alignment**: mean reciprocal rank of an overlapping user's own vector among all users "
        "of the other domain by cosine, with its 95 % bootstrap interval, at the chosen epoch; "
        "what the contrast is trained for, on users it was trained on.\n",
        "| data | model | MRR | by chance | n |",
        "|---|---|---|---|---|",
        *lines,
        "",
    ]


def _retrieval(run: Run) -> str | None:
    if not run.has(ALIGNMENT):
        return None
    frame: pd.DataFrame = run.frame(ALIGNMENT)
    frame = frame[(frame["metric"] == _RETRIEVAL) & (frame["epoch"] == run.info.best_epoch)]
    if frame.empty:
        return None
    row = frame.iloc[0]
    return (
        f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}] | {row['random']:.4f} | "
        f"{int(row['n'])}"
    )
