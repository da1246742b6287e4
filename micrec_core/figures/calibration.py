"""Whether the weight of a modality foretells what it brings, on the Modalities page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from micrec_core.figures import theme
from micrec_core.figures.dots import interval_error
from micrec_core.figures.picking import mean_interval
from micrec_core.modalities import registry

FIFTHS = 5
# Fewer users than these say nothing of an agreement.
FEWEST = 20


class Agreement(NamedTuple):
    """Spearman's correlation with its 95 % interval (Bonett & Wright, 2000), over ``n`` users."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def measured(weights: pd.DataFrame, modalities: Sequence[str]) -> pd.DataFrame:
    """Users with all modalities and test interactions, a row for each modality.

    Returns
    -------
    domain, id, modality, weight; ``drop`` and ``ahead``: what held-out items lose without the
    modality, and how much better it alone finds them, over the mean of the user's modalities
    """
    columns = [f"{kind}_{m}" for m in modalities for kind in ("drop", "alone")]
    keep = ["domain", "id", "modality", "weight", "drop", "ahead"]
    if not set(columns) <= set(weights.columns) or len(modalities) < 2:
        return pd.DataFrame(columns=keep)
    users = weights[weights["entity"] == "user"]
    users = users[users[[f"has_{m}" for m in modalities]].all(axis=1)].dropna(subset=columns)
    drop, alone = (users[[f"{kind}_{m}" for m in modalities]] for kind in ("drop", "alone"))
    parts = [
        users.assign(
            modality=m,
            weight=users[f"w_{m}"],
            drop=users[f"drop_{m}"] - drop.mean(axis=1),
            ahead=users[f"alone_{m}"] - alone.mean(axis=1),
        )[keep]
        for m in modalities
    ]
    return pd.concat(parts, ignore_index=True)


def agreement(rows: pd.DataFrame, effect: str) -> Agreement | None:
    """Of the weight of one modality in one domain with ``effect``; None of too few, or of
    what does not differ."""
    n = len(rows)
    if n < FEWEST or min(rows["weight"].nunique(), rows[effect].nunique()) < 2:
        return None
    value = float(rows["weight"].corr(rows[effect], method="spearman"))
    error = np.sqrt((1 + value**2 / 2) / (n - 3))
    at = np.arctanh(np.clip(value, -0.999999, 0.999999))
    low, high = np.tanh([at - 1.96 * error, at + 1.96 * error])
    return Agreement(value, float(low), float(high), n)


def by_fifth(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean ``ahead`` by fifths of the weight: domain, modality, weight, mean, low, high, n."""
    parts = []
    for (domain, modality), some in rows.groupby(["domain", "modality"], sort=False):
        fifth = pd.qcut(some["weight"], FIFTHS, labels=False, duplicates="drop").fillna(0)
        told = some.assign(fifth=fifth)
        means = mean_interval(told, ["fifth"], "ahead").sort_values("fifth")
        weight = told.groupby("fifth")["weight"].mean()
        parts.append(
            means.assign(domain=domain, modality=modality, weight=means["fifth"].map(weight))
        )
    keep = ["domain", "modality", "weight", "mean", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True)[keep] if parts else pd.DataFrame(columns=keep)


def chart(table: pd.DataFrame, labels: Mapping[str, str]) -> go.Figure:
    """How much better each modality alone finds held-out items, by its weight; of ``by_fifth``."""
    figure = theme.facets(list(labels.values()), shared_y=True)
    for column, domain in enumerate(labels, start=1):
        for modality in registry.in_order(table["modality"].unique()):
            part = table[(table["domain"] == domain) & (table["modality"] == modality)]
            figure.add_scatter(
                x=part["weight"],
                y=part["mean"],
                error_y=interval_error(part, "mean", "low", "high"),
                mode="lines+markers",
                name=theme.source_label(modality),
                legendgroup=modality,
                showlegend=column == 1,
                line_color=theme.source_colour(modality),
                marker_symbol=registry.modality(modality).symbol,
                customdata=part[["n"]].to_numpy(),
                hovertemplate="weight %{x:.2f}: %{y:+.2f}<br>n = %{customdata[0]:,}"
                f"<extra>{theme.source_label(modality)}</extra>",
                row=1,
                col=column,
            )
        figure.add_hline(0, line_dash="dot", line_color=theme.NEUTRAL, row=1, col=column)
    theme.titled_once(figure, "Weight, by fifths", len(labels)).update_xaxes(theme.FEW_TICKS)
    figure.update_yaxes(title_text="Ahead of the other", col=1)
    return theme.legend_below(figure).update_layout(height=340)


def words(rows: pd.DataFrame, labels: Mapping[str, str], modality: str) -> list[str]:
    """A sentence a domain: how far the weight of a modality foretells what it brings."""
    out = []
    for domain, label in labels.items():
        some = rows[(rows["domain"] == domain) & (rows["modality"] == modality)]
        found = [agreement(some, effect) for effect in ("ahead", "drop")]
        if found[0] is None or found[1] is None:
            out.append(f"{label}: too few users, or no difference, to say.")
            continue
        low, high = some["weight"].quantile([0.1, 0.9])
        said = "does not foretell" if found[0].low <= 0 else "foretells"
        out.append(
            f"{label}: the weight {said} it (rank correlation by Spearman "
            f"{found[0]}, n\u00a0=\u00a0{found[0].n:,} users); with what their scores lose without "
            f"the modality it is {found[1]}. Eight of ten weights lie between {low:.2f} and "
            f"{high:.2f}."
        )
    return out
