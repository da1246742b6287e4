"""Colours, shapes and the light and dark templates that every figure uses.

The palette is Okabe and Ito's, safe for the common kinds of colour blindness. A colour keeps one
role through the whole app, and a marker shape or a position always says the same thing again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from micrec_core.mechanisms import variant_label
from micrec_core.modalities.registry import in_order, modality
from micrec_core.names import MEMORY, METRICS, MICREC, model_label

# The first two are Okabe and Ito's; no source of a score has one of them.
DOMAIN_COLOURS = ("#0072B2", "#D55E00", "#B5446E", "#7A8B00", "#7C6FD6", "#2A9D8F")
DOMAIN_SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "pentagon")
# Sources of a score that are no modality: what stands before the modalities, and behind them.
SOURCES = {
    "id": ("#E69F00", "Interactions"),
    "bridge": ("#56B4E9", "Bridge"),
    MEMORY: ("#8C5A33", "Memory"),
}
BASELINE_GREYS = ("#8A8A8A", "#B3B3B3", "#6B6B6B")
NEUTRAL = "#8A8A8A"
_LINK = re.compile(r"<(?=\s*a\b)", re.IGNORECASE)
# What is ours but of no single domain or source: bars, losses, pairs of both domains.
SLATE = "#5F7391"
CONTINUOUS = "Cividis"
# Brown to purple through white: none of its ends is a domain's or a source's colour.
DIVERGING = ((0.0, "#B35806"), (0.5, "#F7F7F7"), (1.0, "#6A51A3"))
FEW = 30

MODEL_SYMBOLS = {
    "micrec": "circle",
    "inmo": "square",
    "lightgcn": "triangle-up",
    "popularity": "x",
    "ridge": "star",
    "nearest": "hexagon",
    "content": "pentagon",
}
MODEL_DASHES = {"micrec": "solid", "inmo": "dash", "lightgcn": "dot", "popularity": "dashdot"}


def _template(ink: str, muted: str, grid: str, paper: str) -> go.layout.Template:
    axis = {
        "gridcolor": grid,
        "zerolinecolor": grid,
        "linecolor": grid,
        "automargin": True,
        "title": {"font": {"size": 13, "color": muted}, "standoff": 8},
        "tickfont": {"size": 12, "color": muted},
    }
    return go.layout.Template(
        layout={
            "font": {
                "family": "Source Sans, Source Sans Pro, sans-serif",
                "size": 13,
                "color": ink,
            },
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": ""},
            "hoverlabel": {"align": "left"},
            "colorway": [*DOMAIN_COLOURS[:2], *BASELINE_GREYS],
        }
    )


TEMPLATES = {
    "light": _template("#1F2933", "#52606D", "#E1E5EA", "#FFFFFF"),
    "dark": _template("#E8ECF0", "#A9B4BF", "#36414D", "#0F141A"),
}


def themed(figure: go.Figure, kind: str = "light") -> go.Figure:
    """The figure with the ``light`` or ``dark`` template and without links, changed in place."""
    for part in (figure.layout, *figure.data):
        linkless = _linkless(part.to_plotly_json())
        if linkless is not None:
            part.update(linkless)
    return figure.update_layout(template=TEMPLATES[kind])


def _linkless(value: Any) -> Any:
    """The parts of ``value`` that Plotly would draw as links, as text; None if there are none."""
    if isinstance(value, str):
        shown = _LINK.sub("&lt;", value)
        return shown if shown != value else None
    if isinstance(value, Mapping):
        found = {k: c for k, v in value.items() if (c := _linkless(v)) is not None}
        return found or None
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype.hasobject):
        new = [_linkless(v) for v in value]
        if all(v is None for v in new):
            return None
        return [old if changed is None else changed for old, changed in zip(value, new)]
    return None


def domain_colour(index: int) -> str:
    """Colour of the domain at this place of the run's order; those of six differ."""
    return DOMAIN_COLOURS[index % len(DOMAIN_COLOURS)]


def domain_symbol(index: int) -> str:
    """Marker of the domain at this place of the run's order."""
    return DOMAIN_SYMBOLS[index % len(DOMAIN_SYMBOLS)]


def model_symbol(model: str, index: int, other: str = "square") -> str:
    """Marker of a model: ours has its domain's."""
    return domain_symbol(index) if model == MICREC else MODEL_SYMBOLS.get(model, other)


def source_colour(source: str) -> str:
    """Colour of a source of a score: a modality, interactions, the bridge or the memory."""
    return SOURCES[source][0] if source in SOURCES else modality(source).colour


def source_label(source: str) -> str:
    """The word shown for a source of a score."""
    return SOURCES[source][1] if source in SOURCES else modality(source).label


def source_order(sources: Iterable[str]) -> list[str]:
    """Interactions, the modalities in the order of the registry, the bridge, the memory."""
    given = list(sources)
    first, *last = SOURCES
    middle = in_order(s for s in given if s not in SOURCES)
    return [s for s in (first, *middle, *last) if s in given]


def metric_label(metric: str) -> str:
    """``ndcg@20`` -> ``NDCG@20``."""
    name, _, cutoff = metric.partition("@")
    label = METRICS.get(name, name.replace("_", " "))
    return f"{label}@{cutoff}" if cutoff else label


def row_label(model: str, variant: str) -> str:
    """One name for a row of a comparison: our variants by what they lack, others by model."""
    return variant_label(variant) if model == MICREC else model_label(model)


def model_colours(models: Iterable[str], domain_index: int = 0) -> Mapping[str, str]:
    """Our model in the colour of the domain shown, every other one in a grey of its own."""
    out: dict[str, str] = {}
    greys = 0
    for model in dict.fromkeys(models):
        if model == MICREC:
            out[model] = domain_colour(domain_index)
        else:
            out[model] = BASELINE_GREYS[greys % len(BASELINE_GREYS)]
            greys += 1
    return out


# Numbers along an axis that a panel of two has room for on a phone, where they are short; Plotly
# would turn more of them.
FEW_TICKS = {"nticks": 4}


def whole_ticks(values: Iterable[float]) -> dict[str, Any]:
    """Options of an axis of whole numbers: over few of them Plotly would write halves too."""
    found = list(values)
    return {"dtick": 1} if found and max(found) - min(found) <= 8 else {}


def facets(titles: Sequence[str], *, shared_y: bool = False, shared_x: bool = False) -> go.Figure:
    """An empty figure with one column per title; titles sit left, above the legend's line."""
    figure = make_subplots(
        rows=1,
        cols=max(len(titles), 1),
        subplot_titles=list(titles),
        shared_yaxes=shared_y,
        shared_xaxes=shared_x,
        horizontal_spacing=0.06 if shared_y else 0.09,
    )
    figure.update_annotations(font_size=14)
    return figure


def titled_once(figure: go.Figure, title: str, n: int, **where: Any) -> go.Figure:
    """Of two panels each x axis has the title; of more, which it would not fit, the middle one."""
    return figure.update_xaxes(
        title_text=title, **where, **({"col": (n + 1) // 2} if n > 2 else {})
    )


def legend_below(figure: go.Figure) -> go.Figure:
    """Put the legend on a line of its own at the lower edge, below the titles of the axes."""
    return figure.update_layout(
        margin={"l": 8, "r": 8, "t": 36, "b": 92},
        legend={
            "orientation": "h",
            "xref": "container",
            "yref": "container",
            "x": 0.01,
            "y": 0.01,
            "xanchor": "left",
            "yanchor": "bottom",
            "title": "",
        },
    )
