"""Present mode of Cold start: a made-up person, both shops' lists and the map on one screen.

Addressed by ``?present=1``; the key ``p`` begins and ends it.
"""

from __future__ import annotations

import base64
from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.figures.recommendations import sources
from micrec_core.ui import serve
from micrec_core.ui.alignment import has_map, show_map_of_made_up
from micrec_core.ui.cards import legend, reason_bar, title_of, with_pictures
from micrec_core.ui.components import ranks
from micrec_core.ui.library import Opened, item
from micrec_core.ui.made_up import proof
from micrec_core.ui.makeup import likes_of, say_something, start_from
from micrec_core.ui.state import session
from micrec_core.ui.widgets import plain, problem

# Rows shown above the map (twice as many where there is none), and how far behind one is told.
_ROWS, _DEEP = 6, 200
_MAP, _PERSONS = 285, 4
CSS = """
[data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stExpandSidebarButton"] {
  display: none }
.stMainBlockContainer { padding: 0.6rem 1.2rem 0 }
[data-testid="stMain"] h1 { font-size: 1.6rem; padding: 0 }
[data-testid="stMain"] h2 { font-size: 1.25rem; padding: 0 }
[data-testid="stMain"] [data-testid="stVerticalBlock"] { gap: 0.35rem }
"""


def presenting() -> bool:
    """Whether the address asks for the present mode."""
    return st.query_params.get("present") == "1"


def _switch() -> None:
    if presenting():
        del st.query_params["present"]
    else:
        st.query_params["present"] = "1"


def switch() -> None:
    """The button, and its key, that begins and ends it."""
    st.button(
        "End" if presenting() else "Present",
        icon=":material/close_fullscreen:" if presenting() else ":material/present_to_all:",
        shortcut="p",
        key="cold_present",
        type="tertiary",
        help="One screen for a room: person, lists, map",
        on_click=_switch,
    )


def present(opened: Opened) -> None:
    """All of it, within 1024 x 768 pixels."""
    st.html(f"<style>{CSS}</style>")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title("Cold start", anchor=False, width="content")
        with st.container(width="stretch"):
            proof(opened)
        switch()
    person, shops = st.columns([0.3, 0.7], gap="medium")
    with person:
        start_from(opened)
        # Many people to start from are a row of buttons more, or two.
        many = len(serve.personas(opened)) > _PERSONS
        with st.container(height=250 if many else 380, border=False, gap="xsmall"):
            likes_of(opened)
        say_something(opened, height=68)
    with shops:
        if session().made.is_empty:
            st.caption("Nobody made up yet: choose somebody on the left, or write a sentence.")
            return
        there = has_map(opened)
        _lists(opened, _ROWS if there else 2 * _ROWS)
        if there:
            show_map_of_made_up(opened, height=_MAP, bare=True)


def _lists(opened: Opened, n_rows: int) -> None:
    model = serve.recommender(opened)
    user = serve.made_up_user(model, session().made)
    meaning = st.container()
    found = []
    for column, domain in zip(st.columns(len(opened.labels)), opened.labels, strict=True):
        with column:
            st.header(plain(opened.labels[domain]), anchor=False)
            try:
                items = model.recommend(user, domain, k=_DEEP).items
            except MicrecError as error:
                problem(str(error))
                continue
            ranks(_rows(opened, domain, items, n_rows), key=f"present_{domain}")
            found.append(items.head(n_rows))
    if found:
        with meaning:
            legend(sources(pd.concat(found)))


def _rows(opened: Opened, domain: str, items: pd.DataFrame, n_rows: int) -> list[dict[str, Any]]:
    """The first places with where each was before the last change of the person."""
    ids = [str(i) for i in items["item_id"]]
    before = session().made.before(f"present {domain}", ids)
    was = {name: place for place, name in enumerate(before or (), start=1)}
    shown = with_pictures(opened, domain, items.head(n_rows))
    names = sources(items.head(n_rows))
    scale = float(shown[names].clip(lower=0).sum(axis=1).max()) if names else 1.0
    rows = []
    for place, (_, row) in enumerate(shown.iterrows(), start=1):
        item_id = str(row["item_id"])
        svg, words = reason_bar({s: float(row[s]) for s in names}, scale)
        bar = base64.b64encode(svg.encode()).decode()
        rows.append(
            {
                "id": item_id,
                "place": place,
                "was": 0 if before is None else was.get(item_id, -1),
                "title": title_of(item(opened, domain, item_id), item_id),
                "picture": row.get("picture", ""),
                "bar": f"data:image/svg+xml;base64,{bar}",
                "words": f"Score {row['score']:.2f}: {words}",
            }
        )
    return rows
