"""Figures of the Ablations page: what each mechanism is worth, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme, verdicts
from micrec_core.figures.dots import dot, interval_error, name_rows, rows_height, zero_line
from micrec_core.figures.picking import own_seed, pick
from micrec_core.mechanisms import MECHANISMS, variant_label
from micrec_core.names import FULL, POOLED, POPULARITY
from micrec_core.protocols import CURVES

_ORDER = [FULL, *MECHANISMS]


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


def _main(variants: pd.DataFrame) -> pd.Series:
    """Which rows stand for their model or variant: its pooled value where it has one, else all."""
    pooled = variants["seed"] == POOLED
    has_pooled = pooled.groupby([variants["model"], variants["variant"]]).transform("any")
    return pooled | ~has_pooled


def seeds_said(variants: pd.DataFrame) -> str:
    """What one mark of ``scores`` stands for."""
    pooled = variants["seed"] == POOLED
    n_seeds = variants.loc[~pooled, "seed"].nunique()
    said = f"One mark per training ({n_seeds} seed{'s' if n_seeds > 1 else ''})."
    if pooled.any():
        said = f"Large: mean over {n_seeds} seeds; small: one training each."
        alone = _main(variants) & ~pooled
        said += " Without small marks: one training." if alone.any() else ""
    few = variants["n"] < variants.groupby("domain")["n"].transform("max")
    if few.any():
        most = int(variants.loc[few, "n"].max())
        said += f" Of many users some models were asked of {most:,} drawn at random (n on hover)."
    return said


def scores(variants: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """A metric per row, one column per domain, with 95 % intervals over users.

    Where values pooled over seeds are stored, they are the large marks, and each training is a
    small pale one above; else every training has a mark and interval of its own.

    Parameters
    ----------
    variants : rows of one metric, protocol and cohort, from ``labelled``
    labels : domain -> words shown
    """
    names = list(dict.fromkeys(variants["row"]))
    figure = theme.facets(list(labels.values()), shared_y=True)
    for index, domain in enumerate(labels):
        rows = pick(variants, domain=domain)
        large = _main(rows)
        main, single = rows[large], rows[~large]
        for part, size, opacity in ((main, 11, 1.0), (single, 6, 0.55)):
            for model, own in part.groupby("model", sort=False):
                figure.add_trace(
                    dot(
                        own,
                        _places(own, names, above=part is single),
                        colour=_colour(str(model), index),
                        symbols=theme.model_symbol(str(model), index, "x"),
                        size=size,
                        opacity=opacity,
                        intervals=part is main,
                    ),
                    1,
                    index + 1,
                )
        full = pick(main, model="micrec", variant="full")
        if not full.empty:
            line = {"width": 1, "dash": "dot", "color": theme.NEUTRAL}
            figure.add_vline(x=full["mean"].mean(), line=line, row=1, col=index + 1)
    return name_rows(figure, names)


def differences(variants: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Paired difference of every row from the full model; hollow where ``verdicts`` show none.

    Differences pooled over seeds are drawn alone where they are stored. Popularity, where it is
    the worst, is so far off that it would hide the rest: ``left_to_table`` then says so.
    """
    frame = variants.dropna(subset=["diff"])
    if left_to_table(variants):
        frame = frame[frame["model"] != POPULARITY]
    frame = frame[_main(frame)]
    names = list(dict.fromkeys(frame["row"]))
    figure = theme.facets(list(labels.values()), shared_y=True)
    for index, domain in enumerate(labels):
        for model, rows in pick(frame, domain=domain).groupby("model", sort=False):
            shape = theme.model_symbol(str(model), index, "x")
            shown = [
                verdicts.verdict(-row.diff, row.p_holm) in ("better", "worse")
                for row in rows.itertuples()
            ]
            trace = dot(
                rows,
                _places(rows, names),
                value="diff",
                low="diff_low",
                high="diff_high",
                colour=_colour(str(model), index),
                symbols=[shape if s else f"{shape}-open" for s in shown],
                digits=4,
            )
            figure.add_trace(trace, 1, index + 1)
        zero_line(figure, row=1, col=index + 1)
        here = pick(frame, domain=domain)[["diff", "diff_low", "diff_high"]].to_numpy(float)
        low, high = min(np.nanmin(here, initial=0.0), 0.0), max(np.nanmax(here, initial=0.0), 0.0)
        room = 0.06 * max(high - low, 1e-6)
        # The dotted line stands within the panel, not on its edge.
        figure.update_xaxes(range=[low - room, high + room], row=1, col=index + 1)
    return name_rows(figure, names)


def left_to_table(variants: pd.DataFrame) -> str:
    """That ``differences`` do not draw popularity, as a sentence; empty where they do.

    Where it is not below all others, in every domain, nobody may overlook it.
    """
    frame = variants.dropna(subset=["diff"])
    popular = frame["model"] == POPULARITY
    best = frame[popular].groupby("domain")["diff"].max()
    others = frame[~popular].groupby("domain")["diff"].min()
    last = best < others.reindex(best.index)
    return "Popularity is further left and only in the table." if len(last) and last.all() else ""


def _is_variant(line: pd.DataFrame) -> bool:
    return bool(((line["model"] == "micrec") & (line["variant"] != "full")).any())


def _places(rows: pd.DataFrame, names: list[str], above: bool = False) -> list[float]:
    """Height of each mark: its row's, trainings of one row side by side."""
    seeds = sorted(rows["seed"].unique())
    step = 0.16
    middle = (len(seeds) - 1) / 2
    shift = {s: -0.3 if above else (i - middle) * step for i, s in enumerate(seeds)}
    return [names.index(r) + shift[s] for r, s in zip(rows["row"], rows["seed"], strict=True)]


def _colour(model: str, index: int) -> str:
    return theme.domain_colour(index) if model == "micrec" else theme.NEUTRAL


def cutoff_curves(
    cutoff: pd.DataFrame, labels: Mapping[str, str], title: str | None = None
) -> go.Figure:
    """A metric against the length of the list, one line per model, one column per domain.

    Every point has its interval on hover; drawn where there are few. ``title`` names the metric.
    """
    figure = theme.facets(list(labels.values()))
    shown: set[str] = set()
    for index, domain in enumerate(labels):
        rows = labelled(pick(cutoff, domain=domain).assign(seed=0))
        colours = theme.model_colours(rows["model"], index)
        for (row, model), line in rows.groupby(["row", "model"], sort=False):
            line = line.sort_values("k")
            figure.add_trace(
                go.Scatter(
                    x=line["k"],
                    y=line["mean"],
                    error_y=interval_error(line, "mean", "low", "high") if len(line) <= 8 else None,
                    mode="lines+markers" if len(line) <= 12 else "lines",
                    name=row,
                    legendgroup=row,
                    showlegend=row not in shown,
                    line={
                        "color": colours[model],
                        "dash": "longdash"
                        if _is_variant(line)
                        else theme.MODEL_DASHES.get(str(model), "dot"),
                    },
                    marker={
                        "size": 7,
                        "symbol": theme.model_symbol(str(model), index),
                    },
                    customdata=line[["low", "high"]].to_numpy(),
                    hovertemplate="K = %{x}<br>%{y:.3f} "
                    f"[%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}]<extra>{row}</extra>",
                ),
                1,
                index + 1,
            )
            shown.add(str(row))
    theme.titled_once(figure, "List length K", len(labels)).update_xaxes(theme.FEW_TICKS)
    figure.update_yaxes(title_text=title, col=1)
    return theme.legend_below(figure).update_layout(height=380)


def cost(variants: pd.DataFrame) -> pd.DataFrame:
    """Seconds of training and number of parameters per row, averaged over the trainings."""
    have = [c for c in ("seconds", "n_parameters") if c in variants.columns]
    single = variants[variants["seed"] != POOLED]
    out = single.drop_duplicates(["row", "seed"]).groupby("row", sort=False)[have].mean()
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
                    marker_color=[_bar_colour(r) for r in table["row"]],
                    showlegend=False,
                    texttemplate="%{x:,.3s}",
                    textposition="auto",
                    hovertemplate="%{y}: %{x:,.0f}<extra></extra>",
                ),
                1,
                column,
            )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(theme.FEW_TICKS)
    return figure.update_layout(height=rows_height(len(table), each=28))


def _bar_colour(row: str) -> str:
    """Slate for MICRec and variants of it, grey for other models."""
    ours = row.startswith("without ") or row in map(variant_label, _ORDER)
    return theme.SLATE if ours else theme.NEUTRAL


def stress_curves(frame: pd.DataFrame, stress: str, labels: Mapping[str, str]) -> go.Figure:
    """NDCG@20 against the share of something; ``stress`` is a key of ``CURVES``.

    Of several seeds, the values pooled over them are drawn where there are any, else the first's;
    of too few users, nothing.
    """
    figure = cutoff_curves(own_seed(verdicts.enough(frame)).rename(columns={"share": "k"}), labels)
    figure.update_traces(
        hovertemplate="%{x:.0%}: %{y:.3f} "
        "[%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra>%{fullData.name}</extra>"
    )
    figure.update_xaxes(title_text="")
    figure.update_yaxes(title_text="NDCG@20", rangemode="tozero", col=1)
    if stress == "sparsity":
        # Each point has a fraction of the one before: equal steps need a logarithm.
        shares = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]
        figure.update_xaxes(type="log", tickvals=shares)
    theme.titled_once(figure, CURVES[stress].axis, len(labels))
    return figure.update_xaxes(tickformat=".0%")
