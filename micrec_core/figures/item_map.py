"""A map of a domain's items with a made-up one as a star."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.dots import interval_error
from micrec_core.names import DEGREE_STARTS

# More marks than these say no more and take a browser seconds.
MOST = 5_000
# People who took so much are told apart from the last of the bins that there are.
_MANY = 50


def shown(items: pd.DataFrame, near: list[str]) -> pd.DataFrame:
    """The items to draw: all, or a sample with all of ``near`` in it."""
    if len(items) <= MOST:
        return items
    some = items.sample(MOST, random_state=0).index
    return items.loc[items.index.isin(some) | items["item_id"].isin(near)]


def item_map(items: pd.DataFrame, star: tuple[float, float], near: list[str]) -> go.Figure:
    """All items as small marks, the new one's neighbours as larger ones, joined to its star.

    Parameters
    ----------
    items : item_id, title, degree, x, y
    near : ids of the neighbours
    """
    figure = go.Figure()
    hover = "%{customdata[0]}<br>%{customdata[1]:,} interactions<extra></extra>"
    figure.add_scattergl(
        x=items["x"], y=items["y"], mode="markers", name="Items of the catalogue",
        customdata=items[["title", "degree"]],
        hovertemplate=hover,
        marker={"size": 6, "opacity": 0.6, "color": np.log1p(items["degree"]),
                "colorscale": theme.CONTINUOUS,
                # Its dark end would be gone in the dark.
                "line": {"width": 0.6, "color": theme.NEUTRAL}},
    )  # fmt: skip
    mine = items[items["item_id"].isin(near)]
    ends = [v for row in mine.itertuples() for v in ((row.x, row.y), star, (None, None))]
    figure.add_scattergl(
        x=[x for x, _ in ends], y=[y for _, y in ends], mode="lines", hoverinfo="skip",
        showlegend=False, line={"color": theme.NEUTRAL, "width": 1},
    )  # fmt: skip
    figure.add_scattergl(
        x=mine["x"], y=mine["y"], mode="markers", name="Its neighbours",
        customdata=mine[["title", "degree"]],
        hovertemplate=hover,
        marker={"size": 11, "color": theme.SLATE, "line": {"width": 1, "color": "white"}},
    )  # fmt: skip
    figure.add_scattergl(
        x=[star[0]], y=[star[1]], mode="markers", name="The new item",
        hovertemplate="the new item<extra></extra>",
        marker={"symbol": "star", "size": 20, "color": theme.SOURCES["id"][0],
                "line": {"width": 1.5, "color": "black"}},
    )  # fmt: skip
    figure.update_xaxes(showticklabels=False).update_yaxes(showticklabels=False)
    return theme.legend_below(figure).update_layout(height=430)


def by_degree(people: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Who gets an item, by domain and by how much they took there.

    Parameters
    ----------
    people : known_in, degree, gets

    Returns
    -------
    known in, took, asked, get it, share
    """
    ends = [*(start - 1 for start in DEGREE_STARTS[1:]), _MANY]
    names = [*(f"{low + 1} to {high}" for low, high in pairwise(ends)), f"over {_MANY}"]
    took = pd.cut(people["degree"], [*ends, np.inf], labels=names)
    groups = people.groupby([people["known_in"].map(labels), took], observed=True, sort=False)
    table = groups["gets"].agg(["size", "sum"]).reset_index()
    table.columns = pd.Index(["known in", "took", "asked", "get it"])
    table = table.assign(share=table["get it"] / table["asked"], took=table["took"].astype(str))
    order = {name: place for place, name in enumerate(names)}
    place = table["took"].map(order) + len(names) * table["known in"].map(
        {label: at for at, label in enumerate(labels.values())}
    )
    return table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def reach(table: pd.DataFrame) -> go.Figure:
    """Share of people who get the item with its interval, by how much they took.

    ``table`` : of ``by_degree``, with low and high
    """
    figure = go.Figure()
    for place, (label, rows) in enumerate(table.groupby("known in", sort=False)):
        figure.add_bar(
            x=rows["took"], y=rows["share"], name=f"Known in {label}",
            customdata=rows[["get it", "asked"]],
            hovertemplate="%{x} interactions: %{customdata[0]:,} of %{customdata[1]:,} asked"
            f"<extra>{label}</extra>",
            marker_color=theme.domain_colour(place),
            # A bar's own are near black, and gone in the dark.
            error_y=interval_error(rows, "share", "low", "high") | {"color": theme.NEUTRAL},
        )  # fmt: skip
    figure.update_yaxes(title_text="Get it", tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(title_text="Interactions of the person in training", type="category")
    return theme.legend_below(figure).update_layout(height=360, barmode="group")
