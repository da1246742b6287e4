"""One self-contained HTML file of a run: facts, findings, charts, tables; works offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from micrec_core.figures import (
    ablations,
    alignment,
    findings,
    low_degree,
    modalities,
    retrain,
    theme,
)
from micrec_core.figures.data import domain_table
from micrec_core.figures.tables import of_pair, own_seed, pick
from micrec_core.names import (
    ALIGNMENT,
    BEYOND,
    CUTOFF,
    DEGREE,
    LAYOUTS,
    SNAPSHOT_USERS,
    VARIANTS,
    WEIGHTS,
    curve_file,
)
from micrec_core.protocols import CURVES

Frame = Callable[[str], pd.DataFrame | None]
Vectors = Callable[[int], Mapping[str, NDArray[np.floating]]]
_MAX_ROWS = 300

_STYLE = """
body{font:15px/1.5 "Source Sans 3","Source Sans Pro",system-ui,sans-serif;color:#1f2933;
max-width:1080px;margin:0 auto;padding:24px;background:#fff}
h1{margin-bottom:0}h2{margin-top:2em;border-bottom:1px solid #e1e5ea}
p.note{color:#52606d}table{border-collapse:collapse;font-size:13px}
td,th{border:1px solid #e1e5ea;padding:3px 8px;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:12px}
.card{border:1px solid #d9dde3;border-radius:8px;padding:12px}
.badge{background:#fff3e0;color:#8a4b00;border-radius:4px;padding:2px 8px}
details{margin:.4em 0 1.6em}.scroll{max-height:420px;overflow:auto}
"""


@dataclass(frozen=True)
class Section:
    """A chart of the report with what it shows in words and its numbers."""

    title: str
    figure: go.Figure
    table: pd.DataFrame
    note: str


def html_report(
    info: Mapping[str, Any], frame: Frame, history: pd.DataFrame, vectors: Vectors | None = None
) -> str:
    """The report as one HTML document without any outside reference.

    Parameters
    ----------
    info : content of run.json as plain values
    frame : gives a table of the run by its path, None where the run has none
    history : one row per epoch, as ``Run.history`` gives it
    vectors : gives ``a`` and ``b`` [n, D] of a snapshot's epoch; without it there is no map
    """
    dataset = info["dataset"]
    labels = {d["name"]: d["label"] or d["name"] for d in dataset["domains"]}
    parts = [_head(info, labels), _findings(info, frame, labels), _data(dataset)]
    script: bool | str = True
    for section in _sections(info, frame, history, vectors, labels):
        chart = theme.themed(section.figure).to_html(
            full_html=False, include_plotlyjs=script, config={"displaylogo": False}
        )
        script = False
        parts.append(
            f"<h2>{escape(section.title)}</h2>{chart}<p class='note'>{escape(section.note)}</p>"
            f"<details><summary>Table</summary>{_table(section.table)}</details>"
        )
    parts.append(_facts(info))
    title = escape(f"MICRec Explorer: run {info['name']}")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _head(info: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    badge = "<span class='badge'>sample data (synthetic)</span>"
    without = ", ".join(info["without"]) or "nothing"
    model = (
        f"Model {escape(info['model'])}, variant {escape(info['variant'])} (switched off: "
        f"{escape(without)}), seed {info['seed']}"
        if info.get("kind") != "comparison"
        else "Several models, compared under one protocol"
    )
    return (
        f"<h1>Run {escape(info['name'])}</h1><p>{badge if info['dataset']['synthetic'] else ''} "
        f"{model}, split {escape(info['split'])}, trained on "
        f"<b>{escape(info['dataset']['name'])}</b> with {escape(' and '.join(labels.values()))}; "
        f"{info['dataset']['n_overlap']:,} people are known in more than one domain.</p>"
    )


def _findings(info: Mapping[str, Any], frame: Frame, labels: Mapping[str, str]) -> str:
    tables = {t: frame(f"metrics/{t}.parquet") for t in findings.TABLES}
    cards = [
        f"<div class='card'><b>{escape(f.title)}</b>"
        + "".join(f"<p class='note'>{escape(line)}</p>" for line in f.lines)
        + "</div>"
        for f in findings.all_findings(tables, labels, info.get("seed"))
    ]
    return f"<h2>What was found</h2><div class='cards'>{''.join(cards)}</div>" if cards else ""


def _data(dataset: Mapping[str, Any]) -> str:
    source = escape(dataset["source"] or "not named")
    licence = escape(dataset["licence"] or "not named")
    notes = "".join(f"<li>{escape(note)}</li>" for note in dataset["notes"])
    return (
        f"<h2>The data</h2>{_table(domain_table(list(dataset['domains'])))}"
        f"<p class='note'>Source: {source}. Licence: {licence}.</p><ul>{notes}</ul>"
    )


def _facts(info: Mapping[str, Any]) -> str:
    named = {
        **{k: info[k] for k in ("created", "finished", "device", "best_epoch", "n_parameters")},
        **{f"encoder of {k}": v for k, v in info["encoders"].items()},
        **{f"setting {k}": v for k, v in info["config"].items()},
        **{f"version of {k}": v for k, v in info["versions"].items()},
        "dataset fingerprint": info["dataset"]["fingerprint"],
    }
    table = pd.DataFrame({"fact": list(named), "value": [str(v) for v in named.values()]})
    return f"<h2>How this run was made</h2>{_table(table)}"


def _table(table: pd.DataFrame) -> str:
    """An escaped table; numbers to four places, the first rows of a long one."""
    shown = table.head(_MAX_ROWS)
    head = "".join(f"<th>{escape(str(c))}</th>" for c in shown.columns)
    body = "".join(
        "<tr>" + "".join(_cell(v) for v in row) + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    more = "" if len(table) <= _MAX_ROWS else f"<p class='note'>First {_MAX_ROWS} rows.</p>"
    return f"<div class='scroll'><table><tr>{head}</tr>{body}</table></div>{more}"


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"<td class='n'>{'' if np.isnan(value) else f'{value:.4g}'}</td>"
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"<td class='n'>{value:,}</td>"
    return f"<td>{escape(str(value))}</td>"


def _sections(
    info: Mapping[str, Any],
    frame: Frame,
    history: pd.DataFrame,
    vectors: Vectors | None,
    labels: Mapping[str, str],
) -> Iterator[Section]:
    if not history.empty:
        yield Section(
            "The training",
            retrain.valid_curves(history, labels, best_epoch=info["best_epoch"]),
            history,
            "Validation NDCG@20 over the epochs; the best epoch is kept.",
        )
    yield from _ablation_sections(frame, labels)
    yield from _stress_sections(frame, labels)
    yield from _degree_sections(frame, labels)
    yield from _weight_sections(frame, labels)
    if vectors is not None:
        yield from _alignment_sections(frame, vectors, labels)


def _ablation_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    variants = frame(VARIANTS)
    if variants is not None:
        rows = pick(variants, protocol="known", cohort="all", metric=findings.HEADLINE)
        rows = ablations.labelled(rows)
        yield Section(
            "Variants and baselines",
            ablations.scores(rows, labels),
            rows,
            f"NDCG@20 of known users, 95 % intervals over users. {ablations.seeds_said(rows)}",
        )
        if rows["diff"].notna().any():
            yield Section(
                "Difference from the full model",
                ablations.differences(rows, labels),
                rows[rows["diff"].notna()],
                "Paired by user; hollow: not significant after Holm's correction.",
            )
    cutoff = frame(CUTOFF)
    if cutoff is not None:
        first = "ndcg" if (cutoff["metric"] == "ndcg").any() else cutoff["metric"].iloc[0]
        rows = pick(cutoff, metric=first, variant="full")
        yield Section(
            "By length of the list",
            ablations.cutoff_curves(rows, labels),
            rows,
            f"{theme.metric_label(str(rows['metric'].iloc[0]))} against the list length K.",
        )


def _stress_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    """Models trained on less, of known users; a section for each modality that is lost."""
    for stress, curve in CURVES.items():
        table = frame(curve_file(stress))
        if table is None:
            continue
        rows = pick(table, metric=findings.HEADLINE, protocol="known", cohort="all", variant="full")
        for lost in dict.fromkeys(rows["modality"]) if "modality" in rows else [None]:
            part = rows if lost is None else pick(rows, modality=lost)
            named = {d: label for d, label in labels.items() if d in set(part["domain"])}
            if named:
                yield Section(
                    curve.question + (f" Lost: {lost}." if lost else ""),
                    ablations.stress_curves(part, stress, named),
                    own_seed(part),
                    f"NDCG@20 of models trained anew. {curve.note}",
                )


def _degree_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    degree, beyond = frame(DEGREE), frame(BEYOND)
    if degree is not None:
        rows = pick(degree, variant="full")
        yield Section(
            "By how known the item is",
            low_degree.recall_by_bin(rows, labels),
            rows,
            "Item-side recall@20 with 95 % intervals; hatched: fewer than 30 items.",
        )
    if beyond is not None:
        rows = pick(beyond, variant="full")
        note = "Coverage of the catalogue, popularity of the lists, likeness within them."
        yield Section("Beyond accuracy", low_degree.beyond_accuracy(rows, labels), rows, note)


def _weight_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    weights = frame(WEIGHTS)
    if weights is None or weights.empty:
        return
    long = modalities.long_weights(weights)
    whole = modalities.all_of(modalities.names(weights))
    yield Section(
        modalities.against(modalities.names(weights)),
        modalities.distributions(modalities.quantiles(long), labels),
        modalities.quantiles(long),
        f"Weights of entities that have {whole}: median, middle half and middle nine tenths.",
    )
    having = modalities.by_having(long)
    for entity in dict.fromkeys(having["entity"]):
        rows = pick(having, entity=entity)
        yield Section(
            f"By what is missing, {entity}s",
            modalities.group_means(rows, "have", labels, "What it has"),
            rows,
            "Mean weight by what an entity has, 95 % intervals. Weight is not effect.",
        )


def _how_many(stages: Mapping[str, pd.DataFrame], users: pd.DataFrame) -> str:
    drawn = next(iter(stages.values()))["user_id"].nunique()
    grey = " The grey density has all of them." if drawn < len(users) else ""
    return f"Showing {drawn:,} of {len(users):,} people.{grey}"


def _alignment_sections(
    frame: Frame, vectors: Vectors, labels: Mapping[str, str]
) -> Iterator[Section]:
    users, layouts = frame(SNAPSHOT_USERS), frame(LAYOUTS)
    metrics = frame(ALIGNMENT)
    pair = dict(list(labels.items())[:2])
    if users is None or layouts is None or layouts.empty or len(pair) < 2:
        return
    method = max(layouts["method"].unique())
    epochs = sorted(layouts["epoch"].unique())
    stages, distances, densities = {}, {}, []
    for name, epoch in (("Before", epochs[0]), ("After", epochs[-1])):
        both = vectors(int(epoch))
        title = f"{name} (epoch {epoch})"
        layout = pick(layouts, epoch=epoch, method=method)
        points = alignment.points(users, layout, both["a"], both["b"], list(pair))
        stages[title], everyone = alignment.shown(points)
        densities.append(everyone)
        distances[title] = points.drop_duplicates("user_id")["distance"]
    yield Section(
        "The same people in both domains",
        alignment.before_after(stages, pair, worst=10, densities=densities),
        pd.DataFrame(distances).describe().reset_index(),
        f"{method.upper()} layout; 2-D distances are illustrative. {_how_many(stages, users)} "
        "The table has the cosine distance of the same person's two vectors in all dimensions.",
    )
    if metrics is not None:
        metrics = of_pair(metrics, *pair)
        last = metrics[metrics["epoch"] == metrics["epoch"].max()]
        yield Section(
            "Alignment over the training",
            alignment.metric_curve(metrics, "paired_cosine", "Cosine of true pairs"),
            last,
            "With its 95 % interval and the random baseline; the table has all of the last epoch.",
        )
