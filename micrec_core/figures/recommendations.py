"""Figures of the pages that show lists: reasons of a score, and how ranks moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.common import rows_height

NOT_SOURCES = frozenset({"item_id", "title", "score", "domain", "rank", "move"})


def sources(items: pd.DataFrame) -> list[str]:
    """Columns of a recommendation that are parts of the score, in the order of the palette."""
    known = [s for s in theme.SOURCE_COLOURS if s in items.columns]
    order = sorted(known, key=["id", "text", "image", "bridge"].index)
    rest = [c for c in items.columns if c not in NOT_SOURCES and c not in known]
    return order + [c for c in rest if pd.api.types.is_numeric_dtype(items[c])]


def short(text: str, length: int = 42) -> str:
    """A title that fits beside a bar."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


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
            marker_color=theme.SOURCE_COLOURS.get(source, theme.NEUTRAL),
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
    figure.update_xaxes(title_text="Contribution to the score")
    return theme.legend_below(figure).update_layout(
        barmode="relative", height=rows_height(len(items), each=28, extra=120)
    )


def contributions(table: pd.DataFrame, limit: int = 12) -> go.Figure:
    """The largest contributions of an explanation; what is left is summed into one last bar.

    ``table`` has source, via, title (may be missing) and contribution.
    """
    order = table.reindex(table["contribution"].abs().sort_values(ascending=False).index)
    top, rest = order[:limit], order[limit:]
    words = top["title"].fillna("") if "title" in top else pd.Series("", index=top.index)
    names = [
        short(f"{v}: {t}" if t else str(v), 46)
        for v, t in zip(top["via"].astype(str), words.astype(str), strict=True)
    ]
    values = top["contribution"].tolist()
    keys = top["source"].tolist()
    if len(rest):
        names.append(f"{len(rest)} smaller ones together")
        values.append(float(rest["contribution"].sum()))
        keys.append("rest")
    figure = go.Figure()
    for key in dict.fromkeys(keys):
        here = [i for i, k in enumerate(keys) if k == key]
        figure.add_bar(
            x=[values[i] for i in here],
            # The number keeps two contributors of the same title on lines of their own.
            y=[f"{i + 1}. {names[i]}" for i in here],
            orientation="h",
            name="Rest" if key == "rest" else theme.source_label(str(key)),
            marker_color=theme.SOURCE_COLOURS.get(str(key), theme.NEUTRAL),
            hovertemplate="%{y}<br>%{x:+.4f}<extra></extra>",
        )
    figure.update_yaxes(
        autorange="reversed",
        categoryorder="array",
        categoryarray=[f"{i + 1}. {n}" for i, n in enumerate(names)],
    )
    figure.update_xaxes(title_text="Contribution to the score")
    return theme.legend_below(figure).update_layout(
        barmode="relative", height=rows_height(len(names), each=26, extra=130)
    )


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
    figure.update_yaxes(range=[depth, 0.4], title_text="Place in the list", dtick=1)
    figure.update_xaxes(tickvals=[0, 1], ticktext=list(names), range=[-0.15, 1.15])
    return figure.update_layout(height=rows_height(depth, each=22))
