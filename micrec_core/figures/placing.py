"""Where someone belongs on a map that was drawn without them, and maps of too many to draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from micrec_core.figures import theme

NEAREST = 5
CELLS = 120
# More marks than these lie on each other, and are drawn a piece of each domain in turn.
_DENSE, _PIECES = 1_000, 6
_DEGREES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows divided by their length, float32 [n, D]; zero rows stay zero."""
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def place(
    layout: pd.DataFrame,
    vectors: NDArray[np.floating],
    embedding: NDArray[np.floating],
    k: int = NEAREST,
) -> dict[str, float] | None:
    """The mean place of the users most like a new one, weighed by their likeness.

    A layout cannot be asked for a point it was not made with, so this is an approximation.

    Parameters
    ----------
    layout : row, x, y of one domain
    vectors : [n, D], by ``row``
    embedding : [D]

    Returns
    -------
    x, y and the mean cosine of the nearest ``k`` as likeness; None where none is alike at all
    """
    cosine = unit(vectors) @ unit(embedding)
    known = layout.set_index("row")[["x", "y"]].reindex(np.arange(len(cosine)))
    cosine = np.where(known["x"].notna().to_numpy(), cosine, -np.inf)
    near = np.argsort(-cosine, kind="stable")[:k]
    weights = np.clip(cosine[near], 0.0, None)
    if not np.isfinite(weights).all() or weights.sum() <= 0:
        return None
    x, y = np.average(known.to_numpy()[near], axis=0, weights=weights)
    return {"x": float(x), "y": float(y), "likeness": float(cosine[near].mean())}


def placed_mark(row: pd.Series, label: str, index: int) -> go.Scattergl:
    """The mark of a made-up user, larger than a known user's and in the colour of the domain.

    Of two domains that put the user in the same place, both stars and both labels can be seen.
    """
    return go.Scattergl(
        x=[row["x"]],
        y=[row["y"]],
        mode="markers+text",
        text=[f"you, {label}"],
        textposition="bottom center" if index else "top center",
        textfont={"size": 15, "weight": "bold"},
        marker={
            "symbol": "star",
            "size": 18 if index else 30,
            "color": theme.domain_colour(index),
            "line": {"width": 2, "color": "#FFFFFF"},
        },
        name="Made-up user",
        showlegend=False,
        hovertemplate="the made-up user, about here<br>"
        f"mean cosine to the {NEAREST} nearest: {row['likeness']:.2f}<extra>{label}</extra>",
    )


@dataclass(frozen=True)
class Density:
    """Number of marks per cell of a map: ``counts`` [ny, nx] with the cells' middles."""

    x: NDArray[np.floating]
    y: NDArray[np.floating]
    counts: NDArray[np.floating]


def density(points: pd.DataFrame, cells: int = CELLS) -> Density:
    """Count all marks of a map; however many there are, the browser draws ``cells`` squared."""
    counts, x, y = np.histogram2d(points["x"], points["y"], bins=cells)
    return Density((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2, counts.T)


def density_picture(found: Density) -> go.Heatmap:
    """A density in shades of grey on a logarithmic scale; empty cells are clear."""
    filled = np.where(found.counts > 0, found.counts, np.nan)
    return go.Heatmap(
        x=found.x,
        y=found.y,
        z=np.log1p(filled),
        customdata=filled,
        colorscale=((0.0, "rgba(138,138,138,0.15)"), (1.0, "rgba(138,138,138,1)")),
        showscale=False,
        hovertemplate="%{customdata:,} marks here<extra>everyone</extra>",
    )


def contours(points: pd.DataFrame) -> go.Contour:
    """Lines of equal density of all marks of a map, drawn as landscapes are."""
    found = density(points)
    return go.Contour(
        x=found.x,
        y=found.y,
        z=gaussian_filter(found.counts, CELLS / 30),
        ncontours=7,
        contours={"coloring": "none"},
        line={"color": theme.NEUTRAL, "width": 1, "smoothing": 1.3},
        opacity=0.7,
        showscale=False,
        showlegend=False,
        hoverinfo="skip",
    )


def ring(places: pd.DataFrame, what: str) -> go.Scattergl:
    """Rings around the marks at x, y: what the sidebar says."""
    return go.Scattergl(
        x=places["x"],
        y=places["y"],
        mode="markers",
        marker={
            "symbol": "circle-open",
            "size": 20,
            "color": theme.SOURCES["id"][0],
            "line": {"width": 3},
        },
        hoverinfo="skip",
        name=what,
    )


def in_turn(frame: pd.DataFrame, domains: list[str]) -> Iterator[tuple[int, pd.DataFrame, str]]:
    """A piece of each domain after the other, so that none is drawn over the other where dense."""
    pieces = _PIECES if len(frame) > _DENSE else 1
    for place in range(pieces):
        for domain in domains:
            yield place, frame[frame["domain"] == domain].iloc[place::pieces], domain


def cloud(
    part: pd.DataFrame, label: str, index: int, colour_by: str, chosen: set[str], key: str
) -> go.Scattergl:
    """Marks of a domain's people or items, of whom those ``chosen`` are lit.

    Parameters
    ----------
    index : of the domain
    colour_by : ``domain``, ``degree``, or another column of numbers
    key : column of what ``chosen`` names
    """
    marker: dict[str, object] = {"symbol": theme.domain_symbol(index)}
    if colour_by == "domain":
        marker["color"] = theme.domain_colour(index)
    else:
        shown = np.log2(part["degree"] + 1) if colour_by == "degree" else part[colour_by]
        marker |= {"color": shown, "coloraxis": "coloraxis"}
    return go.Scattergl(
        x=part["x"],
        y=part["y"],
        mode="markers",
        name=label,
        legendgroup=label,
        marker=marker,
        selectedpoints=np.flatnonzero(part[key].isin(chosen)).tolist() if chosen else None,
        selected={"marker": {"opacity": 1.0, "size": 10}},
        unselected={"marker": {"opacity": 0.12}},
    )


def colour_bar(colour_by: str, title: str) -> dict[str, object]:
    """Of what ``cloud`` colours by; that of log2(degree + 1) is labelled with the degree itself."""
    bar: dict[str, object] = {"title": {"text": title, "side": "right"}, "thickness": 12}
    if colour_by == "degree":
        bar |= {"tickvals": [np.log2(d + 1) for d in _DEGREES], "ticktext": list(_DEGREES)}
    return bar
