"""Finding an item or a user among many without sending them all to the browser."""

from __future__ import annotations

import re
from contextlib import nullcontext

import pandas as pd
import streamlit as st

from micrec_core.ui import serve
from micrec_core.ui.library import Opened, catalogue, item
from micrec_core.ui.once import once
from micrec_core.ui.state import choose
from micrec_core.ui.widgets import choose_domain, choose_one, filled, plain, unknown

_SHOWN = 50


def find_items(frame: pd.DataFrame, query: str, limit: int = _SHOWN) -> pd.DataFrame:
    """Items whose title, description or id holds every word of the query.

    Those whose titles have words beginning so come first, then the best known.
    """
    titles = frame["title"].fillna("")
    texts = titles + " " + frame["item_id"].astype(str)
    if "description" in frame:
        texts = texts + " " + frame["description"].fillna("")
    keep = pd.Series(True, index=frame.index)
    in_title = pd.Series(0, index=frame.index)
    for part in query.split():
        keep &= texts.str.contains(part, case=False, regex=False)
        in_title += titles.str.contains(rf"(?i)\b{re.escape(part)}", regex=True)
    found = frame[keep].assign(_first=in_title[keep])
    found = found.sort_values(["_first", "degree"], ascending=False, kind="stable")
    return found.head(limit).drop(columns="_first")


def pick_item(opened: Opened, key: str) -> tuple[str, pd.Series] | None:
    """The item of the sidebar, or one found here, which becomes the sidebar's.

    Returns domain and row of the catalogue, or None where nothing matches.
    """
    current = st.session_state.get("item") or ""
    home = next((d for d in opened.labels if item(opened, d, current) is not None), None)
    *left, middle, right = filled(2 if opened.one_domain else 3, 240, f"{key}_item")
    with left[0] if left else nullcontext():
        domain = choose_domain(opened.labels, f"{key}_domain", home or opened.pair[0], bind=True)
    query = middle.text_input(
        "Search", key=f"{key}_search", placeholder="title, description or id", type="search"
    )
    found = once(find_items, catalogue(opened, domain), query or "")
    known = item(opened, domain, current)
    matching = len(found)
    if known is not None and current not in set(found["item_id"].astype(str)):
        found = pd.concat([known.to_frame().T, found])
    if found.empty:
        right.caption("No item matches; try fewer words.")
        return None
    if current and home is None:
        unknown(f"Item {current}", "is not in this run", "another one is shown")
    rows = dict(zip(found["item_id"].astype(str), found.itertuples(), strict=True))
    if known is not None:
        st.session_state[f"{key}_item"] = current
    chosen = right.selectbox(
        f"Item (the {matching} best known that match)",
        list(rows),
        key=f"{key}_item",
        on_change=lambda: choose("item", st.session_state[f"{key}_item"]),
        format_func=lambda i: (
            f"{rows[i].title or '(no title) ' + i} · {rows[i].degree} interactions"
        ),
    )
    return domain, found[found["item_id"].astype(str) == chosen].iloc[0]


def pick_user(opened: Opened, key: str) -> str | None:
    """The user of the sidebar, or one found here; the choice becomes the sidebar's."""
    a, b = opened.pair
    groups = {
        "in both": lambda: sorted(serve.user_id_set(opened, a) & serve.user_id_set(opened, b)),
        f"in {plain(opened.labels[a])}": lambda: serve.user_ids(opened, a),
        f"in {plain(opened.labels[b])}": lambda: serve.user_ids(opened, b),
    }
    if opened.one_domain:
        del groups["in both"]
    group = next(iter(groups))
    *left, middle, right = filled(3 if len(groups) > 1 else 2, 240, f"{key}_user")
    if left:
        with left[0]:
            group = choose_one("Users known", groups, f"{key}_group", group, bind=False)
    query = middle.text_input("Search", key=f"{key}_search", placeholder="part of an id")
    ids = [u for u in groups[group]() if query.lower() in u.lower()]
    current = st.session_state.get("user") or ""
    known = any(current in serve.user_id_set(opened, d) for d in opened.labels)
    if current and not known:
        unknown(f"User {current}", "is not in this run", "another one is shown")
    shown = ids[:_SHOWN]
    if known and current not in shown:
        shown = [current, *shown]
    if known:
        st.session_state[f"{key}_user"] = current
    if not shown:
        right.caption("No user matches; try fewer letters.")
        return current if known else None
    right.selectbox(
        f"User ({len(ids):,} match{', the first 50 shown' if len(ids) > _SHOWN else ''})",
        shown,
        key=f"{key}_user",
        on_change=lambda: choose("user", st.session_state[f"{key}_user"]),
    )
    return current if known else shown[0]
