"""The two shapes most pages draw: dots with intervals, and bars with a zero line."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme


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
    labels: Sequence[str],
    *,
    value: str = "mean",
    low: str = "low",
    high: str = "high",
    colours: Sequence[str] | str,
    symbols: Sequence[str] | str = "circle",
    name: str = "",
    show_legend: bool = False,
    digits: int = 3,
) -> go.Scatter:
    """Dots with horizontal intervals, one row per label; hover gives value, interval and n."""
    n = frame["n"] if "n" in frame.columns else pd.Series(pd.NA, index=frame.index)
    return go.Scatter(
        x=frame[value],
        y=list(labels),
        error_x=interval_error(frame, value, low, high),
        mode="markers",
        name=name,
        showlegend=show_legend,
        marker={
            "size": 10,
            "color": colours if isinstance(colours, str) else list(colours),
            "symbol": symbols if isinstance(symbols, str) else list(symbols),
        },
        customdata=pd.concat([frame[low], frame[high], n], axis=1).to_numpy(),
        hovertemplate=(
            f"%{{y}}<br>%{{x:.{digits}f}} [%{{customdata[0]:.{digits}f}}, "
            f"%{{customdata[1]:.{digits}f}}]<br>n = %{{customdata[2]:,}}<extra>{name}</extra>"
        ),
    )


def rows_height(n_rows: int, *, each: int = 34, extra: int = 110) -> int:
    """Height in pixels that gives every row of a dot plot its own line of text."""
    return extra + each * max(n_rows, 2)


def zero_line(figure: go.Figure, **where: object) -> go.Figure:
    """A visible line at zero difference."""
    return figure.add_vline(x=0, line_width=1.5, line_color=theme.NEUTRAL, line_dash="dot", **where)
