"""The part of the Modalities page that looks at one item: content, neighbours, weights, reasons."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.figures import theme
from micrec_core.figures.modalities import MODALITIES, parts_bar
from micrec_core.ui import serve
from micrec_core.ui.cards import compact_list, thumbnail
from micrec_core.ui.library import Opened
from micrec_core.ui.search import pick_item
from micrec_core.ui.widgets import empty, plain, problem
from micrec_core.ui.words import word


def explore_item(opened: Opened, weights: pd.DataFrame | None) -> None:
    """Pick an item; see what it is, who its neighbours are and why it weighs as it does."""
    if not opened.run.has("catalogue.parquet"):
        empty("No catalogue in this run", "Without `catalogue.parquet` there are no items to show.")
        return
    picked = pick_item(opened, "mo")
    if picked is None:
        return
    domain, row = picked
    about, *lists = st.columns([1.1, 1, 1], gap="large")
    with about:
        _about(row)
        if weights is not None:
            _weights(weights, domain, str(row["item_id"]))
    try:
        model = serve.recommender(opened)
        for column, modality in zip(lists, MODALITIES, strict=True):
            with column:
                st.markdown(
                    f"**Nearest by {theme.source_label(modality).lower()}**",
                    help=word("neighbours"),
                )
                if modality not in model.modalities or not row.get(f"has_{modality}", True):
                    st.caption(f"This item has no {modality}, so it has no neighbours by it.")
                    continue
                near = model.similar(domain, str(row["item_id"]), k=6, modality=modality)
                compact_list(opened, domain, near, f"mo_near_{modality}")
    except MicrecError as error:
        problem(str(error))


def _about(row: pd.Series) -> None:
    left, right = st.columns([1, 1.6], vertical_alignment="center")
    with left:
        thumbnail(row, 112)
    with right:
        st.text(row["title"])
        st.caption(f"{int(row['degree']):,} interactions in training · id {plain(row['item_id'])}")
    if isinstance(row.get("description"), str) and row["description"]:
        st.text(row["description"][:400])


def _weights(weights: pd.DataFrame, domain: str, item_id: str) -> None:
    mine = weights[
        (weights["entity"] == "item")
        & (weights["domain"] == domain)
        & (weights["id"].astype(str) == item_id)
    ]
    if mine.empty:
        st.caption("The run keeps weights of a sample of entities; this item is not among them.")
        return
    row = mine.iloc[0]
    have = [m for m in MODALITIES if row[f"has_{m}"]]
    if not have:
        st.caption("It has neither text nor image: only interactions count.")
        return
    st.markdown("**Its weights**", help=word("modality"))
    figure = parts_bar({m: float(row[f"w_{m}"]) for m in have})
    st.plotly_chart(figure, width="stretch", height=52, config={"displayModeBar": False},
                    alt="Weight of text and image of this item", key="mo_item_weights")  # fmt: skip
    reasons = []
    for modality in have:
        value, everyone = row[f"coherence_{modality}"], weights[f"coherence_{modality}"]
        share = (everyone.dropna() < value).mean()
        reasons.append(
            f"- likeness to its neighbours by {modality}: {value:.2f}, above {share:.0%} of entities"
        )
    st.markdown(
        "Why, from what can be observed:\n"
        + "\n".join(reasons)
        + f"\n- {int(row['degree']):,} interactions in training"
    )
    shares = ", ".join(
        f"{theme.source_label(s).lower()} {row[f'share_{s}']:.0%}" for s in ("id", *MODALITIES)
    )
    st.caption(f"Share of its score over its top-20: {shares}.")
