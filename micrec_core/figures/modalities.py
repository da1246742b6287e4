"""Figures of the Modalities page: what modalities weigh, for whom, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress, product

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.dots import interval_error
from micrec_core.figures.picking import mean_interval
from micrec_core.modalities import registry
from micrec_core.modalities.registry import in_order, listed

# Modalities up to which what an entity has is spelt out.
_SPELT = 3


def names(weights: pd.DataFrame) -> tuple[str, ...]:
    """The modalities that anything of a run has; two at least, for a weight is one against another.

    ``weights`` is the run's table of them.
    """
    known = [c.removeprefix("w_") for c in weights.columns if c.startswith("w_")]
    used = [m for m in known if weights[f"has_{m}"].any()]
    spare = [m for m in known if m not in used]
    return in_order([*used, *spare[: max(2 - len(used), 0)]])


def weighs(weights: pd.DataFrame) -> bool:
    """Whether anything of a run has a modality at all."""
    return any(weights[c].any() for c in weights.columns if c.startswith("has_"))


def against(modalities: Sequence[str]) -> str:
    """``Text against image``; where there are many, what they are."""
    if len(modalities) > _SPELT:
        return listed(map(theme.source_label, modalities)).capitalize()
    return " against ".join(theme.source_label(m) for m in modalities).capitalize()


def all_of(modalities: Sequence[str]) -> str:
    """``both``, or ``all`` where there are more than two."""
    return "both" if len(modalities) == 2 else "all"


def _cases(modalities: Sequence[str]) -> list[str]:
    """What an entity may have, by the number whose bits say which: all of them last.

    Beyond three modalities it is told by what lacks, or by how many there are.
    """
    n = len(modalities)
    held = [list(compress(modalities, bits)) for bits in product((0, 1), repeat=n)]
    if n > _SPELT:
        lacking = [[m for m in modalities if m not in h] for h in held]
        few = {0: "all", 1: "all but {}"}
        return [few.get(len(out), f"{n - len(out)} of {n}").format(*out) for out in lacking]
    return [listed(h) if len(h) > 1 else f"{h[0]} only" if h else "none" for h in held]


def long_weights(weights: pd.DataFrame) -> pd.DataFrame:
    """One row per entity and modality: entity, domain, id, degree, have, all, modality, weight.

    ``have`` names what the entity has, ``all`` says whether that is all there is. An entity that
    lacks a modality has no weight to speak of there and gives no row.
    """
    modalities = names(weights)
    has = weights[[f"has_{m}" for m in modalities]].to_numpy(dtype=bool)
    number = has @ (1 << np.arange(len(modalities))[::-1])
    base = weights.assign(have=np.array(_cases(modalities))[number], all=has.all(axis=1))
    parts = [base[has[:, i]].assign(modality=m, weight=base[f"w_{m}"])
             for i, m in enumerate(modalities)]  # fmt: skip
    keep = ["entity", "domain", "id", "degree", "have", "all", "modality", "weight"]
    return pd.concat(parts, ignore_index=True)[keep].astype({"all": bool})


def quantiles(long: pd.DataFrame) -> pd.DataFrame:
    """Weights of entities that have all: entity, domain, modality, n, mean, q05 ... q95."""
    groups = long[long["all"]].groupby(["entity", "domain", "modality"], sort=False)["weight"]
    shares = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
    out = groups.agg(n="size", mean="mean")
    for name, share in shares.items():
        out[name] = groups.quantile(share)
    return out.reset_index()


def distributions(table: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """Box of the weight per domain and entity, modalities beside each other; of ``quantiles``."""
    entities = [e for e in ("user", "item") if e in set(table["entity"])]
    figure = theme.facets([f"{e.capitalize()}s" for e in entities], shared_y=True)
    for column, entity in enumerate(entities, start=1):
        for modality in in_order(table["modality"]):
            part = table[(table["entity"] == entity) & (table["modality"] == modality)]
            figure.add_trace(
                go.Box(
                    x=part["domain"].map(labels),
                    q1=part["q25"],
                    median=part["q50"],
                    q3=part["q75"],
                    lowerfence=part["q05"],
                    upperfence=part["q95"],
                    mean=part["mean"],
                    name=theme.source_label(modality),
                    legendgroup=modality,
                    showlegend=column == 1,
                    marker_color=theme.source_colour(modality),
                    offsetgroup=modality,
                ),
                1,
                column,
            )
    figure.update_yaxes(range=[0, 1])
    figure.update_yaxes(title_text="Weight", col=1)
    return theme.legend_below(figure).update_layout(height=360, boxmode="group")


def by_decile(long: pd.DataFrame) -> pd.DataFrame:
    """Mean weights of entities with all modalities, by tenths of their degree.

    Returns
    -------
    DataFrame entity, domain, modality, degree (such as ``3-5``), mean, low, high, n; tenths are of
    each entity type and domain, ascending, and fewer where many have the same degree
    """
    parts = []
    for (entity, domain), rows in long[long["all"]].groupby(["entity", "domain"], sort=False):
        tenth = pd.qcut(rows["degree"], 10, labels=False, duplicates="drop").fillna(0)
        ends = rows.groupby(tenth)["degree"].agg(["min", "max"])
        names = {i: f"{a}" if a == b else f"{a}-{b}" for i, a, b in ends.itertuples()}
        means = mean_interval(rows.assign(tenth=tenth), ["modality", "tenth"], "weight")
        means = means.sort_values("tenth").assign(entity=entity, domain=domain)
        parts.append(means.assign(degree=means.pop("tenth").map(names)))
    keep = ["entity", "domain", "modality", "degree", "mean", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True)[keep] if parts else pd.DataFrame(columns=keep)


def by_having(long: pd.DataFrame) -> pd.DataFrame:
    """Mean weights by what an entity has: entity, domain, modality, have, mean, low, high, n."""
    means = mean_interval(long, ["entity", "domain", "modality", "have"], "weight")
    cases = _cases(in_order(long["modality"]))
    order = {case: -(i.bit_count() * len(cases)) - i for i, case in enumerate(cases)}
    return means.sort_values("have", key=lambda h: h.map(order), kind="stable", ignore_index=True)


def group_means(
    table: pd.DataFrame, group: str, labels: Mapping[str, str], title: str
) -> go.Figure:
    """Mean weight with its interval per value of ``group``, one column per domain.

    ``table`` is of one entity type, from ``by_decile`` or ``by_having``, and in their order. Tenths
    are labelled by where they begin alone.
    """
    figure = theme.facets(list(labels.values()), shared_y=True)
    modalities = in_order(table["modality"])
    apart = min(0.2, 0.8 / max(len(modalities), 1))
    for column, domain in enumerate(labels, start=1):
        rows = table[table["domain"] == domain]
        order = list(dict.fromkeys(rows[group]))
        place = {g: n for n, g in enumerate(order)}
        for i, modality in enumerate(modalities):
            part = rows[rows["modality"] == modality]
            shift = (i - (len(modalities) - 1) / 2) * apart
            places = [place[g] + shift for g in part[group]]
            mark = _mean_marks(part, places, modality, group)
            figure.add_trace(mark.update(showlegend=column == 1), 1, column)
        n = rows.groupby(group)["n"].max()
        figure.update_xaxes(
            tickvals=list(range(len(order))),
            ticktext=_begins(order)
            if group == "degree"
            # A word a line: three stand beside each other on a phone.
            else [
                f"{g.replace(' ', '<br>')}<br><span style='font-size:10px'>n={n[g]:,}</span>"
                for g in order
            ],
            tickangle=0,
            range=[-0.6, max(len(order), 1) - 0.4],
            col=column,
        )
    theme.titled_once(figure, title, len(labels))
    figure.update_yaxes(range=[-0.03, 1.03])
    figure.update_yaxes(title_text="Mean weight", col=1)
    lines = 1 if group == "degree" else 1 + max((g.count(" ") for g in table[group]), default=0)
    return theme.legend_below(figure).update_layout(height=325 + 15 * lines)


def _begins(tenths: Sequence[str]) -> list[str]:
    """Where each begins; of many every other one, for two figures each would touch on a phone."""
    step = 1 if len(tenths) <= 6 else 2
    return [t.split("-")[0] if i % step == 0 else "" for i, t in enumerate(tenths)]


def _mean_marks(
    part: pd.DataFrame, places: Sequence[float], modality: str, group: str
) -> go.Scatter:
    return go.Scatter(
        x=list(places),
        y=part["mean"],
        error_y=interval_error(part, "mean", "low", "high"),
        mode="markers",
        name=theme.source_label(modality),
        legendgroup=modality,
        marker={
            "size": 10,
            "color": theme.source_colour(modality),
            "symbol": registry.modality(modality).symbol,
        },
        customdata=part[["n", "low", "high", group]].to_numpy(),
        hovertemplate="%{customdata[3]}: mean %{y:.3f} "
        "[%{customdata[1]:.3f}, %{customdata[2]:.3f}]<br>"
        f"n = %{{customdata[0]:,}}<extra>{theme.source_label(modality)}</extra>",
    )


def with_shares(weights: pd.DataFrame) -> pd.DataFrame:
    """The entities whose score has parts to speak of."""
    return weights[weights.filter(regex="^share_").sum(axis=1) > 0]


def every(frame: pd.DataFrame, n_domains: int, limit: int = 1500) -> pd.DataFrame:
    """An even sample of about ``limit`` rows over all domains; all rows where there are fewer."""
    parts = [part.iloc[:: -(-len(part) * n_domains // limit)] for _, part in
             frame.groupby("domain", sort=False)]  # fmt: skip
    return pd.concat(parts) if parts else frame


def shares(
    weights: pd.DataFrame, labels: Mapping[str, str], modalities: Sequence[str]
) -> go.Figure:
    """Where the scores come from: a triangle where there are two modalities, else boxes."""
    return (ternary if len(modalities) == 2 else share_boxes)(weights, labels, modalities)


def share_boxes(
    weights: pd.DataFrame, labels: Mapping[str, str], modalities: Sequence[str]
) -> go.Figure:
    """Share of the score that comes from each source: a box for each source and domain."""
    figure = go.Figure()
    frame = with_shares(weights)
    for index, (domain, label) in enumerate(labels.items()):
        part = frame[frame["domain"] == domain]
        figure.add_box(
            x=np.repeat([theme.source_label(s) for s in ("id", *modalities)], len(part)),
            y=np.concatenate([part[f"share_{s}"] for s in ("id", *modalities)]),
            name=label,
            marker_color=theme.domain_colour(index),
        )
    figure.update_yaxes(title_text="Share of the score", tickformat=".0%", range=[0, 1])
    return theme.legend_below(figure).update_layout(height=430, boxmode="group")


def ternary(
    weights: pd.DataFrame, labels: Mapping[str, str], modalities: Sequence[str]
) -> go.Figure:
    """Share of the score from interactions and from two modalities; one mark per row."""
    figure = go.Figure()
    frame = with_shares(weights)
    corners = dict(zip("abc", ("id", *modalities), strict=True))
    said = [f"{theme.source_label(s).lower()} %{{{place}:.0%}}" for place, s in corners.items()]
    for index, (domain, label) in enumerate(labels.items()):
        part = frame[frame["domain"] == domain]
        figure.add_trace(
            go.Scatterternary(
                {place: part[f"share_{source}"] for place, source in corners.items()},
                mode="markers",
                name=label,
                marker={
                    "size": 6,
                    "opacity": 0.55,
                    "color": theme.domain_colour(index),
                    "symbol": theme.domain_symbol(index),
                },
                customdata=part[["entity", "id", "degree", "domain"]].to_numpy(),
                hovertemplate="%{customdata[0]} %{customdata[1]}, %{customdata[2]} interactions<br>"
                f"{', '.join(said)}<extra>{label}</extra>",
            )
        )
    axis = {
        "showticklabels": False,
        "ticks": "",
        "min": 0,
        "gridcolor": "rgba(138,138,138,0.35)",
        "linecolor": theme.NEUTRAL,
    }
    titles = {
        f"{place}axis": {
            **axis,
            "title": {
                "text": f"<b>{theme.source_label(source)}</b>",
                "font_color": theme.source_colour(source),
            },
        }
        for place, source in corners.items()
    }
    figure.update_layout(
        height=430,
        margin={"t": 40, "b": 50, "l": 40, "r": 40},
        # Corners have names, which a phone would cut.
        ternary={"sum": 1, "bgcolor": "rgba(0,0,0,0)", "domain": {"x": [0.1, 0.9]}, **titles},
    )
    return theme.legend_below(figure)


def parts_bar(parts: Mapping[str, float]) -> go.Figure:
    """One stacked bar of shares or weights by source."""
    figure = go.Figure()
    for source, value in parts.items():
        figure.add_bar(
            x=[value],
            y=[""],
            orientation="h",
            name=theme.source_label(source),
            marker_color=theme.source_colour(source),
            text=f"{theme.source_label(source)} {value:.0%}" if value > 0.12 else "",
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{theme.source_label(source)} %{{x:.1%}}<extra></extra>",
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.update_layout(
        barmode="stack", height=52, showlegend=False, margin={"t": 4, "b": 4, "l": 0, "r": 0}
    )
