from collections.abc import Sequence

import pandas as pd
import streamlit as st

from micrec_core.figures import ablations, verdicts
from micrec_core.figures import modalities as figures
from micrec_core.figures.picking import own_seed, pick
from micrec_core.modalities.registry import USUAL, listed
from micrec_core.names import VARIANTS, WEIGHTS
from micrec_core.ui import serve
from micrec_core.ui.encoder_cards import show_encoders
from micrec_core.ui.glossary import words
from micrec_core.ui.modalities import (
    explore,
    look_at_mark,
    prepared,
    show_calibration,
    show_groups,
)
from micrec_core.ui.once import drawn, once
from micrec_core.ui.overview import more_than_all
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, empty, missing, page_head, plain

page_head(
    "modalities",
    f"Every user and item weighs {' against '.join(USUAL)} by what can be observed: how alike "
    "its items are in each, and how many there are. A missing modality must weigh nothing.",
)
this = opened()
weights = this.frame(WEIGHTS)


def show_weights(weights: pd.DataFrame) -> None:
    data = prepared(this, weights)
    whole = figures.all_of(data.names)
    left, right = cells(2, 360)
    with left:
        st.header(figures.against(data.names), anchor=False, help=words("modality"))
        if len(data.spread):
            chart(
                drawn(figures.distributions, data.spread, this.labels),
                data.spread,
                "mo_weights",
                alt=f"Box plots of the {listed(data.names)} weights by domain, for users and items",
                caption=f"Users and items that have {whole}. Line: median, box: middle half, "
                "whiskers: middle nine tenths. The weights of one user or item add up to 1.",
            )
        else:
            st.info(f"Nothing here has {whole} of {listed(data.names)}: there is nothing to weigh.")
    sources = ("id", *data.names)
    about, click = "Boxes of the exact shares of top-20 scores, over users and items.", ""
    if len(data.names) == 2:
        about = "One mark per user or item: exact shares of its top-20 scores. In a corner: that "
        about, click = f"{about}source alone.", " Click a mark to look at it below."
    if serve.remembers(this):
        about += " They are of what the vectors score; the memory adds its part beside them."
    with right:
        st.header("Where the score comes from", anchor=False)
        chart(
            drawn(figures.shares, data.marks, this.labels, data.names),
            data.marks[["entity", "domain", "id", *(f"share_{s}" for s in sources)]],
            "mo_ternary",
            alt=f"Shares of {listed(['interactions', *data.names])} in the score, per entity",
            caption=f"{about} Showing {len(data.marks):,} of {data.n_shares:,}.{click}",
            on_select=lambda: look_at_mark(this),
        )
    show_groups(this, data)


def show_effect(names: Sequence[str]) -> None:
    st.header("Weight is not effect", anchor=False, help=words("variant", "interval"))
    st.markdown(
        "A high weight says where the model looks, not that looking there helps. The effect is "
        "what a model loses that was **trained without** the modality:"
    )
    variants = this.frame(VARIANTS)
    rows = None
    if variants is not None:
        asked = pick(variants, protocol="known", cohort="all", metric="ndcg@20", model="micrec")
        asked = pick(asked, variant=[*names, "modality"])
        rows = own_seed(asked, this.seed)
    if rows is None or rows["diff"].notna().sum() == 0:
        missing(this.run.path, "ablation", VARIANTS, compared=True)
        return
    chart(
        drawn(ablations.differences, once(ablations.labelled, rows), this.labels),
        rows,
        "mo_effect",
        alt=f"Paired difference in NDCG@20 without {', '.join(names)} or {figures.all_of(names)}",
        caption="NDCG@20 minus that of the full model, paired by user, 95 % interval. Left of the "
        "dotted line: leaving it out hurts. Hollow: not significant after Holm's correction. "
        f"{plain(more_than_all(this))} {verdicts.figures_of(asked, this.seed)} {this.masked}",
    )


nothing = weights is not None and not figures.weighs(weights)
if nothing:
    empty(
        "There is nothing to weigh",
        f"This run's model takes no {listed(USUAL, 'or')}: interactions have all of every score.",
    )
elif weights is None:
    empty(
        "No weights in this run",
        "Weights are written when a model that uses modalities is trained; this run has no "
        "`weights.parquet`.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
else:
    show_weights(weights)
    show_calibration(this, weights)
if not nothing:
    show_effect([*USUAL] if weights is None else figures.names(weights))
show_encoders(this)
st.header("Look at one", anchor=False)
explore(this, None if nothing else weights)
