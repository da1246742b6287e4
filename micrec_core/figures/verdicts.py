"""What a run's stored tests say: the one place where a difference is called better or worse.

Overview, captions, charts and reports ask here, so that they agree: of one question all have the
same paired test, the same correction and the same trainings. The test is the paired permutation
test by users (for items of low degree, by items) of ``evaluation.significance``, corrected by Holm
over all models, variants and domains of the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from micrec_core.figures.picking import own_seed, pick
from micrec_core.modalities.registry import listed
from micrec_core.names import FEWEST, LEVEL, MICREC, POOLED, model_label

Verdict = Literal["better", "worse", "open", "untested"]
# What the tested model does beside another, in words.
_SAID: dict[Verdict, str] = {
    "better": "beats",
    "worse": "falls short of",
    "open": "is not clearly different from",
    "untested": "was not tested against",
}
_TESTED = ("diff", "diff_low", "diff_high", "p_holm", "seconds", "n_parameters")


def verdict(gain: float, p: float) -> Verdict:
    """Of a model that has ``gain`` over another, by the corrected ``p`` of their difference."""
    if np.isnan(gain) or np.isnan(p):
        return "untested"
    if p >= LEVEL or gain == 0:
        return "open"
    return "better" if gain > 0 else "worse"


@dataclass(frozen=True)
class Compared:
    """A run's model beside another one on a question in one domain.

    Attributes
    ----------
    label : of the domain
    model, variant : of the other
    own, other : means over the same users (or items); ``gain`` is their difference
    low, high, p : interval and corrected p of the gain, NaN where it was not tested
    n, n_asked : users, or items, that both are compared over, and that ours was asked
    seed : of the trainings, or POOLED
    n_others : how many other models the question was asked of
    """

    label: str
    model: str
    variant: str
    own: float
    other: float
    gain: float
    low: float
    high: float
    p: float
    n: int
    n_asked: int
    seed: int
    n_others: int = 1

    @property
    def verdict(self) -> Verdict:
        return verdict(self.gain, self.p)

    @property
    def name(self) -> str:
        return model_label(self.model)

    @property
    def difference(self) -> str:
        """``+0.028 [+0.014, +0.043], p = 0.002``, or that it was not tested."""
        if self.verdict == "untested":
            return "not tested"
        return f"{self.gain:+.3f} [{self.low:+.3f}, {self.high:+.3f}], {p_text(self.p)}"


def counted(n: int, n_asked: int) -> str:
    """``482``, or ``5,000 of 13,238`` where not all that ours was asked were compared over."""
    return f"{n:,}" if n >= n_asked else f"{n:,} of {n_asked:,}"


def p_text(p: float) -> str:
    """``p = 0.014``; below a thousandth and above 0.995 as bounds."""
    if p < 0.001:
        return "p < 0.001"
    return "p = 1" if p > 0.995 else f"p = {p:.2g}"


def tested(
    variants: pd.DataFrame | None, cold: pd.DataFrame | None, summary: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Every question's rows: what was tested, and what a run measured of itself where nothing was.

    Parameters
    ----------
    variants, cold, summary : the tables of a run of these names, None where it has none

    Returns
    -------
    DataFrame
        VARIANT_COLUMNS; None where the run has none of the tables
    """
    parts: list[pd.DataFrame] = []
    # Of a question that was tested, what was not tested is left out.
    for frame, keys in ((variants, []), (cold, ["protocol", "model"]), (summary, ["protocol"])):
        if frame is None or frame.empty:
            continue
        known = {row for part in parts for row in _rows(part, keys)}
        fresh = [row not in known for row in _rows(frame, keys)] if known else slice(None)
        empty = {column: np.nan for column in _TESTED if column not in frame}
        parts.append(frame[fresh].assign(**empty))
    return pd.concat(parts, ignore_index=True) if parts else None


def _rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None)) if columns else []


def quoted(frame: pd.DataFrame, seed: int | None = None) -> pd.DataFrame:
    """The rows to quote: a model's mean over seeds where it has one, else one training's.

    That training is the one with the given seed where there is one, else the first.
    """
    keys = [frame["model"], frame["variant"]]
    pooled = frame["seed"] == POOLED
    wanted = frame["seed"] == seed
    has_pooled = pooled.groupby(keys).transform("any")
    has_wanted = wanted.groupby(keys).transform("any")
    first = frame["seed"] == frame["seed"].where(~pooled).groupby(keys).transform("min")
    return frame[pooled | (~has_pooled & (wanted | (~has_wanted & first)))]


def enough(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of at least FEWEST users; a mean over fewer is no figure."""
    return frame[frame["n"] >= FEWEST]


def too_few(frame: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """``Kitchen: 12 users, fewer than 20: no figure``, a sentence for each domain so refused."""
    rows = frame[frame["n"] < FEWEST].drop_duplicates("domain")
    return [
        f"{labels[row.domain]}: {int(row.n)} {'user' if row.n == 1 else 'users'}, fewer than "
        f"{FEWEST}: no figure"
        for row in rows.itertuples()
        if row.domain in labels
    ]


def compared(
    rows: pd.DataFrame, label: str, subject: tuple[str, str], n_others: int = 1
) -> list[Compared]:
    """The subject beside each of the other rows.

    Parameters
    ----------
    rows : of one question, metric and domain, one a model and variant
    subject : model and variant that the others' differences are from
    """
    own = rows[(rows["model"] == subject[0]) & (rows["variant"] == subject[1])]
    out: list[Compared] = []
    if own.empty:
        return out
    for row in rows.drop(own.index).itertuples():
        known = not np.isnan(row.diff)
        beside = row.mean - row.diff if known else float(own["mean"].iloc[0])
        out.append(
            Compared(
                label, row.model, row.variant, beside, row.mean, beside - row.mean,
                -row.diff_high, -row.diff_low, row.p_holm if known else np.nan,
                int(row.n), int(own["n"].iloc[0]), int(row.seed), n_others,
            )
        )  # fmt: skip
    return out


def strongest(
    rows: pd.DataFrame,
    labels: Mapping[str, str],
    subject: tuple[str, str],
) -> list[Compared]:
    """Of every domain, the subject beside the other model with the highest mean.

    ``rows`` : of one question and metric, one a model, variant and domain that has an answer to it
    """
    out = []
    for domain, label in labels.items():
        own = pick(rows, domain=domain)
        others = own[own["model"] != MICREC]
        mine = own[(own["model"] == subject[0]) & (own["variant"] == subject[1])]
        if others.empty or mine.empty:
            continue
        best = others.loc[[others["mean"].idxmax()]]
        out += compared(pd.concat([mine, best]), label, subject, n_others=others["model"].nunique())
    return out


def foremost(
    frame: pd.DataFrame, value: str, most: int = 3, named: Iterable[str] = ()
) -> tuple[pd.DataFrame, str]:
    """The rows of our model and of the strongest others, where all would hide each other.

    ``value`` : the column that models are strong by, added up over their rows
    ``named`` : models that a claim beside the chart names, which are drawn in any case

    Returns
    -------
    the rows, and a sentence on who is left to the table; empty where nobody is
    """
    sums = frame[frame["model"] != MICREC].groupby("model")[value].sum()
    if len(sums) <= most:
        return frame, ""
    claimed = [model for model in dict.fromkeys(named) if model in sums]
    others = list(dict.fromkeys([*claimed, *sums.nlargest(most).index]))[: max(most, len(claimed))]
    which = f"the {most} strongest of {len(sums)} other models"
    if set(others) != set(sums.nlargest(most).index):
        which = f"{len(others)} of {len(sums)} other models: those the claim names, the strongest"
    said = f"Drawn are {which}; the table has all."
    return frame[frame["model"].isin([MICREC, *others])], said


def claim(setting: str, found: Sequence[Compared], metric: str, name: str = "MICRec") -> str:
    """One sentence over all domains: no more than the corrected test of each carries.

    ``For known users, MICRec beats INMO in Food and is not clearly different from LightGCN in
    Kitchen (NDCG@20).`` Domains are named where they differ.
    """
    alike = len({(one.verdict, one.name) for one in found}) == 1
    kinds: dict[Verdict, dict[str, list[str]]] = {}
    for one in found:
        kinds.setdefault(one.verdict, {}).setdefault(one.name, []).append(one.label)
    clauses = []
    for kind, own in kinds.items():
        names = [n if alike else f"{n} in {listed(where)}" for n, where in own.items()]
        clauses.append(f"{_SAID[kind]} {listed(names)}")
    return f"{setting}, {name} {listed(clauses)} ({metric})."


def without(setting: str, found: Sequence[tuple[str, Compared]]) -> str:
    """One sentence on what the model does without something.

    ``found`` : the words for what it is without, and the full model beside that
    """
    words: dict[Verdict, str] = {
        "better": "MICRec loses accuracy {}",
        "worse": "MICRec does better {}",
        "open": "there is no clear difference {}",
        "untested": "nothing was tested {}",
    }
    n_domains = len({one.label for _, one in found})
    kinds: dict[Verdict, dict[str, list[str]]] = {}
    for what, one in found:
        kinds.setdefault(one.verdict, {}).setdefault(what, []).append(one.label)
    clauses = []
    for kind in words:
        said = [
            what if len(labels) == n_domains else f"{what} ({listed(labels)})"
            for what, labels in kinds.get(kind, {}).items()
        ]
        if said:
            clauses.append(words[kind].format(listed(said)))
    return f"{setting}, {'; '.join(clauses)}."


def trainings(seed: int, n_seeds: int) -> str:
    """``mean over 3 seeds`` or ``one training (seed 0)``: what a figure is of."""
    return f"mean over {n_seeds} seeds" if seed == POOLED else f"one training (seed {seed})"


def figures_of(rows: pd.DataFrame, seed: int | None = None) -> str:
    """What the figures quoted of a table are of, as a sentence: ``Mean over 3 seeds.``

    ``seed`` : as of ``picking.own_seed``
    """
    quoted = set(own_seed(rows, seed)["seed"])
    n_seeds = len(set(rows["seed"]) - {POOLED})
    return f"{trainings(int(min(quoted)), n_seeds).capitalize()}."
