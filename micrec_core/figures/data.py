"""Figures of the Data page and of the data table on the Overview page."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from micrec_core.figures import theme
from micrec_core.modalities.registry import MODALITIES, listed
from micrec_core.names import DEGREE_STARTS


def degree_curves(degrees: Mapping[str, NDArray[np.integer]], title: str) -> go.Figure:
    """Share of users or items with at least this many interactions, both axes logarithmic.

    ``degrees`` maps a domain's label to its degrees; a straight line is a power law. Who has none
    is in no mark, and counts among all: the line of such a domain begins below 100%.
    """
    figure = go.Figure()
    for index, (label, values) in enumerate(degrees.items()):
        ordered = np.sort(np.asarray(values))[::-1]
        ordered = ordered[ordered > 0]
        if not len(ordered):
            continue
        # Where a value repeats, its last place is the number of entities with at least so many.
        steps, first = np.unique(-ordered, return_index=True)
        last = np.append(first[1:], len(ordered))
        figure.add_scatter(
            x=-steps,
            y=last / len(values),
            mode="lines+markers",
            name=label,
            line_color=theme.domain_colour(index),
            marker={"symbol": theme.domain_symbol(index), "size": 6},
            hovertemplate=f"at least %{{x}} interactions: %{{y:.1%}}<extra>{label}</extra>",
        )
    most = max((int(np.max(values, initial=1)) for values in degrees.values()), default=1)
    # Below two powers of ten these alone would leave an axis with one or two ticks.
    ticks = 1 if most >= 100 else "D2"
    # Of a single step Plotly would draw to a thousand percent.
    least = min((float(np.min(trace.y)) for trace in figure.data), default=1.0)
    figure.update_yaxes(range=[np.log10(min(least, 0.5)) - 0.1, 0.1])
    # Without a format Plotly writes 20 as a small 2.
    figure.update_xaxes(type="log", title_text=title, dtick=ticks, tickformat=",~r")
    figure.update_yaxes(
        type="log", title_text="Share with at least so many", tickformat="~%", dtick="D2"
    )
    return theme.legend_below(figure).update_layout(height=340)


def few_said(degrees: Mapping[str, NDArray[np.integer]]) -> str:
    """What share of each domain's items have few: ``Items with at most 5 ...: 80% in Food``."""
    most = DEGREE_STARTS[3] - 1
    where = [f"{np.mean(values <= most):.0%} in {label}" for label, values in degrees.items()]
    return f"Items with at most {most} interactions: {listed(where)}"


def degree_counts(degrees: Mapping[str, NDArray[np.integer]], kind: str) -> pd.DataFrame:
    """The numbers behind ``degree_curves``: domain, degree and how many of ``kind`` have it."""
    parts = [pd.DataFrame({"domain": name, "degree": d}) for name, d in degrees.items()]
    counts = pd.concat(parts, ignore_index=True).value_counts().rename(kind)
    return counts.reset_index().sort_values(["domain", "degree"], ignore_index=True)


def domain_table(domains: list[dict]) -> pd.DataFrame:
    """The facts that a run keeps of its dataset's domains, one row each."""
    frame = pd.DataFrame(domains)
    names = {
        "label": "Domain",
        "n_users": "Users",
        "n_items": "Items",
        "n_train": "Train",
        "n_valid": "Validation",
        "n_test": "Test",
    }
    out = frame[[c for c in names if c in frame]].rename(columns=names)
    counts = [c for c in ("Train", "Validation", "Test") if c in out]
    if {"Users", "Items"} <= set(out) and counts:
        out["Density"] = out[counts].sum(axis=1) / (out["Users"] * out["Items"])
    return out


_DESCRIBED = {
    "n_users": "Users",
    "n_items": "Items",
    "n_interactions": "Interactions",
    "n_train": "Train interactions",
    "n_valid": "Validation interactions",
    "n_test": "Test interactions",
    "density": "Share of all pairs that interact",
    "user_degree.p50": "Interactions per user, median",
    "user_degree.p100": "Interactions per user, most",
    "item_degree.p50": "Interactions per item, median",
    "item_degree.p100": "Interactions per item, most",
    "users_without_train": "Users without a train interaction",
    "items_without_train": "Items without a train interaction",
    "missing.title": "Items without a title",
    **{f"missing.{m.name}": f"Items without {m.lacking}" for m in MODALITIES.values()},
    "missing.both": "Items without any of these",
}


def described_table(domains: list[dict]) -> pd.DataFrame:
    """What ``data.describe`` says of a dataset's domains in words, one column per domain."""
    frame = pd.json_normalize(domains)
    have = {key: words for key, words in _DESCRIBED.items() if key in frame}
    columns = {
        str(row["label"] or row["name"]): [_number(key, row[key]) for key in have]
        for _, row in frame.iterrows()
    }
    return pd.DataFrame({"": list(have.values()), **columns})


def _number(key: str, value: float) -> str:
    return f"{value:.2%}" if key == "density" else f"{value:,.0f}"
