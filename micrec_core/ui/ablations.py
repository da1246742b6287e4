"""The curves of the Ablations page: over the list length, and under stress."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from micrec_core.figures import ablations as figures
from micrec_core.figures import verdicts
from micrec_core.figures.findings import TABLES, Findings
from micrec_core.figures.picking import pick
from micrec_core.figures.theme import metric_label, source_label
from micrec_core.mechanisms import variant_label
from micrec_core.modalities.registry import USUAL, in_order, listed
from micrec_core.names import COHORTS, EVERYONE, FULL_LIST, HEADLINE
from micrec_core.protocols import CURVES, PROTOCOL_LABELS
from micrec_core.ui.library import Opened
from micrec_core.ui.once import drawn, once
from micrec_core.ui.widgets import cells, chart, choose_one, choose_value, fragment, later, plain


def _beside_full(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Rows of the full model and of other models, and of one variant that the visitor chooses.

    All variants at once would be a dozen lines a chart.
    """
    others = [v for v in frame["variant"].unique() if v != "full"]
    other = st.selectbox(
        "One variant beside the full model",
        others,
        index=None,
        key=key,
        bind="query-params",
        format_func=variant_label,
        width=320,
        disabled=not others,
    )
    return pick(frame, variant=["full", other])


def show_claim(opened: Opened, protocol: str, metric: str, cohort: str) -> None:
    """What Overview claims of the question, where the page shows what the claim is of."""
    if metric != HEADLINE or cohort not in (EVERYONE, FULL_LIST):
        return
    if said := _claim(opened.run.key, protocol, opened):
        st.markdown(f"**{plain(said)}**")


@st.cache_resource(max_entries=32, show_spinner=False)
def _claim(key: str, protocol: str, _opened: Opened) -> str:
    tables = {name: _opened.frame(name) for name in TABLES}
    found = Findings(tables, _opened.labels, _opened.seed, _opened.info["variant"]).of(protocol)
    return "" if found is None else found.title


@fragment
def show_cost(opened: Opened, variants: pd.DataFrame) -> None:
    """What all trainings cost, whatever is chosen above."""
    table = once(figures.cost, once(figures.labelled, variants))
    if not len(table) or not table.drop(columns="row").notna().any(axis=None):
        return
    section = later("What does it cost?", "abl_cost_section")
    if section.open:
        with section:
            chart(
                drawn(figures.cost_bars, table),
                table,
                "abl_cost",
                alt="Training seconds and number of parameters per row",
                caption="Mean over all trainings, whatever is chosen above, on "
                f"{opened.info['device'] or 'this machine'}. Slate: MICRec and variants; grey: "
                "others.",
            )


@fragment
def show_cutoff(opened: Opened, cutoff: pd.DataFrame) -> None:
    """A metric against the length of the list, with one variant beside the full model."""
    section = later("Does it depend on the length of the list?", "abl_cutoff_section", "abl_curve")
    if section.open:
        with section:
            _cutoff(opened, cutoff)


def _cutoff(opened: Opened, cutoff: pd.DataFrame) -> None:
    metrics = sorted(cutoff["metric"].unique(), key=lambda m: (m != "ndcg", m))
    metric = choose_one("Metric", metrics, "abl_curve", metrics[0], metric_label)
    rows = _beside_full(pick(cutoff, metric=metric), "abl_curve_variant")
    first, said = once(verdicts.foremost, rows, "mean")
    chart(
        drawn(figures.cutoff_curves, first, opened.labels, f"{metric_label(metric)} at K"),
        rows,
        "abl_cutoff",
        alt=f"{metric_label(metric)} against the list length for each model and domain",
        caption="The order of the models should not depend on where the list is cut. "
        f"{verdicts.trainings(opened.seed or 0, 1).capitalize()}. {said} "
        f"{opened.masked}",
    )


@fragment
def show_stress(opened: Opened, frame: pd.DataFrame, stress: str) -> None:
    """NDCG@20 of models trained on less: ``stress`` is a key of ``CURVES``."""
    section = later(CURVES[stress].question, f"abl_{stress}_section", f"abl_{stress}_")
    if section.open:
        with section:
            _stress(opened, frame, stress)


def _stress(opened: Opened, frame: pd.DataFrame, stress: str) -> None:
    rows, key = pick(frame, metric="ndcg@20"), f"abl_{stress}"
    names = {
        "protocol": ("Question", "known", PROTOCOL_LABELS),
        "cohort": ("Users", "all", COHORTS),
        "modality": ("Lost", next(iter(USUAL)), _lost(rows)),
    }
    have = [c for c in names if c in rows and rows[c].nunique() > 1]
    for cell, column in zip(cells(len(have), 180), have, strict=False):
        label, first, said = names[column]
        with cell:
            chosen = choose_value(label, f"{key}_{column}", rows[column], first, said)
        rows = pick(rows, **{column: chosen})
    rows = _beside_full(rows, f"{key}_variant")
    labels = {d: name for d, name in opened.labels.items() if d in set(rows["domain"])}
    chart(
        drawn(figures.stress_curves, rows, stress, labels),
        rows,
        key,
        alt=f"NDCG@20 against: {CURVES[stress].axis.lower()}, for each model and domain",
        caption="Every mark is a model trained anew and asked the same; 95 % intervals over users. "
        f"{verdicts.figures_of(rows)} {CURVES[stress].note} {opened.masked}",
    )


def _lost(rows: pd.DataFrame) -> dict[str, str]:
    """What is lost in a row -> how it is called: one modality, or all of them."""
    names = in_order(set(rows["modality"]) - {"all"}) if "modality" in rows else ()
    return {m: source_label(m) for m in names} | {"all": listed(names or USUAL).capitalize()}
