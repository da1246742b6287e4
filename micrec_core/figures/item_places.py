"""The items of several domains on one map, and words for where they lie.

A frame of items has one row each: key (which no other row has), domain, item_id, title, degree, x,
y, group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.placing import cloud, colour_bar, contours, in_turn, ring
from micrec_core.titles import words_in

COLOUR_BY = {"domain": "Domain", "degree": "Interactions"}
# More marks than these say no more and take a browser seconds.
MOST = 5_000
# Titles of a group that must have a word before it is named by it.
_HELD = 3
# Shares of the map that a name takes.
_ROOM = np.array([0.25, 0.07])


def shown(items: pd.DataFrame, always: Collection[str]) -> pd.DataFrame:
    """The items to draw: all, or a sample with all of ``always`` (keys) in it."""
    if len(items) <= MOST:
        return items
    some = items.sample(MOST, random_state=0).index
    return items.loc[items.index.isin(some) | items["key"].isin(set(always))]


def names(items: pd.DataFrame) -> pd.DataFrame:
    """The words that a group's titles have more often than the others': group, name, x, y.

    Largest groups first, and no word twice: what two groups share tells neither apart. A group in
    which no word is held by three titles has no name, nor has one whose name would lie on another.
    """
    words = items["title"].fillna("").map(words_in)
    long = pd.DataFrame({"group": items["group"], "word": words.map(sorted)}).explode("word")
    held = long.dropna().groupby(["group", "word"]).size().unstack("group", fill_value=0)
    sizes = items.groupby("group").size()
    wide, high = (np.ptp(items[["x", "y"]].to_numpy(), axis=0) * _ROOM / 2).tolist()
    rows: list[tuple[int, str, float, float]] = []
    for group, size in sizes.sort_values(ascending=False, kind="stable").items():
        if group not in held or size == len(items):
            continue
        here, rest = held[group], held.drop(columns=group).sum(axis=1)
        more = (here / size - rest / (len(items) - size))[here >= _HELD]
        told = {word for _, name, _, _ in rows for word in name.split(", ")}
        best = more[(more > 0) & ~more.index.isin(told)].nlargest(2).index
        if len(best):
            part = items[items["group"] == group]
            x, y = part[["x", "y"]].median()
            if not any(abs(x - a) < wide and abs(y - b) < high for _, _, a, b in rows):
                rows.append((group, ", ".join(best), x, y))
    return pd.DataFrame(rows, columns=["group", "name", "x", "y"])


def map_of_items(
    items: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    colour_by: str = "domain",
    selected: Collection[str] = (),
    lines: Sequence[tuple[str, str]] = (),
    named: pd.DataFrame | None = None,
    dense: bool = False,
    mine: str | None = None,
) -> go.Figure:
    """All items, those selected lit; in the colours and shapes of their domains.

    Parameters
    ----------
    labels : domain -> words shown
    colour_by : a key of ``COLOUR_BY``
    selected : keys of items to light
    lines : pairs of keys to join
    named : of ``names``, words to write over the map
    dense : whether lines of equal density are drawn
    mine : key of the item that all pages look at, which is ringed
    """
    figure = go.Figure()
    if dense and len(items) > 1:
        figure.add_trace(contours(items))
    places = items.set_index("key")[["x", "y"]]
    ends = [(*places.loc[a], *places.loc[b]) for a, b in lines if {a, b} <= set(places.index)]
    figure.add_scattergl(
        x=[x for a, _, b, _ in ends for x in (a, b, None)],
        y=[y for _, a, _, b in ends for y in (a, b, None)],
        mode="lines", hoverinfo="skip", showlegend=False, opacity=0.7,
        line={"color": theme.NEUTRAL, "width": 1},
    )  # fmt: skip
    chosen = set(selected)
    for place, part, domain in in_turn(items, list(labels)):
        label = labels[domain]
        marks = cloud(part, label, list(labels).index(domain), colour_by, chosen, "key")
        marks.marker.update(size=7, opacity=0.8)
        marks.update(
            showlegend=place == 0,
            customdata=part[["key", "title", "degree"]].to_numpy(),
            hovertemplate="%{customdata[1]}<br>%{customdata[2]:,} interactions"
            f"<extra>{label}</extra>",
        )
        figure.add_trace(marks)
    if mine in places.index:
        figure.add_trace(ring(places.loc[[mine]], "the item of the sidebar"))
    for row in () if named is None else named.itertuples():
        figure.add_annotation(
            x=row.x, y=row.y, text=row.name, showarrow=False,
            font={"size": 14, "weight": "bold", "shadow": "auto"},
        )  # fmt: skip
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    if colour_by == "degree":
        bar = colour_bar(colour_by, COLOUR_BY[colour_by])
        figure.update_layout(coloraxis={"colorscale": theme.CONTINUOUS, "colorbar": bar})
    return theme.legend_below(figure).update_layout(
        height=560, dragmode="lasso", margin={"b": 52, "t": 8}, uirevision="items"
    )
