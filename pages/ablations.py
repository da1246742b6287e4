import pandas as pd
import streamlit as st

from micrec_core.figures import ablations as figures
from micrec_core.figures import verdicts
from micrec_core.figures.picking import pick
from micrec_core.figures.theme import metric_label
from micrec_core.names import COHORTS, COLD, CUTOFF, ONE_DOMAIN, SUMMARY, VARIANTS, curve_file
from micrec_core.protocols import CURVES, PROTOCOL_LABELS, PROTOCOLS
from micrec_core.ui.ablations import show_claim, show_cost, show_cutoff, show_stress
from micrec_core.ui.glossary import words
from micrec_core.ui.once import drawn, once
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, choose_value, missing, page_head, plain

page_head(
    "ablations",
    "Each row is a model trained anew with one mechanism switched off, or another model on the "
    "same split. All of it was measured here; nothing is quoted from elsewhere.",
)
this = opened(needs_model=False)
variants = this.frame(VARIANTS)
tested = once(verdicts.tested, variants, this.frame(COLD), this.frame(SUMMARY))


def show_variants(variants: pd.DataFrame) -> None:
    columns = cells(3, 180)
    with columns[0]:
        protocol = choose_value(
            "Question", "abl_protocol", variants["protocol"], "known", PROTOCOL_LABELS
        )
    rows = pick(variants, protocol=protocol)
    with columns[1]:
        metric = choose_value("Metric", "abl_metric", rows["metric"], "ndcg@20", {})
    rows = pick(rows, metric=metric)
    with columns[2]:
        cohort = choose_value("Users", "abl_cohort", rows["cohort"], "all", COHORTS)
    rows = pick(rows, cohort=cohort)
    refused = verdicts.too_few(pick(rows, model="micrec"), this.labels)
    rows = once(figures.labelled, verdicts.enough(rows))
    for sentence in refused:
        st.caption(f"{plain(sentence)}.")
    if rows.empty:
        return
    labels = {d: name for d, name in this.labels.items() if d in set(rows["domain"])}
    asked = PROTOCOLS[protocol].question if protocol in PROTOCOLS else ""
    st.header(f"{metric_label(metric)}, measured", anchor=False, help=words("variant", "NDCG"))
    chart(
        drawn(figures.scores, rows, labels),
        rows,
        "abl_scores",
        alt=f"{metric_label(metric)} of every variant and baseline per domain, with intervals",
        caption=f"{asked} {figures.seeds_said(rows)} 95 % intervals over users. Coloured: MICRec "
        f"and variants of it; grey: other models. Dotted line: the full model. {this.masked}",
    )
    show_claim(this, protocol, metric, cohort)
    if rows["diff"].notna().any():
        st.header("Difference from the full model", anchor=False, help=words("interval"))
        chart(
            drawn(figures.differences, rows, labels),
            rows[rows["diff"].notna()],
            "abl_differences",
            alt="Paired difference from the full model per row and domain, with intervals",
            caption="Paired by user: left of the dotted line, doing without it hurts. Filled: "
            "significant after Holm's correction (p < 0.05); hollow: not. "
            f"{figures.left_to_table(rows)} {verdicts.figures_of(rows)} {this.masked}",
        )
    else:
        st.caption("No paired differences from the full model were stored for this choice.")


if tested is not None:
    show_variants(tested)
    show_cost(this, tested)
if variants is None or pick(variants, model="micrec")["variant"].nunique() < 2:
    missing(this.run.path, "variants", VARIANTS, compared=True)
cutoff = this.frame(CUTOFF)
if cutoff is None:
    missing(this.run.path, "curves over the list length", CUTOFF)
else:
    show_cutoff(this, cutoff)
curves = {name: this.frame(curve_file(name)) for name in CURVES}
for stress, frame in curves.items():
    if frame is not None:
        show_stress(this, frame, stress)
absent = [
    name
    for name, frame in curves.items()
    if frame is None and not (this.one_domain and CURVES[name].touches == "with overlap")
]
if absent:
    st.caption(
        f"Not measured for this run: {' '.join(CURVES[name].question for name in absent)} Models "
        "are trained on less for that, by `variants` or `compare` with "
        f"`--protocols {','.join(absent)}`."
    )
if this.one_domain:
    st.caption(ONE_DOMAIN)
