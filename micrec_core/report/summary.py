"""The head of the report: who is best, which mechanism earns its place; all from stored tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from micrec_core.figures.findings import unable_to_rank
from micrec_core.figures.picking import pick
from micrec_core.figures.verdicts import enough, verdict
from micrec_core.mechanisms import MECHANISMS
from micrec_core.names import ALIGNMENT, LEVEL, MICREC, SUMMARY, TESTS, VARIANTS
from micrec_core.protocols import PROTOCOLS
from micrec_core.report.stored_runs import (
    MAIN,
    Group,
    dataset_of,
    everyone,
    first_of_each,
    n_items,
    name_of,
    split_seed,
)
from micrec_core.runs import Run

_WITHOUT = f"{MICREC} without "
# How often users find themselves in the other domain: what the contrast is trained for.
_RETRIEVAL = "mrr"
NEW_ITEMS = "new-items"


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
        found = verdict(self.full - self.other, self.p)
        return "open" if found == "untested" else found

    @property
    def where(self) -> str:
        return f"{self.data}: {self.protocol}, {self.domain}"


def findings(group: Group) -> list[Finding]:
    """Of runs of one dataset and split: of single models, of variants of a run, of comparisons.

    Where texts are the only modality, to do without modalities is to do without text too. Of new
    items, models that give all of them one score are nothing to be compared with.
    """
    found = list(_of_single(group))
    for run in group.runs:
        found += _of_comparison(run) if run.info.is_comparison else _of_variants(run)
    unable = set().union(*map(_unable_to_rank, group.runs))
    found = [f for f in found if f.protocol != NEW_ITEMS or (f.name, f.domain) not in unable]
    only = {next(iter(run.info.encoders)) for run in group.single if len(run.info.encoders) == 1}
    alone = [finding for finding in found if finding.name == f"{_WITHOUT}modality"]
    return found + [replace(f, name=_WITHOUT + m) for m in sorted(only) for f in alone]


def _unable_to_rank(run: Run) -> set[tuple[str, str]]:
    """Models of a run that give every new item of a domain the same score, and the domain."""
    rows = everyone(run.frame(SUMMARY), protocol=NEW_ITEMS, metric=MAIN)
    return unable_to_rank(rows) if len(rows) else set()


def _short(run: Run) -> str:
    """What the tables of the head call a run's data."""
    drawn = f" {split_seed(run)}" if run.info.split != "known" else ""
    masked = "" if run.info.mask == "all" else ", train alone masked"
    return f"{dataset_of(run).name} ({n_items(run):,} items), {run.info.split}{drawn}{masked}"


def _of_single(group: Group) -> Iterator[Finding]:
    for protocol in PROTOCOLS:
        for row in _enough(group.tested(protocol)):
            yield _finding(_short(group.runs[0]), protocol, row["name"], row)


def _of_comparison(run: Run) -> Iterator[Finding]:
    for row in _enough(pick(run.frame(TESTS), metric=MAIN)):
        yield _finding(_short(run), row["protocol"], name_of(row["model"], row["variant"]), row)


def _of_variants(run: Run) -> Iterator[Finding]:
    if not run.has(VARIANTS):
        return
    rows = everyone(run.frame(VARIANTS), metric=MAIN).dropna(subset=["p_holm"])
    # A run with variants is one of the full model, beside its own tests of single runs.
    for row in _enough(rows):
        beside = row | {"reference_mean": row["mean"] - row["diff"]}
        yield _finding(_short(run), row["protocol"], name_of(row["model"], row["variant"]), beside)


def _enough(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of enough users for a figure."""
    found: list[dict[str, Any]] = enough(rows).to_dict("records") if len(rows) else []
    return found


def _finding(data: str, protocol: str, name: str, row: dict[str, Any]) -> Finding:
    return Finding(
        data, protocol, row["domain"], name, row["reference_mean"], row["mean"], row["p_holm"]
    )


def summary(groups: Sequence[Group]) -> dict[str, Any]:
    """What the head of the report is made of.

    Parameters
    ----------
    groups : runs of one dataset and split each
    """
    found = [finding for group in groups for finding in findings(group)]
    baselines = [finding for finding in found if not finding.name.startswith(_WITHOUT)]
    not_told: dict[str, list[str]] = {}
    for finding in baselines:
        if finding.verdict == "open":
            not_told.setdefault(finding.where, []).append(finding.name)
    return {
        "best": _best(baselines),
        "mechanisms": _mechanisms(found),
        "alignment": _alignment(groups),
        "worse": [finding for finding in baselines if finding.verdict == "worse"],
        "not_told": not_told,
        "level": LEVEL,
    }


def _best(baselines: Sequence[Finding]) -> list[tuple[Finding, list[int]]]:
    """Of every question the best baseline, and how many are worse, not told apart, better."""
    asked: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in baselines:
        key = finding.data, finding.protocol, finding.domain
        asked.setdefault(key, []).append(finding)
    return [
        (
            max(own, key=lambda finding: finding.other),
            [sum(f.verdict == verdict for f in own) for verdict in ("better", "open", "worse")],
        )
        for own in asked.values()
    ]


def _mechanisms(found: Sequence[Finding]) -> dict[str, dict[str, list[Finding]]]:
    """By mechanism and verdict on the full model, what it does without; the plainest first."""
    own = {m: [f for f in found if f.name == _WITHOUT + m] for m in MECHANISMS}
    return {
        mechanism: {
            verdict: sorted(
                (f for f in tested if f.verdict == verdict), key=lambda finding: -abs(finding.gain)
            )
            for verdict in ("better", "worse", "open")
        }
        for mechanism, tested in own.items()
        if tested
    }


def _alignment(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """How well overlapping users' vectors find their partners, of the full model and variants."""
    rows = []
    for group in groups:
        own = [
            {"data": _short(group.runs[0]), "name": name, **row}
            for name, run in first_of_each(group.single).items()
            for row in _retrieval(run)
        ]
        rows += own if len(own) > 1 else []
    return rows


def _retrieval(run: Run) -> list[dict[str, Any]]:
    """The chosen epoch's row, of the first pair of domains; none where it was not measured."""
    if not run.has(ALIGNMENT):
        return []
    rows = pick(run.frame(ALIGNMENT), metric=_RETRIEVAL, epoch=run.info.best_epoch)
    first: list[dict[str, Any]] = rows.head(1).to_dict("records")
    return first
