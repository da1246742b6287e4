"""The part of the Low degree page that looks at single items."""

from __future__ import annotations

from contextlib import nullcontext

import pandas as pd
import streamlit as st

from micrec_core.figures import low_degree as figures
from micrec_core.names import CATALOGUE, DEGREE_BINS
from micrec_core.ui import library
from micrec_core.ui.cards import title_of, with_pictures
from micrec_core.ui.library import Opened
from micrec_core.ui.widgets import cells, choose_domain, choose_one, fragment

# Rows shown: who looks for one item finds it by its id on other pages.
_MOST = 100


@fragment
def show_items(opened: Opened, items: pd.DataFrame) -> None:
    """Items of one bin of one domain, those found most often first."""
    st.header("Which items", anchor=False)
    *left, right = cells(1 if opened.one_domain else 2, 240)
    with left[0] if left else nullcontext():
        domain = choose_domain(opened.labels, "low_domain", opened.pair[0], bind=True)
    bins = set(items["bin"].astype(str))
    have = [b for b in DEGREE_BINS if b in bins]
    with right:
        usual = have[min(1, len(have) - 1)]
        chosen = choose_one("Interactions in training", have, "low_bin", usual)
    found = figures.found_in_bin(items, domain, chosen)
    st.markdown(
        f"**{len(found.items):,}** items with {chosen} interactions were held out "
        f"**{found.held_out:,}** times; **{found.hits:,}** ({found.share:.1%}) were found in the "
        "first 20 of this run's model."
    )
    top = found.items.head(_MOST)
    if opened.run.has(CATALOGUE):
        titles = [library.item(opened, domain, str(i)) for i in top["item_id"]]
        ids = top["item_id"].astype(str)
        top = top.assign(title=[title_of(t, i) for t, i in zip(titles, ids)])
        top = with_pictures(opened, domain, top)
    keep = [c for c in ("picture", "title", "item_id", "degree", "n_positives", "hits") if c in top]
    st.dataframe(
        top[keep],
        hide_index=True,
        width="stretch",
        row_height=48,
        column_config={
            "picture": st.column_config.ImageColumn("", width="small"),
            "title": "Item",
            "item_id": "Id",
            "degree": "Interactions",
            "n_positives": st.column_config.NumberColumn("Held out", help="Test interactions"),
            "hits": st.column_config.NumberColumn("Found", help="In the user's first 20"),
        },
    )
    more = len(found.items) > len(top)
    first = f"The {len(top)} found most often are shown. " if more else ""
    st.caption(f"{first}A click on a heading sorts them; the table's own menu downloads it.")
