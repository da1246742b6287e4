"""Items as pictures and cards. Item text is always shown as text, never as HTML or Markdown."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from micrec_core.figures import theme
from micrec_core.figures.recommendations import short, sources
from micrec_core.modalities.registry import modality
from micrec_core.names import GENERATED_COLUMNS, MEMORY
from micrec_core.ui.library import Opened, item
from micrec_core.ui.widgets import plain

# Widths of pictures in pixels: in a line, on a card, in a grid, and of one item alone.
LINE, CARD, GRID, ALONE = 44, 72, 84, 112
_NO_PICTURE = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 96' width='96' height='96'>"
    "<rect x='1' y='1' width='94' height='94' rx='8' fill='none' stroke='#8A8A8A' "
    "stroke-dasharray='4 4'/><text x='48' y='52' font-size='11' text-anchor='middle' "
    "fill='#8A8A8A' font-family='sans-serif'>no picture</text></svg>"
)
NO_PICTURE = "data:image/svg+xml;base64," + base64.b64encode(_NO_PICTURE.encode()).decode()


def title_of(row: pd.Series | None, item_id: str) -> str:
    """The item's title; its id where it has none."""
    return str(row["title"]) if row is not None and row["title"] else f"(no title) {item_id}"


def thumbnail(opened: Opened, row: pd.Series | None, width: int) -> None:
    """The item's picture, or a drawn sign that it has none; nothing where no item has any."""
    if not opened.catalogue.pictured:
        return
    picture = None if row is None else data_url(row.get("thumbnail"))
    if row is None or picture is None:
        st.image(NO_PICTURE, width=width, alt="This item has no picture")
    else:
        # Bytes would be decoded and encoded anew for each visitor, and asked for one by one.
        st.image(picture, width=width, alt=f"Picture of {title_of(row, str(row['item_id']))}")


def thumbnail_beside(opened: Opened, row: pd.Series | None, width: int) -> None:
    """The same as a column of its own in a row."""
    if opened.catalogue.pictured:
        with st.container(width=width + 4):
            thumbnail(opened, row, width)


def by_model(row: pd.Series | None) -> str:
    """Which model wrote texts of an item, and when; empty where nobody but the shop did."""
    said = None if row is None else row.get(GENERATED_COLUMNS[1])
    return said if isinstance(said, str) else ""


def data_url(blob: object) -> str | None:
    """A thumbnail as a data-URL, which is what tables can show."""
    if not isinstance(blob, bytes) or not blob:
        return None
    kind = "webp" if blob[8:12] == b"WEBP" else "png" if blob[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(blob).decode()}"


def with_pictures(opened: Opened, domain: str, items: pd.DataFrame) -> pd.DataFrame:
    """The list with a first column ``picture`` of data-URLs, where any item has a picture."""
    if not opened.catalogue.pictured:
        return items.copy()
    rows = [item(opened, domain, i) for i in items["item_id"]]
    urls = [data_url(None if r is None else r.get("thumbnail")) or NO_PICTURE for r in rows]
    out = items.copy()
    out.insert(0, "picture", urls)
    return out


def reason_bar(parts: Mapping[str, float], scale: float) -> tuple[str, str]:
    """A bar of parts as an SVG and its words; negative parts grow left from the zero line.

    ``scale`` is the largest sum of positive (or of negative) parts in the list, so that bars of
    one list can be compared.
    """
    width, height, zero = 220.0, 12, 0.0
    negative = sum(min(v, 0.0) for v in parts.values())
    span = max(scale, 1e-12)
    share = width / (span * (1.25 if negative < 0 else 1.0))
    zero = -negative * share
    left, right, rects = zero, zero, []
    for source, value in parts.items():
        size = abs(value) * share
        left, x = (left - size, left - size) if value < 0 else (left, right)
        right = right + size if value >= 0 else right
        colour = theme.source_colour(source)
        opacity = 0.5 if value < 0 else 1
        rects.append(
            f"<rect x='{x:.1f}' y='0' width='{size:.1f}' height='{height}' fill='{colour}' "
            f"fill-opacity='{opacity}'/>"
        )
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height}' "
        f"width='{width:.0f}' height='{height}' preserveAspectRatio='none'>{''.join(rects)}</svg>"
    )
    words = ", ".join(f"{theme.source_label(s).lower()} {v:+.2f}" for s, v in parts.items())
    return svg, words


def recommendation_cards(
    opened: Opened, domain: str, items: pd.DataFrame, moves: Sequence[str] | None = None
) -> None:
    """One card per item: picture, title, score, its reason bar and how its place changed."""
    names = sources(items)
    positive = items[names].clip(lower=0).sum(axis=1)
    scale = float(positive.max()) if len(items) and names else 1.0
    for place, (_, row) in enumerate(items.iterrows(), start=1):
        shown = item(opened, domain, row["item_id"])
        with st.container(border=True, horizontal=True, vertical_alignment="center", wrap=False):
            thumbnail_beside(opened, shown, CARD)
            with st.container(gap="xsmall"):
                st.text(f"{place}. {title_of(row, str(row['item_id']))}")
                said = f"score {row['score']:.2f}"
                if names:
                    svg, words = reason_bar({s: float(row[s]) for s in names}, scale)
                    st.image(svg, width="stretch", alt=f"Score {row['score']:.2f}: {words}")
                    said = f"{said} = {words}"
                st.caption(said + _moved(moves, place))
                if who := by_model(shown):
                    st.caption(f"Text in part by a model: {plain(who)}")


def _moved(moves: Sequence[str] | None, place: int) -> str:
    if not moves or not moves[place - 1]:
        return ""
    move = moves[place - 1]
    if move == "new":
        return " · **new**"
    icon = "arrow_upward" if move.startswith("+") else "arrow_downward"
    return f" · :material/{icon}: {move[1:]}"


def gallery(
    opened: Opened, domain: str, items: pd.DataFrame, said: Sequence[str] | None = None
) -> None:
    """Pictures side by side with the beginning of their titles; ``said`` is a word below each."""
    # Without pictures there is room for whole titles.
    pictured = opened.catalogue.pictured
    grid = st.grid(min_column_width=88 if pictured else 180, gap="small")
    longest = 32 if pictured else 80
    for place, (_, row) in enumerate(items.iterrows()):
        with grid.cell(), st.container(gap="xxsmall"):
            thumbnail(opened, item(opened, domain, row["item_id"]), GRID)
            caption = plain(f"{place + 1}. {short(title_of(row, str(row['item_id'])), longest)}")
            st.caption(caption + (f"  \n{plain(said[place])}" if said else ""))


def _meaning(source: str) -> str:
    """After the word that the bars' parts are called by, what it stands for."""
    words = {"id": "", "bridge": "lent by overlapping users", MEMORY: "what was taken together"}
    said = words.get(source, "" if source in words else modality(source).says)
    return f": {said}" if said else ""


def legend(names: Sequence[str]) -> None:
    """What the colours of the reason bars mean."""
    # Fixed words and colours and checked names only: nothing else of a dataset may come here.
    marks = "".join(
        "<span style='white-space:nowrap'><span style='display:inline-block;width:.8em;height:.8em;"
        f"border-radius:2px;background:{theme.source_colour(n)}'></span> "
        f"{theme.source_label(n).lower()}{_meaning(n)} &emsp;</span> "
        for n in names
    )
    st.html(f"<small>{marks}</small>")
