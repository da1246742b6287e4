"""The map of the items of one domain or two: what is drawn, the lasso, one item opened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from micrec_core.data.schema import counted
from micrec_core.figures import item_places as figures
from micrec_core.figures.linked import Marks, View, by_domain, by_number, linked
from micrec_core.modalities.registry import listed
from micrec_core.ui import commons, components, serve
from micrec_core.ui.address import news, say
from micrec_core.ui.cards import data_url, gallery
from micrec_core.ui.library import Opened, item
from micrec_core.ui.once import drawn, known
from micrec_core.ui.state import choose, session
from micrec_core.ui.widgets import chart, choose_one, marks_chosen, plain, table_and_csv

LAYERS = {"names": "Words", "density": "Density"}
_KEY = "al_items_linked"
_GROUPS = 10
# Lines to draw at most, items shown as pictures, and on hover; items of which each is compared with
# all others.
_LINES, _PICTURES, _THUMBNAILS, _JOINED = 100, 12, 2_000, 6_000


@st.cache_resource(max_entries=4, show_spinner=False)
def places(key: str, domains: tuple[str, ...], _opened: Opened) -> tuple[pd.DataFrame, float]:
    """Each item's place on the plane, its group and its key; the share of variance in the plane."""
    plane = serve.item_map(_opened, *domains)
    frame = plane.frame.assign(group=plane.groups(_GROUPS))
    frame["key"] = frame["domain"] + "~" + frame["item_id"].astype(str)
    return known(frame, f"{key} {domains} map of items"), plane.share


def show_items(opened: Opened) -> None:
    """The map, what is selected in it, and what that has in common."""
    items, share = places(opened.run.key, tuple(opened.pair_labels), opened)
    lit = selection(items)
    said = figures.COLOUR_BY
    with st.container(horizontal=True, gap="medium"):
        colour = choose_one("Colour by", said, "al_items_colour", "domain", said.__getitem__)
        layers = [] if components.has_maps() else st.pills(
            "Show", list(LAYERS), selection_mode="multi", default=["names"], key="al_items_show",
            bind="query-params", format_func=LAYERS.__getitem__,
        )  # fmt: skip
    if components.has_maps():
        marks = items
        _linked(opened, items, colour, lit)
    else:
        mine = _mine(items)
        marks = figures.shown(items, [*lit, *filter(None, [mine])])
        _plotted(opened, items, marks, colour, layers, lit)
    across = lit and not opened.one_domain
    both = " and ".join(map(plain, opened.pair_labels.values()))
    lines = f" Lines join items of {both} that are most alike." if across else ""
    st.caption(
        f"PCA of the items' vectors, {share:.0%} of their variance: in the plane, near need not be "
        "alike, and the words are of groups found in all dimensions. Draw a lasso, or click an "
        f"item to open it.{lines}"
    )
    table_and_csv(items.drop(columns=["key", "group"]), "al_items", about=_alt(opened))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Showing {_how_many(opened, len(marks), len(items))} {len(lit):,} selected.")
        st.button("Clear selection", disabled=not lit, icon=":material/close:", on_click=clear,
                  key="al_items_clear")  # fmt: skip
    if lit:
        show_selected(opened, items, lit)


def _how_many(opened: Opened, shown: int, placed: int) -> str:
    """How many of the items are drawn, and why some have no place."""
    sizes = {d["name"]: d["n_items"] for d in opened.info["dataset"]["domains"]}
    there = max(sum(sizes[domain] for domain in opened.pair_labels), placed)
    if there == placed:
        return f"{shown:,} of {placed:,} items."
    return (
        f"{shown:,} of {placed:,} items with interactions in training or content (on no map, for "
        f"they have neither: {there - placed:,})."
    )


def _plotted(
    opened: Opened,
    items: pd.DataFrame,
    marks: pd.DataFrame,
    colour: str,
    layers: list[str],
    lit: tuple[str, ...],
) -> None:
    rows = items.index[items["key"].isin(lit)].to_numpy()[:_LINES]
    others = serve.item_map(opened, *opened.pair_labels).across(rows)
    keys = items["key"]
    chart(
        drawn(
            figures.map_of_items,
            marks,
            opened.pair_labels,
            colour_by=colour,
            selected=lit,
            lines=[(keys[a], keys[b]) for a, b in zip(rows, others, strict=True) if b >= 0],
            named=figures.names(items) if "names" in layers else None,
            dense="density" in layers,
            mine=_mine(items),
        ),
        marks,
        "al_items_map",
        alt=_alt(opened),
        bare=True,
        on_select=_light_plotted,
    )


def _light_plotted() -> None:
    if keys := [str(kept[0]) for kept in marks_chosen("al_items_map")]:
        light(keys)


@st.cache_resource(max_entries=6, show_spinner="Drawing the items")
def _data(
    key: str, domains: tuple[str, ...], colour: str, mine: str | None, _opened: Opened
) -> dict[str, Any]:
    items, _ = places(key, domains, _opened)
    if colour == "domain":
        colours, palette, legend = by_domain(items["domain"], _opened.pair_labels)
    else:
        values = np.log2(items["degree"] + 1)
        colours, palette, legend = by_number(values, figures.COLOUR_BY[colour])
    n = len(items)
    near = serve.item_map(_opened, *domains).across(np.arange(n)) if n <= _JOINED else None
    marks = Marks(
        entity=np.arange(n),
        partner=np.full(n, -1) if near is None else near,
        colour=colours,
        colours=palette,
        legend=legend,
        labels=words(_opened, items),
        pictures=pictures(_opened, items),
    )
    view = View(f"Items of {listed(_opened.pair_labels.values())}",
                {"": items[["x", "y"]].to_numpy()}, names=figures.names(items))  # fmt: skip
    at = items.index[items["key"] == mine]
    return linked(marks, [view], alt=_alt(_opened), mine=int(at[0]) if len(at) else -1)


def _alt(opened: Opened) -> str:
    """The map in words."""
    of = listed(opened.pair_labels.values())
    return f"Map of the items of {of}, one mark each, in the colour of its domain"


def words(opened: Opened, items: pd.DataFrame) -> list[str]:
    """What is said of each item on hover, and what it is found by."""
    told = items[["title", "item_id", "domain", "degree"]]
    return [
        f"{title or item_id}\n{opened.labels[domain]}, {degree:,} interactions"
        for title, item_id, domain, degree in told.itertuples(index=False)
    ]


def pictures(opened: Opened, items: pd.DataFrame) -> dict[int, str]:
    """Thumbnails of the best known items, by row."""
    rows = items["degree"].nlargest(_THUMBNAILS).index
    found = {}
    for row, domain, item_id in items.loc[rows, ["domain", "item_id"]].itertuples():
        about = item(opened, domain, str(item_id))
        url = None if about is None else data_url(about.get("thumbnail"))
        if url:
            found[int(row)] = url
    return found


def _linked(opened: Opened, items: pd.DataFrame, colour: str, lit: tuple[str, ...]) -> None:
    data = _data(opened.run.key, tuple(opened.pair_labels), colour, _mine(items), opened)
    keys = items["key"]

    def chosen() -> None:
        light([keys[i] for i in components.lit_in(_KEY, len(keys))])

    components.maps(data, _KEY, items.index[keys.isin(lit)].tolist(), chosen)


def light(keys: list[str]) -> None:
    """Keep the items that were selected; one alone becomes the item that all pages look at."""
    session().lit_items = tuple(dict.fromkeys(keys))
    if len(keys) == 1:
        choose("item", keys[0].partition("~")[2])


def clear() -> None:
    """Forget the selected items."""
    session().lit_items = ()


def selection(items: pd.DataFrame) -> tuple[str, ...]:
    """The items selected: by the address where it has new ones that exist, else by the lasso."""
    asked = news("items")
    if asked is not None:
        known = set(items["key"])
        session().lit_items = tuple(k for k in dict.fromkeys(asked["items"]) if k in known)
    say("items", session().lit_items, "selected items")
    return session().lit_items


def _mine(items: pd.DataFrame) -> str | None:
    found = items.loc[items["item_id"].astype(str) == st.session_state.get("item"), "key"]
    return str(found.iloc[0]) if len(found) else None


def show_selected(opened: Opened, items: pd.DataFrame, lit: tuple[str, ...]) -> None:
    """The selected items, with pictures, and what they have in common."""
    chosen = items[items["key"].isin(set(lit))]
    table_and_csv(chosen.drop(columns="key"), "al_items_selected", label="Selected items")
    for domain, part in chosen.groupby("domain", sort=False):
        some = f", the {_PICTURES} with most interactions" if len(part) > _PICTURES else ""
        label = plain(opened.labels[str(domain)])
        st.markdown(f"**{label}:** {counted(len(part), 'item')}{some}")
        gallery(opened, str(domain), part.nlargest(_PICTURES, "degree"))
    commons.of_items(opened, items, lit)
