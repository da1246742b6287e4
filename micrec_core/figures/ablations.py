"""Figures of the Ablations page: what each mechanism is worth, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.common import dot, interval_error, rows_height, zero_line
from micrec_core.figures.tables import pick

_ORDER = list(theme.VARIANT_LABELS)


def labelled(variants: pd.DataFrame) -> pd.DataFrame:
    """The table with a ``row`` column (one name per model or variant), in a fixed order.

    The full model comes first, then what is removed, then the other models.
    """
    out = variants.copy()
    out["row"] = [theme.row_label(m, v) for m, v in zip(out["model"], out["variant"], strict=True)]
    ours = out["model"].eq("micrec")
    place = out["variant"].map({v: i for i, v in enumerate(_ORDER)}).fillna(len(_ORDER))
    out["_place"] = place.where(ours, 100 + out.groupby("model").ngroup())
    return out.sort_values(["_place", "seed"]).drop(columns="_place").reset_index(drop=True)


def scores(variants: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """One dot per training (seed) and row, one column per domain, 95 % intervals over users.

    Parameters
    ----------
    variants : rows of one metric, protocol and cohort, from ``labelled``
    labels : domain -> words shown
    """
    figure = theme.facets(list(labels.values()), shared_y=True)
    for index, domain in enumerate(labels):
        rows = pick(variants, domain=domain)
        colours = [
            theme.domain_colour(index) if m == "micrec" else theme.NEUTRAL for m in rows["model"]
        ]
        symbols = [theme.MODEL_SYMBOLS.get(m, "circle") for m in rows["model"]]
        if (rows["model"] == "micrec").any():
            own = theme.domain_symbol(index)
            symbols = [
                own if m == "micrec" else s for m, s in zip(rows["model"], symbols, strict=True)
            ]
        figure.add_trace(dot(rows, rows["row"], colours=colours, symbols=symbols), 1, index + 1)
        full = pick(rows, model="micrec", variant="full")
        if not full.empty:
            figure.add_vline(
                x=full["mean"].mean(), line_width=1, line_dash="dot", line_color=theme.NEUTRAL,
                row=1, col=index + 1,
            )  # fmt: skip
    figure.update_yaxes(autorange="reversed", categoryorder="array")
    figure.update_yaxes(categoryarray=list(dict.fromkeys(variants["row"])))
    return figure.update_layout(height=rows_height(variants["row"].nunique()))


def differences(variants: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Paired difference of every row from the full model; hollow where Holm's p is above 0.05."""
    frame = variants.dropna(subset=["diff"])
    figure = theme.facets(list(labels.values()), shared_y=True)
    for index, domain in enumerate(labels):
        rows = pick(frame, domain=domain)
        colour = theme.domain_colour(index)
        shape = theme.domain_symbol(index)
        sure = rows["p_holm"].fillna(1.0) < 0.05
        trace = dot(
            rows,
            rows["row"],
            value="diff",
            low="diff_low",
            high="diff_high",
            colours=colour,
            symbols=[shape if s else f"{shape}-open" for s in sure],
            digits=4,
        )
        figure.add_trace(trace, 1, index + 1)
        zero_line(figure, row=1, col=index + 1)
    figure.update_yaxes(categoryorder="array", categoryarray=list(dict.fromkeys(frame["row"])))
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(height=rows_height(frame["row"].nunique()))


def cutoff_curves(cutoff: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """A metric against the length of the list, one line per model, one column per domain."""
    figure = theme.facets(list(labels.values()))
    shown: set[str] = set()
    for index, domain in enumerate(labels):
        rows = labelled(pick(cutoff, domain=domain).assign(seed=0))
        colours = theme.model_colours(rows["model"], index)
        for (row, model), line in rows.groupby(["row", "model"], sort=False):
            line = line.sort_values("k")
            ours = model == "micrec"
            figure.add_trace(
                go.Scatter(
                    x=line["k"],
                    y=line["mean"],
                    error_y=interval_error(line, "mean", "low", "high") if len(line) <= 8 else None,
                    mode="lines+markers",
                    name=row,
                    legendgroup=row,
                    showlegend=row not in shown,
                    line={
                        "color": colours[model],
                        "dash": "solid" if row == "Full model" else "dot",
                    },
                    marker={
                        "size": 7,
                        "symbol": theme.domain_symbol(index)
                        if ours
                        else theme.MODEL_SYMBOLS.get(model, "square"),
                    },
                    customdata=line[["low", "high"]].to_numpy(),
                    hovertemplate="K = %{x}<br>%{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                    f"<extra>{row}</extra>",
                ),
                1,
                index + 1,
            )
            shown.add(str(row))
    figure.update_xaxes(title_text="List length K")
    return theme.legend_below(figure).update_layout(height=380)


def cost(variants: pd.DataFrame) -> pd.DataFrame:
    """Seconds of training and number of parameters per row, averaged over seeds."""
    have = [c for c in ("seconds", "n_parameters") if c in variants.columns]
    out = variants.drop_duplicates(["row", "seed"]).groupby("row", sort=False)[have].mean()
    return out.dropna(how="all").reset_index()


def cost_bars(table: pd.DataFrame) -> go.Figure:
    """Training seconds beside the number of parameters."""
    figure = theme.facets(["Training time (seconds)", "Parameters"], shared_y=True)
    for column, name in enumerate(("seconds", "n_parameters"), start=1):
        if name in table.columns:
            figure.add_trace(
                go.Bar(
                    x=table[name],
                    y=table["row"],
                    orientation="h",
                    marker_color=theme.NEUTRAL,
                    showlegend=False,
                    texttemplate="%{x:,.3s}",
                    textposition="auto",
                    hovertemplate="%{y}: %{x:,.0f}<extra></extra>",
                ),
                1,
                column,
            )
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(height=rows_height(len(table), each=28))


def curve(frame: pd.DataFrame, x: str, title: str, labels: Mapping[str, str]) -> go.Figure:
    """A metric against a stress (share of interactions kept, share of items without a modality)."""
    renamed = frame.rename(columns={x: "k"})
    return cutoff_curves(renamed, labels).update_xaxes(title_text=title)
