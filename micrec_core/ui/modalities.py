"""The part of the Modalities page that looks at one item or user: neighbours, weights, reasons."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from micrec_core.data.schema import counted
from micrec_core.errors import MicrecError
from micrec_core.figures import calibration, theme
from micrec_core.figures import modalities as figures
from micrec_core.figures.modalities import parts_bar
from micrec_core.figures.picking import pick
from micrec_core.modalities.registry import listed
from micrec_core.names import CATALOGUE, GENERATED_COLUMNS
from micrec_core.ui import serve
from micrec_core.ui.cards import ALONE, by_model, gallery, thumbnail_beside, title_of
from micrec_core.ui.finder import pick_item, pick_user
from micrec_core.ui.glossary import word, words
from micrec_core.ui.library import Opened
from micrec_core.ui.once import drawn, once
from micrec_core.ui.state import choose, follow
from micrec_core.ui.widgets import (
    beside,
    chart,
    choose_one,
    empty,
    filled,
    fragment,
    marks_chosen,
    plain,
    problem,
)

ENTITIES = {"user": "A user", "item": "An item"}


@dataclass(frozen=True)
class Prepared:
    """The tables that the charts of the page show, made once per run.

    ``names`` are the modalities; ``spread`` holds quantiles and ``by_degree`` means of those that
    have all of them, ``by_having`` means of all; ``marks`` are the rows of the chart of shares, a
    sample of ``n_shares`` where there are many.
    """

    names: tuple[str, ...]
    spread: pd.DataFrame
    by_degree: pd.DataFrame
    by_having: pd.DataFrame
    marks: pd.DataFrame
    n_shares: int


def _prepared(n_domains: int, weights: pd.DataFrame) -> Prepared:
    long = figures.long_weights(weights)
    shares = figures.with_shares(weights)
    return Prepared(
        figures.names(weights),
        figures.quantiles(long),
        figures.by_decile(long),
        figures.by_having(long),
        figures.every(shares, n_domains),
        len(shares),
    )


def prepared(opened: Opened, weights: pd.DataFrame) -> Prepared:
    """What the charts show of a run's weights."""
    return once(_prepared, len(opened.labels), weights)


def look_at_mark(opened: Opened) -> None:
    """For the triangle: the user or item that was clicked becomes the one to look at."""
    kept = next(iter(marks_chosen("mo_ternary")), [])
    if len(kept) != 4:
        return
    entity, entity_id, _, domain = map(str, kept)
    if entity not in ENTITIES or domain not in opened.labels:
        return
    st.session_state["mo_kind"] = ENTITIES[entity]
    if entity == "item":
        st.session_state["mo_domain"] = domain
    choose(entity, entity_id)


@fragment
def show_groups(opened: Opened, data: Prepared) -> None:
    """Mean weights by degree and by what is missing, of users or of items, per domain."""
    st.header("For whom", anchor=False, help=words("degree", "interval"))
    have = [e for e in ENTITIES if e in set(data.by_having["entity"])]
    names = " and of ".join(data.names)
    entity = choose_one("Of", have, "mo_entity", have[0], lambda e: f"{e.capitalize()}s")
    rows = pick(data.by_degree, entity=entity)
    if len(rows):
        chart(
            drawn(figures.group_means, rows, "degree", opened.labels, "Train interactions, from"),
            rows,
            "mo_degree",
            alt=f"Mean weight of {names} of {entity}s by tenths of their degree",
            caption=f"{entity.capitalize()}s that have {figures.all_of(data.names)}, in tenths by "
            "their interactions in training (fewer where many have as many), labelled by where "
            "they begin. Mean with 95 % interval.",
        )
    rows = pick(data.by_having, entity=entity)
    chart(
        drawn(figures.group_means, rows, "have", opened.labels, "What it has"),
        rows,
        "mo_missing",
        alt=f"Mean weight of {names} of {entity}s by what they have",
        caption="Where only one is there, it has all of the weight and the "
        f"{'other' if len(data.names) == 2 else 'others'} none.",
    )


def show_calibration(opened: Opened, weights: pd.DataFrame) -> None:
    """Whether those who weigh a modality more are better served by it."""
    st.header(
        "Does the weight foretell the effect?", anchor=False, help=words("calibration", "interval")
    )
    names = figures.names(weights)
    rows = calibration.measured(weights, names)
    if not len(rows):
        whole = figures.all_of(names)
        st.info(
            "No user here has test interactions to measure by, or the run was written before "
            "effects were measured: train it anew to see them."
            if weights[[f"has_{name}" for name in names]].all(axis=1).any()
            else f"Nothing here has {whole} of {listed(names)}: no weight foretells anything."
        )
        return
    table = calibration.by_fifth(rows)
    chart(
        drawn(calibration.chart, table, opened.labels),
        table,
        "mo_calibration",
        alt="How much better each modality alone finds held-out items, by fifths of its weight",
        caption="A mark is a fifth of the users, by how much they weigh a modality. The higher, "
        "the better that modality alone finds what they took next than all do on average: "
        "in standard deviations of the scores of all items, with 95 % interval.",
    )
    said = calibration.words(rows, opened.labels, names[0])
    st.markdown(f"Of **{plain(names[0])}**:\n" + "\n".join(f"- {plain(line)}" for line in said))


@fragment
def explore(opened: Opened, weights: pd.DataFrame | None) -> None:
    """Pick an item or a user; see what it is, who is near it and why it weighs as it does."""
    follow()
    if not opened.run.has(CATALOGUE):
        empty("No catalogue in this run", "Without `catalogue.parquet` there are no items to show.")
        return
    kind = choose_one("Look at", ENTITIES.values(), "mo_kind", ENTITIES["item"])
    try:
        if kind == ENTITIES["item"]:
            _item(opened, weights)
        else:
            _user(opened, weights)
    except MicrecError as error:
        problem(str(error))


def _item(opened: Opened, weights: pd.DataFrame | None) -> None:
    picked = pick_item(opened, "mo")
    if picked is None:
        return
    domain, row = picked
    item_id = str(row["item_id"])
    about, lists = beside("mo")
    with about:
        _about(opened, row)
        if weights is not None:
            _weights(opened, weights, "item", domain, item_id)
    with lists:
        if not opened.run.has("serving.json"):
            st.caption("This run lacks `serving.json`, which neighbours are found with.")
            return
        model = serve.recommender(opened)
        for modality in model.modalities if weights is None else figures.names(weights):
            label = theme.source_label(modality).lower()
            st.markdown(f"**Nearest by {label}**", help=word("neighbours"))
            if modality not in model.modalities:
                st.caption(f"This run's model takes no {modality}: nothing is near by it.")
                continue
            if not row.get(f"has_{modality}", True):
                st.caption(f"This item has no {modality}, so it has no neighbours by it.")
                continue
            near = model.similar(domain, item_id, k=5, modality=modality)
            said = [f"likeness {s:.2f}" for s in near["similarity"]]
            why = [model.alike(modality, domain, item_id, str(i)) for i in near["item_id"]]
            said = [f"{s}: {w}" if w else s for s, w in zip(said, why, strict=True)]
            gallery(opened, domain, near, said)


def _user(opened: Opened, weights: pd.DataFrame | None) -> None:
    if not opened.run.has("serving.json"):
        st.caption("This run lacks `serving.json`, which users are found with.")
        return
    user_id = pick_user(opened, "mo")
    if user_id is None:
        return
    model = serve.recommender(opened)
    known = serve.known_in(opened, user_id)
    for column, domain in zip(filled(len(known), 270, "mo_known"), known, strict=True):
        with column:
            st.markdown(f"**{plain(opened.labels[domain])}**")
            if weights is not None:
                _weights(opened, weights, "user", domain, user_id)
            past = model.history(user_id, domain)
            st.markdown(f"Took {counted(len(past), 'item')}:")
            gallery(opened, domain, past.head(8))


def _about(opened: Opened, row: pd.Series) -> None:
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        thumbnail_beside(opened, row, ALONE)
        with st.container(gap="xsmall"):
            st.text(title_of(row, str(row["item_id"])))
            st.caption(f"{int(row['degree']):,} interactions · id {plain(row['item_id'])}")
    if isinstance(row.get("description"), str) and row["description"]:
        st.text(row["description"][:400])
    if who := by_model(row):
        st.caption(f"Written by a model, not by the shop: {plain(who)}")
        st.text(str(row[GENERATED_COLUMNS[0]])[:400])


def _weights(
    opened: Opened, weights: pd.DataFrame, entity: str, domain: str, entity_id: str
) -> None:
    everyone = pick(weights, entity=entity, domain=domain)
    mine = everyone[everyone["id"].astype(str) == entity_id]
    if mine.empty:
        st.caption(f"No weights were kept for this {entity}.")
        return
    row = mine.iloc[0]
    names = figures.names(weights)
    have = [m for m in names if row[f"has_{m}"]]
    if not have:
        st.caption(f"It has neither {listed(names, 'nor')}: only interactions count.")
        return
    st.markdown("**Weights**", help=word("modality"))
    st.plotly_chart(
        parts_bar({m: float(row[f"w_{m}"]) for m in have}),
        width="stretch",
        height=52,
        config={"displayModeBar": False},
        alt=f"Weight of {listed(names)} of this {entity}",
        key=f"mo_weights_{entity}_{domain}",
    )
    near = "its neighbours" if entity == "item" else "each other, of the items taken,"
    reasons = []
    for modality in have:
        value = row[f"coherence_{modality}"]
        share = (everyone[f"coherence_{modality}"].dropna() < value).mean()
        reasons.append(
            f"- likeness to {near} by {modality}: {value:.2f}, above {share:.0%} of {entity}s"
        )
    reasons.append(f"- {int(row['degree']):,} interactions in training")
    st.markdown("Why, from what can be observed:\n" + "\n".join(reasons))
    if entity == "user" and row["degree"] < 3:
        st.caption("Fewer than 3 interactions: not enough history to read much into the weights.")
    shares = ", ".join(
        f"{theme.source_label(s).lower()} {row[f'share_{s}']:.0%}" for s in ("id", *names)
    )
    strength = (
        f" Content counts {row['strength']:.2f} times beside the interactions."
        if pd.notna(row.get("strength"))
        else ""
    )
    score = "vectors' part of the score" if serve.remembers(opened) else "score"
    st.caption(f"Share of the {score} over the top 20: {shares}.{strength}")
