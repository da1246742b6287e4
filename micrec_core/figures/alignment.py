"""Figures of the Alignment page: the same people in two domains, before and after training.

A frame of points has one row per user and domain: user_id, domain, x, y, degree and distance (the
cosine distance between that user's two vectors, in all dimensions).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from micrec_core.figures import theme
from micrec_core.figures.placing import (
    Density,
    cloud,
    colour_bar,
    density,
    density_picture,
    in_turn,
    placed_mark,
    ring,
    unit,
)

COLOUR_BY = {"domain": "Domain", "degree": "Interactions", "distance": "Pair distance"}
SAME, RANDOM = "The same person", "Random pairs"
MAX_LINES = 200
# 50,000 marks in two maps of two domains; above that everyone is in the density picture, and a
# sample is drawn over it.
MAX_USERS = 12_500
SAMPLE = 2_500
MAX_WORST = 50


def points(
    users: pd.DataFrame,
    layout: pd.DataFrame,
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    pair: Sequence[str],
) -> pd.DataFrame:
    """One row per user and domain, from a layout of one epoch and the vectors of that epoch.

    Parameters
    ----------
    users : row, user_id, degree_a, degree_b
    layout : domain ("a"/"b" or the domain's name), row, x, y
    a, b : [n, D] vectors of the pair's two domains, row by row of ``users``
    """
    apart = 1.0 - (unit(a) * unit(b)).sum(axis=1)
    base = users.assign(distance=apart[users["row"].to_numpy()])
    parts = []
    for name, side in zip(pair, "ab", strict=True):
        here = layout[layout["domain"].isin([name, side])][["row", "x", "y"]]
        part = base.merge(here, on="row").assign(domain=name)
        parts.append(part.assign(degree=part[f"degree_{side}"]))
    keep = ["row", "user_id", "domain", "x", "y", "degree", "distance"]
    return pd.concat(parts, ignore_index=True)[keep]


def sample_rows(frame: pd.DataFrame, limit: int = MAX_USERS, sample: int = SAMPLE) -> pd.DataFrame:
    """All rows of at most ``limit`` users; of more, a sample.

    It is even over the pair distances and has all of the worst pairs that can be asked for.
    """
    users = frame.drop_duplicates("user_id").sort_values("distance")["user_id"]
    if len(users) <= limit:
        return frame
    even = np.linspace(0, len(users) - 1, sample).astype(int)
    worst = np.arange(len(users) - MAX_WORST, len(users))
    return frame[frame["user_id"].isin(users.iloc[np.union1d(even, worst)])]


def shown(frame: pd.DataFrame) -> tuple[pd.DataFrame, Density | None]:
    """What of a map is drawn as marks, and the density of all where that is a sample."""
    marks = sample_rows(frame)
    return marks, None if len(marks) == len(frame) else density(frame)


def before_after(
    stages: Mapping[str, pd.DataFrame],
    labels: Mapping[str, str],
    *,
    colour_by: str = "domain",
    selected: Collection[str] = (),
    worst: int = 0,
    densities: Sequence[Density | None] = (),
    placed: pd.DataFrame | None = None,
    mine: str | None = None,
) -> go.Figure:
    """Two maps of the same users; the selected ones are lit in both, joined by a line.

    Parameters
    ----------
    stages : title -> points, in the order shown
    labels : domain -> words shown, in the pair's order
    colour_by : a key of ``COLOUR_BY``
    selected : user ids to light; the lines are theirs, else the ``worst`` pairs' of each map
    densities : per map, the density of everyone where ``stages`` hold a sample only
    placed : domain, x, y, likeness of a made-up user, marked in the last map
    mine : the user that all pages look at, whose marks are ringed
    """
    figure = theme.facets(list(stages))
    chosen = set(selected)
    for column, frame in enumerate(stages.values(), start=1):
        everyone = densities[column - 1] if len(densities) >= column else None
        sampled = everyone is not None
        if everyone is not None:
            figure.add_trace(density_picture(everyone), 1, column)
        ids = chosen or set(_worst(frame, worst))
        figure.add_trace(_pair_lines(frame, list(labels), ids), 1, column)
        for place, part, domain in in_turn(frame, list(labels)):
            label = labels[domain]
            marks = cloud(part, label, list(labels).index(domain), colour_by, chosen, "user_id")
            marks.update(
                showlegend=column == 1 and place == 0,
                customdata=part[["user_id", "degree", "distance"]].to_numpy(),
                hovertemplate="user %{customdata[0]}<br>%{customdata[1]} interactions<br>"
                f"distance to the other domain %{{customdata[2]:.2f}}<extra>{label}</extra>",
            )
            # Where there is a density it is the picture; marks only say where somebody is.
            size = 4 if sampled or len(frame) >= 10_000 else 7
            marks.marker.update(size=size, opacity=0.45 if sampled else 0.8)
            figure.add_trace(marks, 1, column)
        if len(own := frame[frame["user_id"] == mine]):
            rings = ring(own, "the user of the sidebar").update(showlegend=column == 1)
            figure.add_trace(rings, 1, column)
    if placed is not None:
        for _, row in placed.iterrows():
            index = list(labels).index(row["domain"])
            figure.add_trace(placed_mark(row, labels[row["domain"]], index), 1, max(len(stages), 1))
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    if colour_by != "domain":
        bar = colour_bar(colour_by, COLOUR_BY[colour_by])
        figure.update_layout(coloraxis={"colorscale": theme.CONTINUOUS, "colorbar": bar})
    return theme.legend_below(figure).update_layout(
        height=520, dragmode="lasso", margin={"b": 52}, uirevision="alignment"
    )


def _worst(frame: pd.DataFrame, count: int) -> list[str]:
    pairs = frame.drop_duplicates("user_id").nlargest(count, "distance") if count else frame[:0]
    return list(pairs["user_id"])


def _pair_lines(frame: pd.DataFrame, domains: Sequence[str], ids: Collection[str]) -> go.Scattergl:
    """One broken line through all shown pairs; more than a few hundred would hide the points."""
    part = frame[frame["user_id"].isin(set(ids))]
    wide = part.pivot(index="user_id", columns="domain", values=["x", "y"])[:MAX_LINES].dropna()
    gap = np.full(len(wide), np.nan)
    xs = ys = np.zeros(0)
    if len(wide):
        xs = np.stack([wide["x", domains[0]], wide["x", domains[1]], gap], axis=1).ravel()
        ys = np.stack([wide["y", domains[0]], wide["y", domains[1]], gap], axis=1).ravel()
    return go.Scattergl(
        x=xs,
        y=ys,
        mode="lines",
        line={"color": theme.NEUTRAL, "width": 1},
        opacity=0.6,
        hoverinfo="skip",
        showlegend=False,
    )


def distance_shares(
    distances: Mapping[str, tuple[NDArray, NDArray]], width: float = 0.05
) -> pd.DataFrame:
    """Shares of pairs per bin of distance: stage, pair, low, high, share, n.

    ``distances`` maps a stage's title to the cosine distances of (true [n], random [m]) pairs.
    """
    edges = np.arange(0.0, 2.0 + width / 2, width)
    parts = []
    for stage, pair in distances.items():
        for kind, values in zip((SAME, RANDOM), pair, strict=True):
            inside = np.clip(values, 0.0, 2.0)
            counts = np.histogram(inside, edges)[0]
            bins = {"stage": stage, "pair": kind, "low": edges[:-1], "high": edges[1:]}
            shares = counts / max(len(values), 1)
            parts.append(pd.DataFrame(bins).assign(share=shares, n=len(values)))
    return pd.concat(parts, ignore_index=True)


def distance_histogram(shares: pd.DataFrame) -> go.Figure:
    """True pairs against random pairs, one column per stage; ``shares`` of ``distance_shares``.

    The shares are counted beforehand, so that millions of pairs cost the browser nothing.
    """
    stages = list(dict.fromkeys(shares["stage"]))
    figure = theme.facets(stages, shared_y=True)
    styles = {RANDOM: (theme.NEUTRAL, "/"), SAME: (theme.SLATE, "")}
    for column, stage in enumerate(stages, start=1):
        for kind, (colour, shape) in styles.items():
            rows = shares[(shares["stage"] == stage) & (shares["pair"] == kind)]
            figure.add_trace(
                go.Bar(
                    x=(rows["low"] + rows["high"]) / 2,
                    y=rows["share"],
                    width=(rows["high"] - rows["low"]).to_numpy(),
                    name=kind,
                    legendgroup=kind,
                    showlegend=column == 1,
                    opacity=0.7,
                    marker={"color": colour, "pattern": {"shape": shape}, "line_width": 0},
                    hovertemplate=f"distance about %{{x:.2f}}: %{{y:.1%}}<extra>{kind}</extra>",
                ),
                1,
                column,
            )
    some = shares[shares["share"] > 0]
    figure.update_xaxes(
        title_text="Cosine distance",
        **theme.FEW_TICKS,
        range=[some["low"].min() - 0.05, some["high"].max() + 0.05],
    )
    figure.update_yaxes(tickformat=".0%")
    figure.update_yaxes(title_text="Share of pairs", col=1)
    return theme.legend_below(figure).update_layout(height=340, barmode="overlay", bargap=0)


def metric_curve(alignment: pd.DataFrame, metric: str, title: str) -> go.Figure:
    """One alignment metric over the epochs with its interval, and the random baseline."""
    rows = alignment[alignment["metric"] == metric].sort_values("epoch")
    figure = go.Figure()
    figure.add_scatter(
        x=[*rows["epoch"], *rows["epoch"][::-1]],
        y=[*rows["high"], *rows["low"][::-1]],
        fill="toself",
        mode="lines",
        line_width=0,
        fillcolor="rgba(95,115,145,0.25)",
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=rows["epoch"],
        y=rows["value"],
        mode="lines+markers",
        name="The same person",
        line_color=theme.SLATE,
    )
    figure.add_scatter(
        x=rows["epoch"],
        y=rows["random"],
        mode="lines",
        name="Random",
        line={"color": theme.NEUTRAL, "dash": "dot"},
    )
    figure.update_xaxes(title_text="Epoch", **theme.whole_ticks(rows["epoch"]))
    figure.update_yaxes(title_text=title)
    return theme.legend_below(figure).update_layout(height=300)


def moved(
    users: pd.DataFrame,
    first: tuple[NDArray[np.floating], NDArray[np.floating]],
    final: tuple[NDArray[np.floating], NDArray[np.floating]],
) -> pd.DataFrame:
    """How far apart each person's two vectors are before and after; who came closest first.

    Parameters
    ----------
    users : row, user_id, degree_a, degree_b
    first, final : vectors [n, D] of the two domains at two epochs, row by row of ``users``

    Returns
    -------
    user_id, degree_a, degree_b, before, after (cosine distances), closer (by how much)
    """
    rows = users["row"].to_numpy()
    before, after = (1.0 - (unit(a) * unit(b)).sum(axis=1)[rows] for a, b in (first, final))
    table = users[["user_id", "degree_a", "degree_b"]].assign(
        before=before, after=after, closer=before - after
    )
    return table.sort_values("closer", ascending=False, ignore_index=True)


def neighbours(
    users: pd.DataFrame,
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    user_id: str,
    k: int = 10,
) -> pd.DataFrame:
    """The users of domain b nearest to this user's vector in domain a, by cosine in all dimensions.

    Returns
    -------
    DataFrame place (1 = nearest), user_id, cosine, same (the user itself); the user's own row is
    added at its true place when it is not among the nearest ``k``
    """
    row = int(users.loc[users["user_id"] == user_id, "row"].iloc[0])
    cosine = unit(b) @ unit(a)[row]
    order = np.argsort(-cosine, kind="stable")
    own = int(np.flatnonzero(order == row)[0])
    rows = [*order[:k].tolist()] + ([row] if own >= k else [])
    ids = users.set_index("row")["user_id"]
    place = {int(r): i + 1 for i, r in enumerate(order)}
    return pd.DataFrame(
        {
            "place": [place[r] for r in rows],
            "user_id": [ids[r] for r in rows],
            "cosine": cosine[rows],
            "same": [r == row for r in rows],
        }
    )
