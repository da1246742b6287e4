"""``docs/results.md`` from stored runs.

Every figure is read from a run's metrics, but for what people put between comments that say so
(``KEPT``). Runs of the same dataset and split are put side by side, compared user by user with the
full model of the same seed. What ``compare`` wrote has tables of its own, and so have curves of
models trained on less. The words stand in ``templates``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.data.spreadsheets import CsvFolder
from micrec_core.figures.picking import pick
from micrec_core.names import COLD, DEGREE, EVERYONE, MICREC, SUMMARY, VARIANTS
from micrec_core.protocols import PROTOCOLS
from micrec_core.report.comparisons import comparison, curves
from micrec_core.report.pooled import cold_users_together
from micrec_core.report.render import render
from micrec_core.report.reproduce import train_command
from micrec_core.report.stored_runs import (
    MAIN,
    Group,
    dataset_of,
    everyone,
    label,
    slug,
    split_seed,
    title,
)
from micrec_core.report.summary import summary
from micrec_core.runs import Run, open_run
from micrec_core.runs.files import write_out

METRICS = ("ndcg@10", "ndcg@20", "recall@10", "recall@20")
# What people wrote into the page, each between two comments that name it.
KEPT = ("by hand", "by hand, at the end")


def write_results(
    paths: Iterable[Path],
    out: Path,
    notes: Mapping[str, str] | None = None,
    draws: Iterable[Path] = (),
    *,
    exact: bool = False,
) -> None:
    """Write the report and, beside it, a folder of the tables as CSV.

    What stands between ``<!-- by hand -->`` and ``<!-- end of by hand -->`` in the page that was
    there stays, as does what stands so at its end (``by hand, at the end``).

    Parameters
    ----------
    notes : dataset name -> a sentence that must stand above its tables
    draws : runs of the full model that are put together in tables over several draws of a split
    exact : leave texts of the CSVs as they are, though a spreadsheet might run them as formulas
    """
    runs: dict[tuple[str, str, str, int, str], list[Run]] = defaultdict(list)
    for path in paths:
        run = open_run(path)
        data = dataset_of(run)
        drawn = run.info.split, split_seed(run), run.info.mask
        runs[data.name, data.fingerprint, *drawn].append(run)
    folder = CsvFolder(out.parent / out.stem, exact)
    folder.path.mkdir(parents=True, exist_ok=True)
    groups = [
        Group(sorted(own, key=lambda r: (r.info.model != MICREC, label(r), r.info.seed)))
        for own in runs.values()
    ]
    text = render(
        "results.md",
        summary=summary(groups),
        sections=[_section(group, folder, notes or {}) for group in groups],
        pooled=cold_users_together([open_run(path) for path in draws], folder),
        metrics=METRICS,
        kept=kept(out),
    )
    write_out(out, text)


def kept(page: Path) -> list[str]:
    """The parts of ``KEPT`` as they stand in a page, with their comments; empty where not."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    found = (re.search(f"<!-- {name} -->.*?<!-- end of {name} -->", before, re.S) for name in KEPT)
    return [part.group() if part else "" for part in found]


def _section(group: Group, folder: CsvFolder, notes: Mapping[str, str]) -> dict[str, Any]:
    """What is said of runs of one dataset and split: of single models, then of comparisons."""
    first, runs = group.runs[0], group.single
    known = first.info.split == "known"
    return {
        "title": title(first),
        "note": notes.get(dataset_of(first).name),
        "known": _known(group, folder) if runs and known else [],
        "degree": _degree(runs) if known else None,
        "inductive": _inductive(group, folder) if runs and not known else {},
        "variants": {run.name: _variants(run) for run in runs if _has_variants(run)},
        "runs": [_made(run) for run in runs],
        "fingerprint": dataset_of(first).fingerprint,
        "config": json.dumps(runs[0].info.config, default=str) if runs else None,
        "compared": [
            (comparison(run, folder) if run.info.is_comparison else None, curves(run, folder))
            for run in group.runs
        ],
    }


def _known(group: Group, folder: CsvFolder) -> list[dict[str, Any]]:
    """A table a domain: every model of the first seed, its seeds and its test."""
    runs, tests = group.single, _tests(group, "known")
    popular = _summary(runs[0], "popularity", "known")
    stored = [_summary(run, run.info.model, "known").assign(label=label(run)) for run in runs]
    everything = pd.concat([*stored, popular.assign(label="popularity")])
    folder.write(slug(runs[0]), everything)
    tables = []
    for domain in [d.name for d in dataset_of(runs[0]).domains]:
        rows = []
        for name in dict.fromkeys(label(run) for run in runs):
            members = [(r, s) for r, s in zip(runs, stored) if label(r) == name]
            seeds = pd.Series([_metrics(s, domain)[MAIN]["mean"] for _, s in members])
            run, own = members[0]
            about = {"name": name, "seed": run.info.seed, "seeds": seeds}
            rows.append({**about, "at": _metrics(own, domain), "test": tests.get((name, domain))})
        tables.append({"domain": domain, "rows": rows, "popular": _metrics(popular, domain)})
    return tables


def _inductive(group: Group, folder: CsvFolder) -> dict[str, list[dict[str, Any]]]:
    """A table a protocol; what is set beside the models stands once, by the full model."""
    tables: dict[str, list[dict[str, Any]]] = {}
    stored = []
    for protocol in (name for name, p in PROTOCOLS.items() if p.split == "inductive"):
        tests, rows = _tests(group, protocol), tables.setdefault(protocol, [])
        for run in group.single:
            own = run.info.model
            asked = dict.fromkeys(run.frame(SUMMARY)["model"]) if label(run) == MICREC else [own]
            for model in asked:
                name = label(run) if model == own else model
                found = _summary(run, model, protocol)
                stored.append(found.assign(label=name, split_seed=split_seed(run)))
                for domain in dict.fromkeys(found["domain"]):
                    beside = _against(run, model, protocol, domain)
                    test = tests.get((name, domain)) if model == own else beside
                    about = {"name": name, "seed": run.info.seed, "domain": domain, "test": test}
                    rows.append({**about, "at": _metrics(found, domain)})
    folder.write(slug(group.single[0]), pd.concat(stored))
    return tables


def _tests(group: Group, protocol: str) -> dict[tuple[str, str], Any]:
    """By label and domain, the row set beside the full model's."""
    rows = group.tested(protocol).to_dict("records")
    return {(row["name"], row["domain"]): row for row in rows}


def _against(run: Run, model: str, protocol: str, domain: str) -> Any:
    """What stands beside the full model of the same run, with its test; None where not tested."""
    asked: dict[str, object] = {"model": model, "protocol": protocol, "domain": domain}
    for table in (COLD, VARIANTS):
        if not run.has(table):
            continue
        rows = pick(run.frame(table), cohort=EVERYONE, metric=MAIN, seed=run.info.seed, **asked)
        for row in rows.dropna(subset=["diff"]).to_dict("records"):
            return row
    return None


def _has_variants(run: Run) -> bool:
    """Whether the model was also trained without something; baselines stand beside any run."""
    return run.has(VARIANTS) and pick(run.frame(VARIANTS), model=MICREC)["variant"].nunique() > 1


def _variants(run: Run) -> list[dict[str, Any]]:
    """NDCG@20 of every variant and baseline stored in one run, over its seeds where several."""
    rows = everyone(run.frame(VARIANTS), metric=MAIN)
    found: list[dict[str, Any]] = rows.sort_values(["protocol", "domain"], kind="stable").to_dict(
        "records"
    )
    return found


def _degree(runs: Sequence[Run]) -> dict[str, Any] | None:
    """Item-side recall@20 by train degree, of the models trained with the first seed."""
    chosen = {label(r): r for r in reversed(runs) if not r.info.without}
    frames = {
        name: pick(chosen[name].frame(DEGREE), model=name).set_index(["domain", "bin"])
        for name in (MICREC, "inmo", "lightgcn")
        if name in chosen
    }
    if not frames:
        return None
    at = [frame.to_dict("index") for frame in frames.values()]
    return {"names": list(frames), "rows": [(key, [a[key] for a in at]) for key in at[0]]}


def _summary(run: Run, model: str, protocol: str) -> pd.DataFrame:
    return pick(run.frame(SUMMARY), model=model, protocol=protocol, cohort=EVERYONE)


def _metrics(summary: pd.DataFrame, domain: str) -> dict[str, Any]:
    """A domain's rows by metric."""
    found: dict[str, Any] = pick(summary, domain=domain).set_index("metric").to_dict("index")
    return found


def _made(run: Run) -> dict[str, Any]:
    """Cost and command of a run."""
    seconds = float(run.history()["seconds"].sum())
    return {"run": run, "label": label(run), "seconds": seconds, "command": train_command(run)}
