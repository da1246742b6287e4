"""Figures of the Low degree page: who is served when an item has hardly any interactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from micrec_core.figures import theme, verdicts
from micrec_core.figures.dots import interval_error, rows_height
from micrec_core.figures.findings import Finding
from micrec_core.figures.picking import pick
from micrec_core.names import DEGREE_BINS, model_label

# Markers of models without one of their own.
_UNNAMED = ("triangle-down", "cross", "bowtie", "hourglass", "star-diamond")
# Domains side by side.
_BESIDE = 2


@dataclass(frozen=True)
class Found:
    """Items of one bin that were held out at all, those found most often first."""

    items: pd.DataFrame

    @property
    def held_out(self) -> int:
        """How many test interactions they have."""
        return int(self.items["n_positives"].sum())

    @property
    def hits(self) -> int:
        """How many of those stand in their users' first 20."""
        return int(self.items["hits"].sum())

    @property
    def share(self) -> float:
        """``hits`` of ``held_out``."""
        return self.hits / max(self.held_out, 1)


def foremost(degree: pd.DataFrame, claim: Finding | None) -> tuple[pd.DataFrame, str]:
    """The models to draw, by all that they find, and a sentence on the others.

    Parameters
    ----------
    degree : a model, bin and domain a row: recall, n_positives
    claim : what stands beside the chart; the models that it names are drawn
    """
    found = degree.assign(found=degree["recall"] * degree["n_positives"])
    named = [one.model for one in claim.compared] if claim else []
    return verdicts.foremost(found, "found", named=named)


def found_in_bin(items: pd.DataFrame, domain: str, name: str) -> Found:
    """What became of the items of one bin; ``items`` has bin, n_positives and hits per item."""
    rows = items[(items["domain"] == domain) & (items["bin"].astype(str) == name)]
    rows = rows[rows["n_positives"] > 0]
    return Found(rows.sort_values(["hits", "n_positives"], ascending=False))


def recall_by_bin(degree: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Item-side recall@20 per degree bin and model, over the number of items in each bin.

    Models sit side by side within a bin, so that intervals do not hide each other; a bin with
    fewer than 30 items is hatched in the lower panel.
    """
    figure = _panels(labels, [0.74, 0.26])
    place = _places(figure, degree)
    _add_models(figure, degree, labels, place, ("recall", "low", "high"), 2)
    for index, domain in enumerate(labels):
        rows = pick(degree, domain=domain)
        counted = pick(rows, model=rows["model"].iloc[:1].tolist())
        row, column = _at(index, 2)
        figure.add_trace(_bin_counts(counted, place), row + 1, column)
    # The same scale for all domains, with room for marks at zero.
    top = float(np.nanmax(degree[["recall", "high"]].to_numpy(), initial=0.05))
    n_rows = _n_rows(labels)
    for row in range(1, 2 * n_rows, 2):
        figure.update_yaxes(range=[-0.05 * top, 1.05 * top], row=row)
        figure.update_yaxes(title_text="Recall@20", row=row, col=1)
        # Bars say their numbers; ticks beside the next domain's bars would touch them on a phone.
        figure.update_yaxes(showticklabels=False, row=row + 1)
        figure.update_yaxes(title_text="Items", row=row + 1, col=1)
    return theme.legend_below(figure).update_layout(height=100 + 420 * n_rows, bargap=0.4)


def differences_by_bin(degree: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """How much less other models find per bin, paired by item: diff, diff_low, diff_high."""
    frame = degree.dropna(subset=["diff"])
    figure = _panels(labels, [1.0])
    place = _places(figure, frame)
    _add_models(figure, frame, labels, place, ("diff", "diff_low", "diff_high"), 1)
    figure.update_traces(
        hovertemplate="%{customdata[0]} interactions, %{customdata[1]:,} items<br>"
        "%{y:+.3f} [%{customdata[3]:+.3f}, %{customdata[4]:+.3f}]"
        "<extra>%{fullData.name}</extra>"
    )
    figure.add_hline(y=0, line_width=1.5, line_color=theme.NEUTRAL, line_dash="dot")
    figure.update_yaxes(matches="y").update_yaxes(title_text="Recall@20 minus MICRec's", col=1)
    return theme.legend_below(figure).update_layout(height=100 + 280 * _n_rows(labels))


def _n_rows(labels: Mapping[str, str]) -> int:
    """Rows of domains: of more than two side by side, bins would touch on a phone."""
    return -(-len(labels) // _BESIDE)


def _at(index: int, each: int) -> tuple[int, int]:
    """Row and column of a domain's first panel, from 1; ``each`` domain has so many below it."""
    row, column = divmod(index, _BESIDE)
    return 1 + each * row, 1 + column


def _panels(labels: Mapping[str, str], heights: Sequence[float]) -> go.Figure:
    """Panels of these relative heights below each other for every domain, two domains a row."""
    n, n_rows, each = len(labels), _n_rows(labels), len(heights)
    there: list[list[dict[str, object] | None]] = [
        [{} if _BESIDE * (row // each) + column < n else None for column in range(min(n, _BESIDE))]
        for row in range(each * n_rows)
    ]
    # Titles go to cells that there are, row by row.
    names = iter(labels.values())
    titles = [
        next(names) if row % each == 0 else ""
        for row, cells in enumerate(there)
        for cell in cells
        if cell is not None
    ]
    figure = make_subplots(
        rows=each * n_rows,
        cols=min(n, _BESIDE),
        specs=there,
        row_heights=[*heights] * n_rows,
        # Room for bins written upright and the next row's titles, about 55 pixels.
        vertical_spacing=0.08 if n_rows == 1 else (0.13 if each > 1 else 0.22) / n_rows,
        horizontal_spacing=0.08,
        subplot_titles=titles,
    )
    figure.update_annotations(font_size=14)
    for index in range(n):
        row, column = _at(index, each)
        if each > 1:
            figure.update_xaxes(showticklabels=False, row=row, col=column)
        if index + _BESIDE >= n:
            last = row + each - 1
            figure.update_xaxes(title_text="Item's interactions", row=last, col=column)
    return figure


def _places(figure: go.Figure, degree: pd.DataFrame) -> dict[str, int]:
    """Where each bin that the table has stands; the axes say so."""
    have = set(degree["bin"].astype(str))
    bins = [b for b in DEGREE_BINS if b in have]
    figure.update_xaxes(tickvals=list(range(len(bins))), ticktext=bins)
    return {b: i for i, b in enumerate(bins)}


def _add_models(
    figure: go.Figure,
    degree: pd.DataFrame,
    labels: Mapping[str, str],
    place: Mapping[str, int],
    columns: tuple[str, str, str],
    each: int,
) -> None:
    """Marks of each model side by side in every bin; ``columns`` are the value and its bounds.

    ``each`` : as of ``_at``
    """
    value, low, high = columns
    shown: set[str] = set()
    for index, domain in enumerate(labels):
        rows = pick(degree, domain=domain)
        colours = theme.model_colours(rows["model"], index)
        symbols = _symbols(colours, index)
        for i, (model, colour) in enumerate(colours.items()):
            line, name = pick(rows, model=model), model_label(model)
            shift = (i - (len(colours) - 1) / 2) * 0.16
            marks = go.Scatter(
                x=[place[b] + shift for b in line["bin"].astype(str)],
                y=line[value],
                error_y=interval_error(line, value, low, high),
                mode="markers",
                name=name,
                legendgroup=model,
                showlegend=model not in shown,
                marker={"size": 10, "color": colour, "symbol": symbols[model]},
                customdata=line[["bin", "n_items", "n_positives", low, high]].to_numpy(),
                hovertemplate="%{customdata[0]} interactions<br>recall@20 %{y:.3f} "
                "[%{customdata[3]:.3f}, %{customdata[4]:.3f}]<br>%{customdata[1]:,} items, "
                f"%{{customdata[2]:,}} held-out interactions<extra>{name}</extra>",
            )
            figure.add_trace(marks, *_at(index, each))
            shown.add(model)


def _symbols(models: Iterable[str], index: int) -> dict[str, str]:
    """A marker for each, those that have none of their own told apart: their greys are near."""
    free = iter(_UNNAMED)
    return {m: theme.model_symbol(m, index, "") or next(free, "square") for m in models}


def _bin_counts(line: pd.DataFrame, place: Mapping[str, int]) -> go.Bar:
    few = line["n_items"] < theme.FEW
    return go.Bar(
        x=[place[b] for b in line["bin"].astype(str)],
        y=line["n_items"],
        showlegend=False,
        marker={
            "color": theme.NEUTRAL,
            "opacity": 0.55,
            "pattern": {"shape": ["/" if f else "" for f in few]},
        },
        text=[f"{n:,}" for n in line["n_items"]],
        textposition="outside",
        # Else a narrow bar makes its number too small to read.
        constraintext="none",
        cliponaxis=False,
        hovertemplate="%{y:,} items<extra></extra>",
    )


def beyond_accuracy(beyond: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Coverage, popularity of what is recommended and likeness within a list, per model."""
    titles = {
        "coverage": "Coverage",
        "mean_popularity": "Popularity",
        "intra_list_similarity": "Likeness",
    }
    have = {c: t for c, t in titles.items() if c in beyond.columns and beyond[c].notna().any()}
    figure = theme.facets(list(have.values()), shared_y=True)
    frame = beyond.assign(row=[model_label(m) for m in beyond["model"]])
    for column, name in enumerate(have, start=1):
        for index, (domain, label) in enumerate(labels.items()):
            rows = pick(frame, domain=domain)
            figure.add_trace(
                go.Scatter(
                    x=rows[name],
                    y=rows["row"],
                    mode="markers",
                    name=label,
                    legendgroup=domain,
                    showlegend=column == 1,
                    marker={
                        "size": 11,
                        "color": theme.domain_colour(index),
                        "symbol": theme.domain_symbol(index),
                    },
                    hovertemplate=f"%{{y}}: %{{x:.3f}}<extra>{label}</extra>",
                ),
                1,
                column,
            )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(theme.FEW_TICKS)
    figure = theme.legend_below(figure)
    return figure.update_layout(height=rows_height(frame["row"].nunique(), extra=150))
