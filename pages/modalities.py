from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.figures import ablations
from micrec_core.figures import modalities as figures
from micrec_core.figures.tables import mean_interval, own_seed, pick
from micrec_core.ui.modalities import explore
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, empty, missing, page_head
from micrec_core.ui.words import words

page_head(
    "modalities",
    "Every user and item weighs text against image by what can be observed: how alike its items "
    "are in each, and how many there are. A missing modality must weigh nothing.",
)
this = opened()
weights = this.frame("weights.parquet")


def weigh(both: pd.DataFrame, *drawn: Any, **words: str) -> None:
    """A chart of those that have both modalities, or why there is none."""
    if len(both):
        chart(*drawn, **words)
    else:
        st.info("Nothing in this run has both a text and an image, so there is nothing to weigh.")


def show_weights(weights: pd.DataFrame) -> None:
    long = figures.long_weights(weights)
    both = long[long["have"] == "text and image"]
    left, right = cells(2, 400)
    with left:
        st.subheader("Text against image", anchor=False, help=words("modality"))
        table = figures.quantiles(long)
        weigh(
            both,
            figures.distributions(table, this.labels),
            table,
            "mo_weights",
            alt="Box plots of the text and the image weight by domain, for users and items",
            caption="Entities that have both; line: median, box: middle half, whiskers: middle "
            "nine tenths. The two weights of an entity add up to 1.",
        )
    with right:
        st.subheader("Where the score comes from", anchor=False)
        chart(
            figures.ternary(weights, this.labels),
            weights[["entity", "domain", "id", "share_id", "share_text", "share_image"]],
            "mo_ternary",
            alt="Triangle of the shares of interactions, text and image in the score, per entity",
            caption="Exact shares of each entity's top-20 scores. In a corner: that source alone.",
        )
    left, right = cells(2, 400)
    with left:
        st.subheader("By number of interactions", anchor=False, help=words("degree"))
        weigh(
            both,
            figures.by_degree(long),
            mean_interval(both, ["modality", "bin"], "weight"),
            "mo_degree",
            alt="Mean weight of text and of image per degree bin, with intervals",
            caption="Mean with 95 % interval over the entities of a bin that have both.",
        )
    with right:
        st.subheader("By what is missing", anchor=False)
        chart(
            figures.by_missingness(long),
            mean_interval(long, ["modality", "have"], "weight"),
            "mo_missing",
            alt="Mean weight of text and of image by what an entity has",
            caption="Where only one is there, it has all of the weight and the other none.",
        )


def show_effect() -> None:
    st.subheader("Weight is not effect", anchor=False, help=words("variant", "interval"))
    st.markdown(
        "A high weight says where the model looks, not that looking there helps. The effect is "
        "what a model loses that was **trained without** the modality:"
    )
    variants = this.frame("metrics/variants.parquet")
    rows = None
    if variants is not None:
        rows = own_seed(pick(variants, protocol="known", cohort="all", metric="ndcg@20"), this.seed)
        rows = pick(rows, model="micrec", variant=["text", "image", "modality"])
    if rows is None or rows["diff"].notna().sum() == 0:
        missing(this.run.path, "ablation", "metrics/variants.parquet", compared=True)
        return
    chart(
        ablations.differences(ablations.labelled(rows), this.labels),
        rows,
        "mo_effect",
        alt="Paired difference in NDCG@20 from the full model without text, image or both",
        caption="NDCG@20 minus that of the full model, paired by user, 95 % interval. Left of the "
        "dotted line: leaving it out hurts. Hollow: not significant after Holm's correction.",
    )


if weights is None:
    empty(
        "No weights in this run",
        "Weights are written when a model that uses text or images is trained; this run has no "
        "`weights.parquet`.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
else:
    show_weights(weights)
show_effect()
st.subheader("Look at one", anchor=False)
explore(this, weights)
