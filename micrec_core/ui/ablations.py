"""The curves of the Ablations page: over the list length, and under stress."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from micrec_core.figures import ablations as figures
from micrec_core.figures.tables import pick
from micrec_core.figures.theme import metric_label, variant_label
from micrec_core.ui.library import Opened
from micrec_core.ui.widgets import chart, choose_value


@st.fragment
def show_cutoff(opened: Opened, cutoff: pd.DataFrame) -> None:
    """A metric against the length of the list, with one variant beside the full model."""
    st.subheader("Does it depend on the length of the list?", anchor=False)
    metrics = sorted(cutoff["metric"].unique(), key=lambda m: (m != "ndcg", m))
    metric = st.segmented_control(
        "Metric",
        metrics,
        default=metrics[0],
        required=True,
        key="abl_curve",
        bind="query-params",
        format_func=metric_label,
    )
    others = [v for v in cutoff["variant"].unique() if v != "full"]
    other = st.selectbox(
        "One variant beside the full model",
        others,
        index=None,
        key="abl_curve_variant",
        bind="query-params",
        format_func=variant_label,
        width=320,
    )
    rows = pick(cutoff, metric=metric, variant=["full", other])
    chart(
        figures.cutoff_curves(rows, opened.labels),
        rows,
        "abl_cutoff",
        alt=f"{metric_label(metric)} against the list length for each model and domain",
        caption="The order of the models should not depend on where the list is cut.",
    )


@st.fragment
def show_stress(opened: Opened, frame: pd.DataFrame, stress: str, title: str) -> None:
    """NDCG@20 of models trained on less: ``stress`` is a key of ``STRESSES``."""
    st.subheader(figures.STRESS_QUESTIONS[stress], anchor=False)
    rows = pick(frame, metric="ndcg@20")
    if "modality" in rows:
        lost = choose_value("Lost", f"abl_{stress}_modality", rows["modality"], "text", {})
        rows = pick(rows, modality=lost)
    chart(
        figures.curve(rows, "share", title, opened.labels),
        rows,
        f"abl_{stress}",
        alt=f"NDCG@20 against: {title.lower()}, for each model and domain",
        caption="NDCG@20 of models trained anew at each share, asked the same test users; 95 % "
        "intervals over users.",
    )
