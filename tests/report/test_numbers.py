"""One name, one number: no two figures of one thing differ unless they say what each is of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from micrec_core.figures.findings import TABLES, Findings
from micrec_core.names import model_label
from micrec_core.protocols import CURVES
from micrec_core.report.export import report
from micrec_core.runs import Run, open_run
from tests.reports import Sections

RUN = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"
LABELS = {"food": "Food", "kitchen": "Kitchen"}
# What is told, what it is of (None where it is not said), its value, and where.
Told = tuple[tuple[str, ...], str | None, float, str]
_OF = re.compile(r"[Mm]ean over \d+ seeds|[Oo]ne training \(seed \d+\)")
_SETTINGS = {
    "For known users": "known",
    "For new users": "new-users",
    "For users it never saw in a domain": "cold-domain",
    "For items without any interaction": "new-items",
}


def of(text: str) -> str | None:
    """What figures are said to be of: ``mean`` over the run's seeds, or ``seed 0``."""
    said = _OF.search(text)
    if said is None:
        return None
    return "mean" if "over" in said[0] else f"seed {re.search(r'[0-9]+', said[0])[0]}"


def told_by_report(html: str) -> Iterator[Told]:
    """Means of models on a question, from the tables of the report."""
    parser = Sections()
    parser.feed(html)
    for title, note, (head, *rows) in [s for s in parser.found if s[2]]:
        if not {"model", "variant", "domain", "metric", "mean"} <= set(head):
            continue
        for cells in rows:
            row = dict(zip(head, cells, strict=True))
            if "share" in row and float(row["share"]) != whole(title):
                continue
            metric = f"{row['metric']}@{row['k']}" if "k" in row else row["metric"]
            name = model_label(row["model"]) if row["variant"] == "full" else row["variant"]
            asked = row.get("protocol", "known"), row.get("cohort", "all")
            seed = row.get("seed")
            label = of(note) if seed is None else "mean" if seed == "-1" else f"seed {seed}"
            yield (name, *asked, LABELS[row["domain"]], metric), label, float(row["mean"]), title


def whole(title: str) -> float:
    return next(c.whole for c in CURVES.values() if title.startswith(c.question))


def told_by_overview(run: Run) -> Iterator[Told]:
    """Our model's figure and the other's, from the words of the findings."""
    tables = {name: run.frame(name) if run.has(name) else None for name in TABLES}
    for finding in Findings(tables, LABELS, run.info.seed).every():
        protocol = next((p for s, p in _SETTINGS.items() if finding.title.startswith(s)), None)
        for line in finding.lines if protocol else ():
            label = of(line) or of(finding.lines[-1])
            cohort = "full list" if "among all" in line else "all"
            found = re.match(r"(\w+)[\w ]*: (\d\.\d+)(?: against (\d\.\d+) of ([^,]+),)?", line)
            if found is None:
                continue
            domain, own, other, name = found.groups()
            yield ("MICRec", protocol, cohort, domain, "ndcg@20"), label, float(own), line
            if name:
                yield (name, protocol, cohort, domain, "ndcg@20"), label, float(other), line


def clashes(told: list[Told]) -> list[str]:
    """Things of which two figures differ though both are said to be of the same, or of nothing."""
    by_thing: dict[tuple[str, ...], list[tuple[str | None, float, str]]] = defaultdict(list)
    for thing, label, value, where in told:
        by_thing[thing].append((label, value, where))
    return [
        f"{thing}: {a} and {b}"
        for thing, entries in by_thing.items()
        for place, a in enumerate(entries)
        for b in entries[:place]
        if abs(a[1] - b[1]) > 6e-4 and (a[0] == b[0] or None in (a[0], b[0]))
    ]


@pytest.fixture(scope="module")
def told() -> list[Told]:
    run = open_run(RUN)
    return [*told_by_overview(run), *told_by_report(report(run))]


def test_no_two_figures_of_one_thing_differ_unsaid(told: list[Told]) -> None:
    assert len({where for *_, where in told}) > 10, "cards and sections are read"
    assert {label for _, label, *_ in told} >= {"mean", "seed 0"}
    assert clashes(told) == []


def test_figures_that_do_not_say_what_they_are_of_clash(told: list[Told]) -> None:
    unsaid = [
        (thing, None if where == "By length of the list" else label, value, where)
        for thing, label, value, where in told
    ]
    assert any("MICRec" in clash for clash in clashes(unsaid))


def test_every_finding_of_figures_says_what_they_are_of() -> None:
    run = open_run(RUN)
    found = list(told_by_overview(run))
    assert found and all(label is not None for _, label, *_ in found)


def test_every_chart_of_figures_says_what_they_are_of() -> None:
    """In words beside it: the table's own column of seeds is for who opens it."""
    parser = Sections()
    parser.feed(report(open_run(RUN)))
    unsaid = {title: of(note) for title, note, rows in parser.found if rows and "model" in rows[0]}
    assert len(unsaid) > 7 and None not in unsaid.values(), unsaid
