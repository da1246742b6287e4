"""Figures of the pages that show lists: reasons of a score, and how ranks moved."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.dots import rows_height

# Paths of a score that are drawn one by one.
_PATHS = 14
NOT_SOURCES = frozenset({"item_id", "title", "score", "domain", "rank", "move"})


def sources(items: pd.DataFrame) -> list[str]:
    """Columns of a recommendation that are parts of a score, in their order, but for all 0."""
    found = [c for c in items.columns if c not in NOT_SOURCES]
    numeric = (c for c in found if pd.api.types.is_numeric_dtype(items[c]))
    return theme.source_order(c for c in numeric if items[c].any())


def short(text: str, length: int = 42) -> str:
    """A title that fits beside a bar."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def wrapped(text: str, width: int = 30) -> str:
    """A label on several lines, so that it leaves room for the bars."""
    return "<br>".join(wrap(text, width)) or text


def reasons(items: pd.DataFrame) -> go.Figure:
    """Parts of each score as a stacked bar; negative parts go left, the score is the dark tick."""
    names = [f"{i}. {short(t)}" for i, t in enumerate(items["title"].fillna(""), start=1)]
    figure = go.Figure()
    for source in sources(items):
        figure.add_bar(
            x=items[source],
            y=names,
            orientation="h",
            name=theme.source_label(source),
            marker_color=theme.source_colour(source),
            hovertemplate=f"%{{y}}<br>{theme.source_label(source)} %{{x:+.3f}}<extra></extra>",
        )
    figure.add_scatter(
        x=items["score"],
        y=names,
        mode="markers",
        name="Score",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": theme.NEUTRAL}},
        hovertemplate="%{y}<br>score %{x:.3f}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="Adds to the score")
    return theme.legend_below(figure).update_layout(
        barmode="relative", height=rows_height(len(items), each=28, extra=120)
    )


def by_path(table: pd.DataFrame) -> pd.DataFrame:
    """A score by the path it came along: path, source, contribution, n; adds up to the score.

    ``table`` is an explanation's; where it tells the two sides apart, the path begins with it.
    """
    sides = {"user": "user", "item": "item"}
    side = table["side"].map(sides) + ": " if "side" in table else pd.Series("", index=table.index)
    # However many took both, they are one path.
    via = table["via"].astype(str).str.replace(r"^\d+ took", "people who took", regex=True)
    out = table.assign(path=side + via).groupby(["path", "source"], sort=False)
    return out["contribution"].agg(contribution="sum", n="size").reset_index()


def paths(table: pd.DataFrame) -> go.Figure:
    """All of a score by path, stacked by source; ``table`` from ``by_path``.

    Where there are many, the smallest are one bar, so that all of them add up to the score.
    """
    sizes = table.groupby("path")["contribution"].sum().abs().sort_values(ascending=False)
    few = sizes.index[_PATHS:] if len(sizes) > _PATHS + 1 else sizes.index[:0]
    rest = f"the other {len(few)} paths together"
    table = table.assign(path=table["path"].mask(table["path"].isin(few), rest))
    table = table.groupby(["path", "source"], sort=False)[["contribution", "n"]].sum()
    table = table.reset_index().assign(path=lambda t: [wrapped(p) for p in t["path"]])
    order = [wrapped(p) for p in sizes.index if p not in few] + [wrapped(rest)] * (len(few) > 0)
    figure = go.Figure()
    for source in dict.fromkeys(table["source"]):
        rows = table[table["source"] == source]
        figure.add_bar(
            x=rows["contribution"],
            y=rows["path"],
            orientation="h",
            name=theme.source_label(str(source)),
            marker_color=theme.source_colour(str(source)),
            customdata=rows["n"],
            hovertemplate="%{y}<br>%{x:+.4f} from %{customdata:,} contributors"
            f"<extra>{theme.source_label(str(source))}</extra>",
        )
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=order)
    figure.update_xaxes(title_text="Adds to the score")
    lines = max((path.count("<br>") + 1 for path in order), default=1)
    return theme.legend_below(figure).update_layout(
        barmode="relative", height=rows_height(len(order), each=max(38, 15 * lines + 8), extra=140)
    )


def contributors(table: pd.DataFrame, limit: int = 10) -> pd.DataFrame:
    """Single items and users with the largest contributions, summed over their paths.

    Returns
    -------
    DataFrame name, source, contribution; the named ones of an explanation's table only
    """
    named = table[table["contributor_id"].astype(str) != ""]
    words = named["title"].fillna("").astype(str)
    words = words.where(words != "", named["contributor_id"].astype(str))
    keys = ["contributor_id", "name", "source"]
    sums = named.assign(name=words).groupby(keys, sort=False)["contribution"].sum().reset_index()
    size = sums.groupby("contributor_id")["contribution"].sum().abs()
    top = size.sort_values(ascending=False).index[:limit]
    out = sums[sums["contributor_id"].isin(top)]
    place = {c: i for i, c in enumerate(top)}
    return out.sort_values("contributor_id", key=lambda c: c.map(place)).reset_index(drop=True)


def contributor_bars(table: pd.DataFrame) -> go.Figure:
    """The largest single contributors, stacked by source; ``table`` from ``contributors``."""
    place = {c: i for i, c in enumerate(dict.fromkeys(table["contributor_id"]), start=1)}
    # The number keeps two contributors of the same title on lines of their own.
    rows = [
        f"{place[c]}. {short(n, 34)}"
        for c, n in zip(table["contributor_id"], table["name"], strict=True)
    ]
    figure = go.Figure()
    for source in dict.fromkeys(table["source"]):
        here = (table["source"] == source).to_numpy()
        figure.add_bar(
            x=table["contribution"][here],
            y=[r for r, h in zip(rows, here, strict=True) if h],
            orientation="h",
            name=theme.source_label(str(source)),
            marker_color=theme.source_colour(str(source)),
            hovertemplate=f"%{{y}}<br>%{{x:+.4f}}<extra>{theme.source_label(str(source))}</extra>",
        )
    order = list(dict.fromkeys(rows))
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=order)
    figure.update_xaxes(title_text="Adds to the score")
    return theme.legend_below(figure).update_layout(
        barmode="relative", height=rows_height(len(order), each=28, extra=140)
    )


def meeting(cells: pd.DataFrame) -> go.Figure:
    """Which source of the user met which of the item, as far as it did; the cells add up."""
    grid = cells.pivot(index="user_source", columns="item_source", values="contribution")
    grid = grid.loc[grid.any(axis=1), grid.any()]
    order = theme.source_order(grid.index)
    grid = grid.reindex(index=order, columns=theme.source_order(grid.columns))
    labels = [theme.source_label(s) for s in grid.columns]
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=[f"item: {w}" for w in labels],
            y=[f"user: {theme.source_label(s)}" for s in grid.index],
            colorscale=theme.DIVERGING,
            zmid=0,
            text=grid.map("{:+.3f}".format).where(grid != 0, ""),
            texttemplate="%{text}",
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="%{y}, %{x}: %{z:+.4f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    return figure.update_layout(height=rows_height(len(grid), each=42, extra=60))


def rank_moves(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """For each id of ``after``: ``new``, ``+2`` (up two places), ``-1`` or an empty word."""
    place = {item: i for i, item in enumerate(before)}
    out = []
    for i, item in enumerate(after):
        if item not in place:
            out.append("new")
        else:
            moved = place[item] - i
            out.append(f"{moved:+d}" if moved else "")
    return out


def compared(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Two lists in one table: item_id, title, rank in each list (NaN where absent), difference."""
    left = ours[["item_id", "title"]].assign(rank_a=np.arange(1, len(ours) + 1))
    right = theirs[["item_id", "title"]].assign(rank_b=np.arange(1, len(theirs) + 1))
    out = left.merge(right, on="item_id", how="outer", suffixes=("", "_b"))
    out["title"] = out["title"].fillna(out["title_b"])
    out["difference"] = out["rank_b"] - out["rank_a"]
    best = out[["rank_a", "rank_b"]].min(axis=1)
    order = ["item_id", "title", "rank_a", "rank_b", "difference"]
    return out.assign(_best=best).sort_values(["_best", "rank_a"])[order].reset_index(drop=True)


def slopes(table: pd.DataFrame, names: tuple[str, str], index: int) -> go.Figure:
    """Ranks in two lists joined by lines; an item only one list has gets no line."""
    figure = go.Figure()
    colour = theme.domain_colour(index)
    depth = int(np.nanmax(table[["rank_a", "rank_b"]].to_numpy())) + 1
    for _, row in table.iterrows():
        ys = [row["rank_a"] if pd.notna(row["rank_a"]) else np.nan, row["rank_b"]]
        both = bool(pd.notna(ys).all())
        figure.add_scatter(
            x=[0, 1],
            y=ys,
            mode="lines+markers",
            line={"color": colour if both else theme.NEUTRAL, "width": 2},
            marker={"size": 9, "symbol": theme.domain_symbol(index)},
            hovertemplate=f"{short(str(row['title']))}: place %{{y}}<extra></extra>",
            showlegend=False,
        )
    figure.update_yaxes(range=[depth, 0.4], title_text="Place in the list")
    figure.update_yaxes(tickvals=list(range(1, depth)))
    figure.update_xaxes(tickvals=[0, 1], ticktext=list(names), range=[-0.15, 1.15])
    return figure.update_layout(height=rows_height(depth, each=22))
