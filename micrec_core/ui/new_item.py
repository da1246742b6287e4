"""The New item page: making an item up, its place, who would get it, and how ranks move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.evaluation.set_apart import share_interval
from micrec_core.figures import item_map as figures
from micrec_core.ui import serve
from micrec_core.ui.cards import CARD, gallery
from micrec_core.ui.finder import find_items
from micrec_core.ui.left_out import label
from micrec_core.ui.library import Opened, catalogue
from micrec_core.ui.makeup import checked_picture
from micrec_core.ui.once import drawn, once
from micrec_core.ui.state import MadeItem, session
from micrec_core.ui.widgets import cells, chart, choose_domain, filled, plain, problem, show_table

_LENGTH = 20
_TITLE, _TEXT = 200, 2000
_NEAR = 6
# People whose ranks are shown where nobody else is chosen.
_SOME, _CHOICE = 4, 200


def make(opened: Opened) -> MadeItem:
    """Those of title, description and picture that the model goes by; what is made up so far."""
    made = session().item
    domain = choose_domain(opened.labels, "ni_domain", opened.pair[0], bind=True)
    if not made.touched and not made.domain:
        _begin(opened, domain)
    made.domain = domain
    _start_from(opened, domain)
    if serve.reads(opened):
        _words(made)
    if serve.sees(opened):
        _picture(made)
    return made


def _words(made: MadeItem) -> None:
    st.session_state.setdefault("ni_title", made.title)
    st.session_state.setdefault("ni_text", made.text)
    made.title = st.text_input("Title", key="ni_title", max_chars=_TITLE).strip()
    made.text = st.text_area("Description", key="ni_text", max_chars=_TEXT, height=100).strip()


def _picture(made: MadeItem) -> None:
    upload = st.file_uploader(
        "Picture", ["png", "jpg", "jpeg", "webp"], key=f"ni_up_{made.uploads}"
    )
    if upload is not None:
        try:
            made.image = checked_picture(upload.getvalue())
        except MicrecError as error:
            problem(str(error))
    if made.image:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.image(made.image, width=CARD, alt="The picture of the new item")
            st.button("Blank the picture", icon=":material/hide_image:", on_click=_blank)


def _begin(opened: Opened, domain: str) -> None:
    """Words and picture of an item that has all of them, so that there is something to change."""
    items = catalogue(opened, domain)
    whole = items[items["title"].fillna("") != ""]
    pictured = whole[whole["thumbnail"].notna()] if "thumbnail" in whole else whole[:0]
    some = pictured if len(pictured) else whole
    if len(some):
        _take(some.sort_values("degree", kind="stable").iloc[len(some) // 2].to_dict())


def _take(row: dict[str, Any]) -> None:
    made = session().item
    made.title, made.text = str(row.get("title") or ""), str(row.get("description") or "")
    made.image = row.get("thumbnail") if isinstance(row.get("thumbnail"), bytes) else None
    made.uploads += 1
    st.session_state["ni_title"], st.session_state["ni_text"] = made.title, made.text


def _taken() -> None:
    chosen = st.session_state["ni_from"]
    # What is none of the items is a text here, before the box itself is asked.
    if isinstance(chosen, dict):
        session().item.touched = True
        _take(chosen)


def _blank() -> None:
    made = session().item
    made.image, made.uploads, made.touched = None, made.uploads + 1, True


def _start_from(opened: Opened, domain: str) -> None:
    rows = once(find_items, catalogue(opened, domain), "", 50).to_dict("records")
    st.selectbox(
        "Start from an item of the catalogue",
        rows,
        index=None,
        key="ni_from",
        format_func=lambda r: str(r["title"] or r["item_id"]),
        on_change=_taken,
        placeholder="what it says, to change that",
    )


def fold(opened: Opened, made: MadeItem) -> Any:
    """The recommender's view of it; None, and the reason shown, with nothing to go by."""
    text = "\n".join(part for part in (made.title, made.text) if part)
    try:
        return serve.recommender(opened).new_item(
            made.domain, text=text or None, image=made.image or None
        )
    except MicrecError as error:
        problem(str(error))
        return None


def show_who(opened: Opened, item: Any) -> None:
    """How many would get it in their first twenty, by degree and by domain."""
    model = serve.recommender(opened)
    with st.spinner("Asking everybody (seconds the first time)"):
        people = model.audience(item, _LENGTH)
    st.header("Who would get it", anchor=False)
    crowds = model.crowds(item.domain, _LENGTH)
    columns = filled(len(crowds), 160, "ni_crowds", border=True)
    for column, crowd in zip(columns, crowds, strict=True):
        rows = people[people["known_in"] == crowd.known_in]
        gets, n = int(rows["gets"].sum()), len(rows)
        here = crowd.known_in == item.domain
        with column:
            name = plain(opened.labels[crowd.known_in])
            st.metric(f"Known in {name}", f"{gets:,} of {n:,}")
            asked = "all were asked" if n == crowd.of else f"a sample of {crowd.of:,} was asked"
            low, high = share_interval(np.array(gets / n), n)
            new = "" if here else f"They are new in {plain(opened.labels[item.domain])}. "
            st.caption(
                f"{new}{gets / n:.1%} have it in their first {_LENGTH}, 95 % interval {low:.1%} "
                f"to {high:.1%}; {asked}."
            )
    table = figures.by_degree(people, dict(opened.labels))
    low, high = share_interval(table["share"].to_numpy(), table["asked"].to_numpy())
    table = table.assign(low=low, high=high)
    chart(
        drawn(figures.reach, table),
        table,
        "ni_reach",
        alt="Share of people who would get the new item, by their interactions and domain",
        caption=f"Share of those asked who would have the item among their first {_LENGTH}, with "
        "95 % intervals (Wilson); how many they are is on hover and in the table.",
    )


def show_ranks(opened: Opened, item: Any) -> None:
    """Its rank for chosen people, by the model and by content alone, and how an edit moved it."""
    model = serve.recommender(opened)
    st.header("Its rank for chosen people", anchor=False)
    everyone = [str(u) for u in model.crowds(item.domain, _LENGTH)[0].ids[:_CHOICE]]
    chosen = st.multiselect(
        "People", everyone, default=everyone[:: max(len(everyone) // _SOME, 1)][:_SOME],
        key=f"ni_people_{item.domain}", max_selections=8, placeholder="choose known people",
    )  # fmt: skip
    people = {name: model.user(id=name) for name in chosen}
    mine = st.session_state.get("user")
    if mine and serve.known_in(opened, mine) and mine not in people:
        people[mine] = model.user(id=mine)
    if not session().made.is_empty:
        people["the person you made up"] = serve.made_up_user(model, session().made)
    table = pd.DataFrame([_rank(model, name, user, item) for name, user in people.items()])
    if table.empty:
        st.caption("Choose somebody, or make someone up on Cold start.")
        return
    before = session().item.remember(item.domain, dict(zip(table["person"], table["place"])))
    moves = [_move(before.get(p), place) for p, place in zip(table["person"], table["place"])]
    table.insert(2, "moved", moves)
    number = st.column_config.NumberColumn
    show_table(
        table,
        {
            "person": "Person",
            "place": number("Place", format="localized", help="In the model's full list"),
            "moved": st.column_config.TextColumn("Since your last change"),
            "content": number("By content alone", format="localized",
                              help="Place by likeness of content, without a model"),
            "of": number("Of", format="localized"),
            "score": number("Score", format="%.3f"),
        },
    )  # fmt: skip


def _rank(model: Any, name: str, user: Any, item: Any) -> dict[str, Any]:
    place, score, total = model.rank(user, item.domain, item)
    try:
        content: int | None = model.baselines.rank_by_content(user, item.domain, item)[0]
    except MicrecError:
        content = None
    return {"person": name, "place": place, "content": content, "of": total, "score": score}


def _move(before: int | None, now: int) -> str:
    if before is None or before == now:
        return ""
    return f"{before:,} {'↑' if now < before else '↓'} {now:,}"


def show_place(opened: Opened, item: Any) -> None:
    """Its place among items, its neighbours, its weights and why."""
    model = serve.recommender(opened)
    placed = serve.item_map(opened, item.domain)
    near = model.neighbours(item.domain, item=item)
    left, right = cells(2, 360)
    with left:
        st.header("Its place among items", anchor=False)
        ids = [str(i) for i in near["id"]]
        items = figures.shown(placed.frame, ids)
        chart(
            drawn(figures.item_map, items, placed.place(item.vector), ids),
            items,
            "ni_map",
            alt="Map of the domain's items with the new item as a star, joined to its neighbours",
            caption="Darker: fewer interactions. PCA of the embeddings, "
            f"{placed.share:.0%} of their variance, so near here need not be alike; the new "
            "item is projected like all others.",
        )
    with right:
        st.header("What it weighs, and why", anchor=False)
        _weights(item, near)
        st.markdown("**Nearest in the model's space**")
        found = model.similar(item.domain, item, _NEAR)
        gallery(opened, item.domain, found, [f"{c:.2f}" for c in found["similarity"]])


def _weights(item: Any, near: pd.DataFrame) -> None:
    rows = []
    for name, weight in item.weights.items():
        mine = near[near["modality"] == name]
        rows.append(
            {
                "modality": label(name),
                "weight": weight,
                "neighbours": len(mine),
                "likeness": mine["similarity"].mean() if len(mine) else None,
            }
        )
    show_table(
        pd.DataFrame(rows),
        {
            "modality": "Modality",
            "weight": st.column_config.ProgressColumn("Strength", format="%.2f", min_value=0.0,
                                                      max_value=max(1.0, *item.weights.values())),
            "neighbours": "Neighbours",
            "likeness": st.column_config.NumberColumn("Their likeness", format="%.2f"),
        },
    )  # fmt: skip
    st.caption(
        "The gate weighs a modality by how alike its neighbours are and how many there are; one "
        "that is blank weighs nothing. Nobody has taken the item, so that is all it can go by."
    )
