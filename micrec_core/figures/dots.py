"""The two shapes most pages draw: dots with intervals, and bars with a zero line."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.names import POOLED


def interval_error(frame: pd.DataFrame, mean: str, low: str, high: str) -> dict[str, object]:
    """Plotly's asymmetric error bar from absolute bounds; NaN bounds draw nothing."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (frame[high] - frame[mean]).fillna(0.0).to_numpy(),
        "arrayminus": (frame[mean] - frame[low]).fillna(0.0).to_numpy(),
        "thickness": 1.5,
        "width": 4,
    }


def dot(
    frame: pd.DataFrame,
    places: Sequence[float],
    *,
    value: str = "mean",
    low: str = "low",
    high: str = "high",
    colour: str,
    symbols: Sequence[str] | str = "circle",
    size: int = 10,
    opacity: float = 1.0,
    intervals: bool = True,
    digits: int = 3,
) -> go.Scatter:
    """Dots with horizontal intervals; hover gives the row's name, value, interval and n.

    ``frame`` has ``row`` (its name), the three value columns and, where known, n and seed.
    """
    n = frame["n"] if "n" in frame.columns else pd.Series(pd.NA, index=frame.index)
    seed = frame["seed"] if "seed" in frame.columns else pd.Series(POOLED, index=frame.index)
    said = seed.map(lambda s: "all seeds" if s == POOLED else f"seed {s}")
    return go.Scatter(
        x=frame[value],
        y=list(places),
        error_x=interval_error(frame, value, low, high) | {"color": colour} if intervals else None,
        mode="markers",
        showlegend=False,
        opacity=opacity,
        marker={
            "size": size,
            "color": colour,
            "symbol": symbols if isinstance(symbols, str) else list(symbols),
        },
        customdata=pd.concat([frame[low], frame[high], n, frame["row"], said], axis=1).to_numpy(),
        hovertemplate=(
            f"%{{customdata[3]}}, %{{customdata[4]}}<br>%{{x:.{digits}f}} "
            f"[%{{customdata[0]:.{digits}f}}, %{{customdata[1]:.{digits}f}}]<br>"
            "n = %{customdata[2]:,}<extra></extra>"
        ),
    )


def name_rows(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    """Write the names of the rows 0, 1, ... beside the first column, the first one on top."""
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=list(names),
        range=[len(names) - 0.4, -0.6],
        zeroline=False,
    )
    figure.update_xaxes(nticks=3)  # as ``theme.FEW_TICKS``, of longer numbers
    return figure.update_layout(height=rows_height(len(names)))


def rows_height(n_rows: int, *, each: int = 34, extra: int = 110) -> int:
    """Height in pixels that gives every row of a dot plot its own line of text."""
    return extra + each * max(n_rows, 2)


def zero_line(figure: go.Figure, **where: object) -> go.Figure:
    """A visible line at zero difference."""
    return figure.add_vline(x=0, line_width=1.5, line_color=theme.NEUTRAL, line_dash="dot", **where)
