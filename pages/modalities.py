import pandas as pd
import streamlit as st

from micrec_core.figures import ablations
from micrec_core.figures import modalities as figures
from micrec_core.figures.tables import own_seed, pick
from micrec_core.names import VARIANTS, WEIGHTS
from micrec_core.ui.modalities import explore, look_at_mark, prepared, show_groups
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, empty, missing, page_head
from micrec_core.ui.words import words

page_head(
    "modalities",
    "Every user and item weighs text against image by what can be observed: how alike its items "
    "are in each, and how many there are. A missing modality must weigh nothing.",
)
this = opened()
weights = this.frame(WEIGHTS)


def show_weights(weights: pd.DataFrame) -> None:
    data = prepared(this, weights)
    left, right = cells(2, 360)
    with left:
        st.subheader("Text against image", anchor=False, help=words("modality"))
        if len(data.spread):
            chart(
                figures.distributions(data.spread, this.labels),
                data.spread,
                "mo_weights",
                alt="Box plots of the text and the image weight by domain, for users and items",
                caption="Users and items that have both. Line: median, box: middle half, whiskers: "
                "middle nine tenths. The two weights of one user or item add up to 1.",
            )
        else:
            st.info("Nothing in this run has both a text and an image: there is nothing to weigh.")
    with right:
        st.subheader("Where the score comes from", anchor=False)
        chart(
            figures.ternary(data.marks, this.labels),
            data.marks[["entity", "domain", "id", "share_id", "share_text", "share_image"]],
            "mo_ternary",
            alt="Triangle of the shares of interactions, text and image in the score, per entity",
            caption="One mark per user or item: exact shares of its top-20 scores. In a corner: "
            f"that source alone. Showing {len(data.marks):,} of {data.n_shares:,}. Click a mark to "
            "look at it below.",
            on_select=look_at_mark,
        )
    show_groups(this, data)


def show_effect() -> None:
    st.subheader("Weight is not effect", anchor=False, help=words("variant", "interval"))
    st.markdown(
        "A high weight says where the model looks, not that looking there helps. The effect is "
        "what a model loses that was **trained without** the modality:"
    )
    variants = this.frame(VARIANTS)
    rows = None
    if variants is not None:
        rows = own_seed(pick(variants, protocol="known", cohort="all", metric="ndcg@20"), this.seed)
        rows = pick(rows, model="micrec", variant=["text", "image", "modality"])
    if rows is None or rows["diff"].notna().sum() == 0:
        missing(this.run.path, "ablation", VARIANTS, compared=True)
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
