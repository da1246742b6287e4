"""The sentences of the Overview page: each says one thing, with its interval, n and its evidence.

A finding is worded by what the numbers are. Where an interval includes zero it says so, and a table
that a run does not have gives no finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from micrec_core.figures.picking import own_seed, pick
from micrec_core.modalities.registry import nouns
from micrec_core.names import DEGREE_BINS, DEGREE_STARTS, HEADLINE, is_baseline, model_label
from micrec_core.protocols import PROTOCOL_LABELS

TABLES = ("variants", "summary", "degree", "alignment")
_LOW = list(DEGREE_BINS[1:3])
NO_DIFFERENCE = "not clearly different from"


@dataclass(frozen=True)
class Finding:
    """One claim of the run.

    ``title`` is the claim in a sentence, ``lines`` the numbers behind it (one per domain), ``page``
    the url path of the page that shows the evidence, ``link`` the words of the link, ``query`` what
    is to be chosen on that page.
    """

    title: str
    lines: tuple[str, ...]
    page: str
    link: str
    query: Mapping[str, str] = field(default_factory=dict)


def interval_text(mean: float, low: float, high: float, digits: int = 3) -> str:
    """``0.108 [0.101, 0.115]``."""
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def verdict(low: float, high: float) -> str:
    """How a difference with this interval compares with zero, in words."""
    if low > 0:
        return "above"
    return "below" if high < 0 else NO_DIFFERENCE


def _claim(setting: str, words: list[str], baseline: str) -> str:
    """One sentence for all domains where they agree, else the honest mix."""
    kinds = set(words)
    if kinds == {"above"}:
        return f"{setting}, MICRec beats {baseline} (NDCG@20)."
    if kinds == {"below"}:
        return f"{setting}, MICRec falls short of {baseline} (NDCG@20)."
    if kinds == {NO_DIFFERENCE}:
        return f"{setting}, MICRec is not clearly different from {baseline} (NDCG@20)."
    if "above" not in kinds:
        return f"{setting}, MICRec falls short of {baseline} in some domains (NDCG@20)."
    return f"{setting}, MICRec beats {baseline} in some domains but not in all (NDCG@20)."


def known_users(
    variants: pd.DataFrame, labels: Mapping[str, str], seed: int | None
) -> Finding | None:
    """The full model against the strongest baseline of each domain, by paired differences."""
    frame = own_seed(pick(variants, metric=HEADLINE, cohort="all", protocol="known"), seed)
    words, lines, names = [], [], []
    for domain, label in labels.items():
        rows = pick(frame, domain=domain)
        full = pick(rows, model="micrec", variant="full")
        baselines = rows[rows["model"].map(is_baseline)].dropna(subset=["diff"])
        if full.empty or baselines.empty:
            continue
        baseline = baselines.loc[baselines["mean"].idxmax()]
        gain, low, high = -baseline["diff"], -baseline["diff_high"], -baseline["diff_low"]
        name = model_label(baseline["model"])
        words.append(verdict(low, high))
        names.append(name)
        share = f" ({gain / baseline['mean']:+.0%})" if baseline["mean"] > 0 else ""
        lines.append(
            f"{label}: {gain:+.3f} [{low:+.3f}, {high:+.3f}]{share} against {name}, "
            f"from {baseline['mean']:.3f} to {full.iloc[0]['mean']:.3f}; "
            f"n\u00a0=\u00a0{int(baseline['n']):,} users"
        )
    if not lines:
        return None
    best = names[0] if len(set(names)) == 1 else "the best baseline"
    title = _claim("For known users", words, best)
    return Finding(title, tuple(lines), "ablations", "See every variant")


def known_against_popularity(
    summary: pd.DataFrame, labels: Mapping[str, str], seed: int | None
) -> Finding | None:
    """What a run that was compared with nothing else can say of known users."""
    return _against(summary, labels, seed, "known", "For known users")


def cold_domain(
    summary: pd.DataFrame, labels: Mapping[str, str], seed: int | None
) -> Finding | None:
    """Users whose interactions in a domain were hidden, against popularity there."""
    setting = "For users it never saw in a domain"
    return _against(summary, labels, seed, "cold-domain", setting, also="ridge")


def new_items(summary: pd.DataFrame, labels: Mapping[str, str], seed: int | None) -> Finding | None:
    """Items that were held out, known by their content alone, against INMO or popularity."""
    asked = "new-items", "For items without any interaction"
    return _against(summary, labels, seed, *asked, "inmo") or _against(
        summary, labels, seed, *asked
    )


def _against(
    summary: pd.DataFrame,
    labels: Mapping[str, str],
    seed: int | None,
    protocol: str,
    setting: str,
    baseline: str = "popularity",
    also: str | None = None,
) -> Finding | None:
    """Our model against another one on a protocol; its evidence is on the Ablations page."""
    frame = own_seed(pick(summary, metric=HEADLINE, cohort="all", protocol=protocol), seed)
    words, lines = [], []
    for domain, label in labels.items():
        rows = pick(frame, domain=domain)
        ours, others = pick(rows, model="micrec", variant="full"), pick(rows, model=baseline)
        if ours.empty or others.empty:
            continue
        mine, theirs = ours.iloc[0], others.loc[others["mean"].idxmax()]
        # Only the separate intervals are stored; that they do not overlap is a strict criterion.
        words.append(verdict(mine["low"] - theirs["high"], mine["high"] - theirs["low"]))
        extra = pick(rows, model=also) if also else rows[:0]
        tail = f", {model_label(str(also))} {extra.iloc[0]['mean']:.3f}" if len(extra) else ""
        lines.append(
            f"{label}: {interval_text(mine['mean'], mine['low'], mine['high'])} against "
            f"{model_label(baseline)} "
            f"{interval_text(theirs['mean'], theirs['low'], theirs['high'])}{tail}; "
            f"n\u00a0=\u00a0{int(mine['n']):,} users"
        )
    if not lines:
        return None
    title = _claim(setting, words, baseline if baseline == "popularity" else model_label(baseline))
    if protocol == "known":
        return Finding(title, tuple(lines), "ablations", "See all that was measured")
    asked = {"abl_protocol": PROTOCOL_LABELS[protocol]}
    return Finding(title, tuple(lines), "ablations", "See all models on it", asked)


def aligned_users(alignment: pd.DataFrame) -> Finding | None:
    """Whether the same person's two vectors lie closer than two strangers' do."""
    frame = pick(alignment, metric="paired_cosine").sort_values("epoch", kind="stable")
    if frame.empty:
        return None
    # Of several pairs of domains, the one that the maps are of.
    frame = pick(frame, a=frame.iloc[0]["a"], b=frame.iloc[0]["b"])
    first, last = frame.iloc[0], frame.iloc[-1]
    apart = last["low"] > last["random"]
    title = (
        "The same person's two vectors lie closer together than two strangers' do."
        if apart
        else "The same person's two vectors do not lie clearly closer than two strangers' do."
    )
    line = (
        f"Cosine of true pairs {interval_text(last['value'], last['low'], last['high'], 2)} at "
        f"epoch {int(last['epoch'])}, random pairs {last['random']:.2f}"
    )
    if len(frame) > 1:
        line += f"; it was {first['value']:.2f} at epoch {int(first['epoch'])}"
    return Finding(title, (line + ".",), "alignment", "See before and after")


def low_degree(degree: pd.DataFrame, labels: Mapping[str, str]) -> Finding | None:
    """Recall of items with few train interactions, but some, against the best baseline."""
    frame = pick(degree, bin=_LOW, variant="full")
    frame = frame[frame["n_positives"] > 0]
    words, lines = [], []
    for domain, label in labels.items():
        pooled = _pool_bins(pick(frame, domain=domain))
        baselines = pooled[pooled.index.map(is_baseline)]
        if "micrec" not in pooled.index or baselines.empty:
            continue
        ours, baseline = pooled.loc["micrec"], baselines.loc[baselines["recall"].idxmax()]
        words.append(verdict(ours["low"] - baseline["high"], ours["high"] - baseline["low"]))
        lines.append(
            f"{label}: recall@20 {interval_text(ours['recall'], ours['low'], ours['high'])} "
            f"against {model_label(str(baseline.name))} "
            f"{interval_text(baseline['recall'], baseline['low'], baseline['high'])}; "
            f"{int(ours['n_items']):,} items, n\u00a0=\u00a0{int(ours['n_positives']):,} held-out "
            "interactions"
        )
    if not lines:
        return None
    asked = f"On items with 1 to {DEGREE_STARTS[3] - 1} interactions"
    title = _claim(asked, words, "the best baseline")
    title = title.replace("NDCG@20", "recall@20")
    return Finding(title, tuple(lines), "low-degree", "See all degree bins")


def _pool_bins(rows: pd.DataFrame) -> pd.DataFrame:
    """Per model, bins pooled by their positives; the bounds so pooled are wider than needed."""
    weight = rows["n_positives"]
    sums = {c: rows[c] * weight for c in ("recall", "low", "high")}
    grouped = rows.assign(**sums).groupby("model")[
        ["recall", "low", "high", "n_positives", "n_items"]
    ]
    out = grouped.sum()
    for column in ("recall", "low", "high"):
        out[column] = out[column] / out["n_positives"]
    return out


def content_matters(
    variants: pd.DataFrame, labels: Mapping[str, str], seed: int | None
) -> Finding | None:
    """What taking all modalities away costs, by paired differences."""
    frame = own_seed(pick(variants, metric=HEADLINE, cohort="all", protocol="known"), seed)
    rows = pick(frame, model="micrec", variant="modality", domain=list(labels)).dropna(
        subset=["diff"]
    )
    if rows.empty:
        return None
    lines, words = [], []
    for _, row in rows.iterrows():
        words.append(verdict(-row["diff_high"], -row["diff_low"]))
        lines.append(
            f"{labels[row['domain']]}: {row['diff']:+.3f} [{row['diff_low']:+.3f}, "
            f"{row['diff_high']:+.3f}] NDCG@20 without them; n\u00a0=\u00a0{int(row['n']):,} users"
        )
    content = nouns().capitalize()
    title = f"{content} help known users in some domains, not in all."
    if set(words) == {"above"}:
        title = f"{content} help: taking them away costs accuracy."
    elif "above" not in words:
        title = f"{content} do not clearly help known users here."
    return Finding(title, tuple(lines), "ablations", "See the model without them")


def all_findings(
    tables: Mapping[str, pd.DataFrame | None], labels: Mapping[str, str], seed: int | None
) -> list[Finding]:
    """What the tables of ``TABLES`` that a run has allow to say, the strongest claims first."""
    found: list[Finding | None] = []
    variants, summary = tables.get("variants"), tables.get("summary")
    degree, alignment = tables.get("degree"), tables.get("alignment")
    if variants is not None:
        found.append(known_users(variants, labels, seed))
    elif summary is not None:
        found.append(known_against_popularity(summary, labels, seed))
    if summary is not None:
        found += [cold_domain(summary, labels, seed), new_items(summary, labels, seed)]
    if degree is not None:
        found.append(low_degree(degree, labels))
    if variants is not None:
        found.append(content_matters(variants, labels, seed))
    if alignment is not None:
        found.append(aligned_users(alignment))
    return [f for f in found if f is not None]
