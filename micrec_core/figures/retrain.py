"""Figures of a training while it runs, also shown on the Overview page for the finished one.

A history has one row per epoch: epoch, seconds, loss.*, valid.DOMAIN.METRIC and alignment.*.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.findings import interval_text
from micrec_core.figures.picking import own_seed, pick
from micrec_core.names import FEWEST
from micrec_core.protocols import PROTOCOL_LABELS


def _line(epochs: pd.Series) -> str:
    """A line; of one epoch a mark, for a line of one place is not seen."""
    return "lines" if len(epochs) > 1 else "markers"


def loss_curves(history: pd.DataFrame) -> go.Figure:
    """The total loss in full ink, its parts in grey with a dash of their own."""
    figure = go.Figure()
    dashes = ("dot", "dash", "dashdot", "longdash", "longdashdot")
    parts = [c for c in history.columns if c.startswith("loss.") and c != "loss.total"]
    for i, column in enumerate(parts):
        figure.add_scatter(
            x=history["epoch"],
            y=history[column],
            mode=_line(history["epoch"]),
            name=column.removeprefix("loss."),
            line={"color": theme.NEUTRAL, "dash": dashes[i % len(dashes)], "width": 1.5},
            marker={"color": theme.NEUTRAL, "symbol": i, "size": 7},
        )
    if "loss.total" in history:
        figure.add_scatter(
            x=history["epoch"],
            y=history["loss.total"],
            mode="lines+markers",
            name="total",
            line={"color": theme.SLATE, "width": 2.5},
            marker_size=5,
        )
    figure.update_xaxes(title_text="Epoch", **theme.whole_ticks(history["epoch"]))
    figure.update_yaxes(title_text="Loss")
    return theme.legend_below(figure).update_layout(height=340)


def valid_curves(
    history: pd.DataFrame,
    labels: Mapping[str, str],
    metric: str = "ndcg@20",
    *,
    best_epoch: int | None = None,
    reference: pd.DataFrame | None = None,
) -> go.Figure:
    """Validation metric per domain over the epochs; ``reference`` is another run, drawn dotted."""
    figure = go.Figure()
    for index, (domain, label) in enumerate(labels.items()):
        column = f"valid.{domain}.{metric}"
        colour = theme.domain_colour(index)
        if reference is not None and column in reference:
            rows = reference.dropna(subset=[column])
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode=_line(rows["epoch"]),
                name=f"{label}, opened run",
                line={"color": colour, "dash": "dot", "width": 1.5},
                marker={"color": colour, "symbol": theme.domain_symbol(index) + "-open", "size": 7},
            )
        if column in history:
            rows = history.dropna(subset=[column])
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode="lines+markers",
                name=label,
                line={"color": colour, "width": 2.5},
                marker={"symbol": theme.domain_symbol(index), "size": 7},
            )
    if best_epoch is not None:
        figure.add_vline(x=best_epoch, line_width=1.5, line_dash="dot", line_color=theme.NEUTRAL)
        figure.add_annotation(
            x=best_epoch,
            y=0,
            yref="paper",
            yanchor="bottom",
            text="kept",
            showarrow=False,
            xanchor="right",
            xshift=-4,
        )
    figure.update_xaxes(title_text="Epoch", **theme.whole_ticks(history["epoch"]))
    figure.update_yaxes(title_text=f"Validation {theme.metric_label(metric)}")
    return theme.legend_below(figure).update_layout(height=340)


def alignment_curve(history: pd.DataFrame, reference: pd.DataFrame | None = None) -> go.Figure:
    """Cosine of overlapping users' two vectors while training goes on."""
    figure = go.Figure()
    column = "alignment.paired_cosine"
    for frame, name, dash, symbol in (
        (reference, "Opened run", "dot", "circle-open"),
        (history, "This training", "solid", "circle"),
    ):
        if frame is not None and column in frame:
            rows = frame.dropna(subset=[column])
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode=_line(rows["epoch"]),
                name=name,
                line={"color": theme.SLATE, "dash": dash, "width": 2},
                marker={"color": theme.SLATE, "symbol": symbol, "size": 8},
            )
    figure.update_xaxes(title_text="Epoch", **theme.whole_ticks(history["epoch"]))
    figure.update_yaxes(title_text="Cosine of true pairs")
    return theme.legend_below(figure).update_layout(height=340, showlegend=True)


def beside(
    candidate: pd.DataFrame,
    opened: pd.DataFrame,
    labels: Mapping[str, str],
    seed: int | None = None,
    metric: str = "ndcg@20",
) -> pd.DataFrame:
    """Test metrics of a finished training beside the opened run's, with intervals.

    Parameters
    ----------
    candidate, opened : rows of the two runs' summary tables that are about their own models
    seed : the opened run's, whose row is quoted where nothing is pooled over seeds

    Returns
    -------
    DataFrame question, domain, this training, opened run; questions both runs answer
    """
    keys = ["protocol", "domain"]
    sides = []
    for frame, own in ((candidate, None), (opened, seed)):
        rows = own_seed(pick(frame, metric=metric, cohort="all"), own)
        said = [
            interval_text(*values) if n >= FEWEST else f"fewer than {FEWEST} users"
            for *values, n in rows[["mean", "low", "high", "n"]].to_numpy()
        ]
        sides.append(rows[keys].assign(said=said).drop_duplicates(keys))
    both = sides[0].merge(sides[1], on=keys, suffixes=("", "_opened"))
    return pd.DataFrame(
        {
            "Question": both["protocol"].map(lambda p: PROTOCOL_LABELS.get(p, p)),
            "Domain": both["domain"].map(lambda d: labels.get(d, d)),
            "This training": both["said"],
            "Opened run": both["said_opened"],
        }
    )
