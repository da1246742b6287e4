"""The parts of the Recommendations page: past and lists, reasons of one item, another run."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.data.schema import counted
from micrec_core.figures import recommendations as figures
from micrec_core.figures.theme import source_label
from micrec_core.ui import serve
from micrec_core.ui.cards import gallery, recommendation_cards, title_of
from micrec_core.ui.glossary import word, words
from micrec_core.ui.left_out import without
from micrec_core.ui.library import Opened, is_comparison, item, listings, open_listed
from micrec_core.ui.once import drawn
from micrec_core.ui.state import choose, follow
from micrec_core.ui.widgets import cells, chart, filled, fragment, plain, show_table

_HISTORY = 12
_REMEMBERED = 6


def pasts(opened: Opened, user_id: str, known: list[str]) -> None:
    """What the user took, domain beside domain."""
    model = serve.recommender(opened)
    for cell, domain in zip(
        filled(len(opened.labels), 250, "rec_pasts"), opened.labels, strict=True
    ):
        with cell:
            st.header(plain(opened.labels[domain]), anchor=False)
            if domain not in known:
                st.caption("Took nothing here in training: the list is made from elsewhere.")
                continue
            past = model.history(user_id, domain)
            more = f", the first {_HISTORY} shown" if len(past) > _HISTORY else ""
            st.markdown(f"**Took {counted(len(past), 'item')}**{more}")
            gallery(opened, domain, past.head(_HISTORY))


def lists(opened: Opened, user: Any, k: int, off: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
    """What the model shows next, domain beside domain; the lists by domain.

    ``off`` : what is left out of the model; places are then marked that moved
    """
    model, found = serve.recommender(opened), {}
    for cell, domain in zip(
        filled(len(opened.labels), 250, "rec_lists"), opened.labels, strict=True
    ):
        with cell:
            answer, moves = model.recommend(user, domain, k=k), None
            if left_out := without(opened, domain, off):
                before = [str(i) for i in answer.items["item_id"]]
                answer = model.recommend(user, domain, k=k, without=left_out)
                moves = figures.rank_moves(before, [str(i) for i in answer.items["item_id"]])
            st.markdown(
                f"**Recommended in {plain(opened.labels[domain])}** · {answer.kind}, "
                f"{answer.milliseconds:.0f} ms",
                help=words("hot, warm, cold"),
            )
            if answer.note:
                st.caption(plain(answer.note))
            recommendation_cards(opened, domain, answer.items, moves)
            found[domain] = answer.items
    return found


def _item_chosen() -> None:
    chosen = st.session_state["rec_item"]
    # What is none of the items is a text here, before the box itself is asked.
    if isinstance(chosen, tuple):
        choose("item", chosen[1])


@fragment
def explain(opened: Opened, user: Any, found: dict[str, pd.DataFrame]) -> None:
    """Why one item of the lists stands where it does, without remainder."""
    choices = {
        (d, str(r.item_id)): f"{opened.labels[d]}: {place}. {r.title or r.item_id}"
        for d, items in found.items()
        for place, r in enumerate(items.itertuples(), start=1)
    }
    if not choices:
        return
    follow()
    st.header("Why this item?", anchor=False)
    current = next((c for c in choices if c[1] == st.session_state.get("item")), None)
    if current is not None:
        st.session_state["rec_item"] = current
    domain, item_id = st.selectbox(
        "Item",
        list(choices),
        format_func=lambda c: choices[c],
        key="rec_item",
        on_change=_item_chosen,
    )
    model = serve.recommender(opened)
    why = model.explain(user, domain, item_id)
    paths = figures.by_path(why.table)
    left, right = cells(2, 400)
    with left:
        chart(
            drawn(figures.paths, paths),
            paths,
            "rec_paths",
            alt="The whole score by the path it came along, stacked by source",
            caption=f"{len(why.table):,} contributions add up to "
            f"{why.table['contribution'].sum():.4f}; the score is {why.score:.4f}. Exact, not "
            "estimated; each product of vectors is shared evenly between the user's and the item's "
            "side.",
        )
    with right:
        single = figures.contributors(why.table)
        if len(single):
            chart(
                drawn(figures.contributor_bars, single),
                single,
                "rec_single",
                alt="Largest single contributors to the score, stacked by source",
                caption="The single items and users that contribute most, over all paths.",
            )
        alone = "; what is remembered has one of its own" if _told(why) else ""
    with st.expander("Which source of the user met which of the item", icon=":material/grid_on:"):
        chart(
            drawn(figures.meeting, why.cells),
            why.cells,
            "rec_cells",
            alt="Table of the score by the user's and the item's source",
            caption=f"The cells add up to the score as well{alone}.",
        )
    _without_one(opened, user, domain, item_id)


def _told(why: Any) -> bool:
    """What of an explanation can be said item by item; whether a memory brings any of it."""
    if len(why.remembered):
        st.markdown("**What the memory brings**", help=word("memory"))
        show_table(
            why.remembered.head(_REMEMBERED),
            {"liked item": _wide("Liked item", 240), "how": _wide("How", 110), "brings": _brings()},
        )
    if len(why.alike):
        st.markdown("**Why items are alike**", help=word("neighbours"))
        told = why.alike.assign(by=why.alike["by"].map(source_label))
        heads = {
            "why": "Why",
            "alike": _wide("What is alike", 130),
            "by": "By",
            "brings": _brings(),
        }
        show_table(told[list(heads)].head(_REMEMBERED), heads)
    return bool(len(why.remembered))


def _wide(label: str, width: int) -> Any:
    """A column of so many pixels, so that what it brings is not cut off at the right."""
    return st.column_config.TextColumn(label, width=width)


def _brings() -> Any:
    return st.column_config.NumberColumn(
        "Brings", width="small", format="%+.3f", help="Its part of the score"
    )


def _without_one(opened: Opened, user: Any, domain: str, item_id: str) -> None:
    """What the item's place would be had the user not taken one of the items; recomputed."""
    model = serve.recommender(opened)
    taken = {
        (d, str(i)): title_of(item(opened, d, str(i)), str(i))
        for d, ids in user.likes.items()
        for i in ids
    }
    if not taken:
        return
    chosen = st.selectbox(
        "Had the user not taken ...",
        list(taken),
        index=None,
        format_func=lambda t: taken[t],
        placeholder="choose one of the items taken",
        key="rec_without",
    )
    if chosen is None:
        return
    before, score, total = model.rank(user, domain, item_id)
    after, changed, _ = model.rank(model.without(user, *chosen), domain, item_id)
    st.markdown(
        f"Place **{before}** of {total:,} would become **{after}**, the score {score:.3f} "
        f"would become {changed:.3f} (computed anew, not guessed)."
    )


@fragment
def compare(opened: Opened, user_id: str, found: dict[str, pd.DataFrame], k: int) -> None:
    """The same user's lists in another run, with the places joined."""
    st.header("Beside another run", anchor=False)
    others = [
        name
        for name, found in listings().items()
        if found.problem is None and not is_comparison(found) and name != opened.run.name
    ]
    name = st.selectbox(
        "Other run",
        others,
        index=None,
        key="rec_other",
        bind="query-params",
        placeholder="choose a run",
    )
    if not others:
        st.caption("There is no other run yet: the Retrain page makes one.")
    if name is None:
        return
    other = open_listed(listings()[name])
    recommender, known = serve.recommender(other), serve.known_in(other, user_id)
    beside = filled(len(found), 270, "rec_beside")
    for cell, (domain, items) in zip(beside, found.items(), strict=True):
        with cell:
            st.markdown(f"**{plain(opened.labels[domain])}**")
            if domain not in other.labels or not known:
                st.caption("The other run does not know this domain or this user.")
                continue
            theirs = recommender.recommend(recommender.user(id=user_id), domain, k=k).items
            table = figures.compared(items, theirs)
            chart(
                drawn(figures.slopes, table, (opened.run.name, name), opened.place(domain)),
                table,
                f"rec_compare_{domain}",
                alt="Places of the items in the two runs' lists, joined by lines",
                caption="Grey: only in one of the two lists.",
            )
            named = table["title"].mask(table["title"] == "", table["item_id"])
            number = st.column_config.NumberColumn
            columns = {
                "title": st.column_config.TextColumn("Item"),
                "rank_a": number(opened.run.name, help="Place here"),
                "rank_b": number(name, help="Place in the other run"),
                "difference": number("Moved", format="%+d", help="Places lower there than here"),
            }
            show_table(table.assign(title=named).drop(columns="item_id"), columns)
