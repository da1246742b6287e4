"""One self-contained HTML file of a run: facts, findings, charts, tables; works offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
    verdicts,
)
from micrec_core.figures.data import domain_table
from micrec_core.figures.picking import of_pair, own_seed, pick
from micrec_core.names import (
    ALIGNMENT,
    BEYOND,
    CUTOFF,
    DEGREE,
    EVERYONE,
    FULL,
    HEADLINE,
    LAYOUTS,
    LOW_DEGREE,
    ONE_DOMAIN,
    SNAPSHOT_USERS,
    VARIANTS,
    WEIGHTS,
    curve_file,
)
from micrec_core.protocols import CURVES, MASKS
from micrec_core.report.render import render

Frame = Callable[[str], pd.DataFrame | None]
Vectors = Callable[[int], Mapping[str, NDArray[np.floating]]]
_MAX_ROWS = 300


@dataclass(frozen=True)
class Section:
    """A chart of the report with what it shows in words and its numbers.

    ``tested`` : whether it shows figures on test interactions
    """

    title: str
    figure: go.Figure
    table: pd.DataFrame
    note: str
    tested: bool = False


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
    labels = {d["name"]: d["label"] or d["name"] for d in info["dataset"]["domains"]}
    tables = {name: frame(name) for name in findings.TABLES}
    found = findings.Findings(tables, labels, info.get("seed"), info.get("variant", FULL))
    mask = info.get("mask", "all")
    sections = list(_sections(info, frame, history, vectors, labels))
    return render(
        "run.html",
        info=info,
        labels=labels,
        one_domain=ONE_DOMAIN,
        findings=found.every(),
        mechanisms=found.mechanisms(),
        how_tested=findings.how_tested(info.get("left_out") or {}, mask),
        masked=MASKS[mask],
        domains=domain_table(list(info["dataset"]["domains"])),
        sections=sections,
        # The first brings the script that draws all of them.
        charts=[
            theme.themed(section.figure).to_html(
                full_html=False, include_plotlyjs=not n, config={"displaylogo": False}
            )
            for n, section in enumerate(sections)
        ],
        max_rows=_MAX_ROWS,
    )


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
    one = verdicts.trainings(info.get("seed") or 0, 1).capitalize()
    yield from _ablation_sections(frame, labels, one)
    yield from _stress_sections(frame, labels)
    yield from _degree_sections(frame, labels, one)
    yield from _weight_sections(frame, labels)
    if vectors is not None:
        yield from _alignment_sections(frame, vectors, labels)


def _ablation_sections(frame: Frame, labels: Mapping[str, str], one: str) -> Iterator[Section]:
    variants = frame(VARIANTS)
    if variants is not None:
        rows = pick(variants, protocol="known", cohort=EVERYONE, metric=HEADLINE)
        rows = ablations.labelled(verdicts.enough(rows))
        yield Section(
            "Variants and baselines",
            ablations.scores(rows, labels),
            rows,
            f"NDCG@20 of known users, 95 % intervals over users. {ablations.seeds_said(rows)}",
            tested=True,
        )
        if rows["diff"].notna().any():
            yield Section(
                "Difference from the full model",
                ablations.differences(rows, labels),
                rows[rows["diff"].notna()],
                "Paired by user; hollow: not significant after Holm's correction. "
                f"{ablations.left_to_table(rows)} {verdicts.figures_of(rows)}",
                tested=True,
            )
    cutoff = frame(CUTOFF)
    if cutoff is not None:
        first = "ndcg" if (cutoff["metric"] == "ndcg").any() else cutoff["metric"].iloc[0]
        rows = pick(cutoff, metric=first, variant="full")
        drawn, said = verdicts.foremost(rows, "mean")
        yield Section(
            "By length of the list",
            ablations.cutoff_curves(drawn, labels),
            rows,
            f"{theme.metric_label(str(rows['metric'].iloc[0]))} against the list length K. {one}. "
            f"{said}",
            tested=True,
        )


def _stress_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    """Models trained on less, of known users; a section for each modality that is lost."""
    for stress, curve in CURVES.items():
        table = frame(curve_file(stress))
        if table is None:
            continue
        rows = pick(table, metric=HEADLINE, protocol="known", cohort=EVERYONE, variant=FULL)
        rows = verdicts.enough(rows)
        for lost in dict.fromkeys(rows["modality"]) if "modality" in rows else [None]:
            part = rows if lost is None else pick(rows, modality=lost)
            named = {d: label for d, label in labels.items() if d in set(part["domain"])}
            if named:
                yield Section(
                    curve.question + (f" Lost: {lost}." if lost else ""),
                    ablations.stress_curves(part, stress, named),
                    own_seed(part),
                    f"NDCG@20 of models trained anew. {verdicts.figures_of(part)} {curve.note}",
                    tested=True,
                )


def _degree_sections(frame: Frame, labels: Mapping[str, str], one: str) -> Iterator[Section]:
    degree, beyond = frame(DEGREE), frame(BEYOND)
    if degree is not None:
        rows = pick(degree, variant="full")
        claim = findings.Findings({LOW_DEGREE: frame(LOW_DEGREE)}, labels, None).low_degree()
        drawn, said = low_degree.foremost(rows, claim)
        yield Section(
            "By how known the item is",
            low_degree.recall_by_bin(drawn, labels),
            rows,
            f"Item-side recall@20 with 95 % intervals; hatched: fewer than 30 items. {one}. {said}",
            tested=True,
        )
    if beyond is not None:
        rows = pick(beyond, variant="full")
        note = f"Coverage of the catalogue, popularity of lists, likeness within them. {one}."
        figure = low_degree.beyond_accuracy(rows, labels)
        yield Section("Beyond accuracy", figure, rows, note, tested=True)


def _weight_sections(frame: Frame, labels: Mapping[str, str]) -> Iterator[Section]:
    weights = frame(WEIGHTS)
    if weights is None or not modalities.weighs(weights):
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
