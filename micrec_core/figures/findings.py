"""The findings of the Overview page: each says one thing, with its interval, n and its evidence.

A finding claims what the corrected test of its question carries (``verdicts``), names the strongest
model that the question was asked of, and says so where nothing was tested or too few were asked. A
table that a run does not have gives no finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from micrec_core.figures import verdicts
from micrec_core.figures.picking import pick
from micrec_core.figures.theme import metric_label
from micrec_core.figures.verdicts import Compared
from micrec_core.mechanisms import ALL, MECHANISMS, variant_label
from micrec_core.modalities.registry import listed, nouns
from micrec_core.names import (
    ALIGNMENT,
    COLD,
    DEGREE_STARTS,
    EVERYONE,
    FEWEST,
    FULL,
    FULL_LIST,
    HEADLINE,
    LEVEL,
    LOW_DEGREE,
    MICREC,
    POOLED,
    POPULARITY,
    SUMMARY,
    VARIANTS,
    model_label,
)
from micrec_core.protocols import MASKS, PROTOCOL_LABELS

TABLES = (VARIANTS, COLD, SUMMARY, LOW_DEGREE, ALIGNMENT)
NEW_ITEMS = "new-items"
HOW_TESTED = (
    "Each claim is what the test of its question carries, the same as on the pages it links to: "
    "paired by user, 95 % intervals, p corrected (Holm) over all models, variants and domains of "
    f"the question, shown below {LEVEL}. The model named is the strongest that was asked. "
    "Intervals are over users; which items are new is one draw, and of few another may differ."
)
# A question, how a claim about it begins, and the words of the link.
ASKED = {
    "known": ("For known users", "See all models and variants"),
    "new-users": ("For new users", "See all models on it"),
    "cold-domain": ("For users it never saw in a domain", "See all models on it"),
}


@dataclass(frozen=True)
class Finding:
    """One claim of the run.

    Attributes
    ----------
    title : the claim in a sentence
    lines : the numbers behind it, mostly one a domain
    page, link, query : the page that shows the evidence, the link's words, what is chosen there
    compared : what the claim was made from
    """

    title: str
    lines: tuple[str, ...]
    page: str
    link: str
    query: Mapping[str, str] = field(default_factory=dict)
    compared: tuple[Compared, ...] = ()


def interval_text(mean: float, low: float, high: float, digits: int = 3) -> str:
    """``0.108 [0.101, 0.115]``."""
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def how_tested(left_out: Mapping[str, str], mask: str) -> str:
    """How claims come about, and which baselines were not measured beside the run and why.

    ``mask`` : of ``protocols.MASKS``
    """
    missing = [f"{model_label(name)} ({why})" for name, why in left_out.items()]
    return f"{HOW_TESTED} {MASKS[mask]}" + (
        f" Not measured: {'; '.join(missing)}." if missing else ""
    )


@dataclass(frozen=True)
class Findings:
    """What a run's tables allow to say.

    Attributes
    ----------
    tables : by their path, those of ``TABLES``; None where the run has none
    labels : domain -> words shown
    seed : of the run
    variant : of the run's model
    """

    tables: Mapping[str, pd.DataFrame | None]
    labels: Mapping[str, str]
    seed: int | None
    variant: str = FULL

    @property
    def subject(self) -> tuple[str, str]:
        return MICREC, self.variant

    @property
    def name(self) -> str:
        """What claims call the run's model."""
        own = model_label(MICREC)
        return own if self.variant == FULL else f"{own} {variant_label(self.variant)}"

    def every(self) -> list[Finding]:
        """All there are, known users first."""
        found = [self.question(protocol) for protocol in ASKED]
        found += [self.new_items(), self.low_degree(), self.content(), self.aligned_users()]
        return [finding for finding in found if finding is not None]

    def of(self, protocol: str) -> Finding | None:
        """What is found on one question."""
        return self.new_items() if protocol == NEW_ITEMS else self.question(protocol)

    @cached_property
    def _tested(self) -> pd.DataFrame | None:
        frames = [self.tables.get(t) for t in (VARIANTS, COLD, SUMMARY)]
        return verdicts.tested(*(f if f is None else f[f["metric"] == HEADLINE] for f in frames))

    def _asked(self, protocol: str, cohort: str = EVERYONE) -> pd.DataFrame:
        """The rows to quote of a question, NDCG@20."""
        if self._tested is None:
            return pd.DataFrame(columns=["model", "variant", "domain", "n"])
        rows = pick(self._tested, cohort=cohort, protocol=protocol)
        return verdicts.quoted(rows, self.seed)

    def _n_seeds(self, protocol: str) -> int:
        assert self._tested is not None
        rows = pick(self._tested, protocol=protocol, model=MICREC, variant=self.variant)
        return int(rows.loc[rows["seed"] != POOLED, "seed"].nunique())

    def question(self, protocol: str) -> Finding | None:
        """The model against the strongest other one of each domain."""
        rows = self._asked(protocol)
        setting, link = ASKED[protocol]
        query = {} if protocol == "known" else {"abl_protocol": PROTOCOL_LABELS[protocol]}
        found = verdicts.strongest(verdicts.enough(rows), self.labels, self.subject)
        refused = verdicts.too_few(pick(rows, model=MICREC), self.labels)
        if not found and not refused:
            return None
        lines = self._told([(self._line(one), one.seed) for one in found], protocol) + refused
        title = f"{setting}, fewer than {FEWEST} were asked: no claim."
        if found:
            title = self._claim(setting, found)
        return Finding(title, tuple(lines), "ablations", link, query, tuple(found))

    def _claim(
        self, setting: str, found: Sequence[Compared], metric: str = metric_label(HEADLINE)
    ) -> str:
        """No claim where the strongest there is gives everyone the same list."""
        if all(one.model == POPULARITY and one.n_others == 1 for one in found):
            return f"{setting}, nothing but popularity was measured beside {self.name}: no claim."
        return verdicts.claim(setting, found, metric, self.name)

    def _line(self, one: Compared, what: str = "") -> str:
        among = f"strongest of {one.n_others} others" if one.n_others > 1 else "the only other"
        return (
            f"{one.label}{what}: {one.own:.3f} against {one.other:.3f} of {one.name}, {among}; "
            f"{one.difference}; n\u00a0=\u00a0{verdicts.counted(one.n, one.n_asked)} users"
        )

    def _told(self, lines: Sequence[tuple[str, int]], protocol: str) -> list[str]:
        """Lines of figures, and what they are of: said once where it is the same of all.

        ``lines`` : with the seed of the trainings that their figures are of
        """
        n_seeds = self._n_seeds(protocol) if lines else 0
        if len({seed for _, seed in lines}) == 1:
            last = verdicts.trainings(lines[0][1], n_seeds).capitalize()
            return [*(line for line, _ in lines), f"{last}."]
        return [f"{line}, {verdicts.trainings(seed, n_seeds)}" for line, seed in lines]

    def new_items(self) -> Finding | None:
        """Items known by their content alone, among themselves and among all items."""
        rows, listed = self._asked(NEW_ITEMS), self._asked(NEW_ITEMS, FULL_LIST)
        if rows.empty:
            return None
        unable = unable_to_rank(rows)
        found, among_all = (
            verdicts.strongest(verdicts.enough(_able(asked, unable)), self.labels, self.subject)
            for asked in (rows, listed)
        )
        query = {"abl_protocol": PROTOCOL_LABELS[NEW_ITEMS]}
        setting, link = "For items without any interaction", "See all models on it"
        refused = verdicts.too_few(pick(rows, model=MICREC), self.labels)
        if not found:
            own = verdicts.enough(pick(rows, model=MICREC, variant=self.variant))
            every = verdicts.enough(pick(listed, model=MICREC, variant=self.variant))
            lines = self._alone(own, " among new items") + self._alone(every, " among all items")
            title = f"{setting}, no other model that ranks them was measured: no claim."
            told = tuple(self._told(lines, NEW_ITEMS) + refused)
            return Finding(title, told, "ablations", link, query) if told else None
        lines = [(self._line(one, " among new items"), one.seed) for one in found]
        lines += [(self._line(one, " among all items"), one.seed) for one in among_all]
        title = self._claim(f"{setting}, ranked among new items", found)
        if among_all:
            title += " " + self._claim("Ranked among all items", among_all)
        told = tuple(self._told(lines, NEW_ITEMS) + refused)
        return Finding(title, told, "ablations", link, query, (*found, *among_all))

    def _alone(self, rows: pd.DataFrame, what: str) -> list[tuple[str, int]]:
        """The model's own figures, with the seed that they are of."""
        return [
            (
                f"{self.labels[row.domain]}{what}: {interval_text(row.mean, row.low, row.high)}; "
                f"n\u00a0=\u00a0{int(row.n):,} users",
                int(row.seed),
            )
            for row in rows.itertuples()
            if row.domain in self.labels
        ]

    def low_degree(self) -> Finding | None:
        """Recall of items with few train interactions, but some, against the strongest there."""
        table = self.tables.get(LOW_DEGREE)
        if table is None:
            return None
        rows = table.assign(n=table["n_items"], mean=table["recall"])
        found = verdicts.strongest(verdicts.enough(rows), self.labels, self.subject)
        refused = [
            said.replace(" users", " items")
            for said in verdicts.too_few(pick(rows, model=MICREC), self.labels)
        ]
        if not found and not refused:
            return None
        held_out = rows.drop_duplicates("domain").set_index("domain")["n_positives"]
        at = {self.labels[d]: int(n) for d, n in held_out.items() if d in self.labels}
        lines = [
            f"{self._line(one).replace(' users', ' items')}, {at[one.label]:,} held-out "
            "interactions"
            for one in found
        ]
        lines += [f"{verdicts.trainings(found[0].seed, 1).capitalize()}."] if found else []
        setting = f"On items with 1 to {DEGREE_STARTS[3] - 1} interactions"
        title = f"{setting}, there are too few to tell."
        if found:
            title = self._claim(setting, found, metric_label("recall@20"))
        lines += refused
        return Finding(
            title, tuple(lines), "low-degree", "See all degree bins", compared=tuple(found)
        )

    def _without(self, protocol: str, names: Sequence[str]) -> list[tuple[str, Compared]]:
        """The full model beside itself without something, in every domain that is enough for it."""
        rows = verdicts.enough(pick(self._asked(protocol), model=MICREC))
        return [
            (variant_label(name), one)
            for name in names
            for domain, label in self.labels.items()
            for one in verdicts.compared(
                pick(rows, domain=domain, variant=[self.variant, name]), label, self.subject
            )
            if one.verdict != "untested"
        ]

    @property
    def _variants(self) -> list[str]:
        """That the model was also trained as."""
        rows = pick(self._asked("known"), model=MICREC)
        return [v for v in rows["variant"].unique() if v != self.variant]

    @cached_property
    def _lacking(self) -> list[tuple[str, Compared]]:
        """Known users' figures without each modality and without all."""
        # A modality that a dataset brings is no mechanism of every model.
        brought = [v for v in self._variants if v not in MECHANISMS]
        return self._without("known", [*(n for n, m in MECHANISMS.items() if m.modality), *brought])

    def more_than_all(self) -> str:
        """What it means where one modality less costs more than all of them less, if it does."""
        return _more_than_all(self._lacking) if self.variant == FULL else ""

    def content(self) -> Finding | None:
        """What taking modalities away costs known users."""
        found = self._lacking
        if self.variant != FULL or not found:
            return None
        lines = self._told(
            [
                (f"{label}: {'; '.join(map(_loss, own))}; n\u00a0=\u00a0{own[0][1].n:,} users",
                 own[0][1].seed)
                for label in self.labels.values()
                if (own := [pair for pair in found if pair[1].label == label])
            ],
            "known",
        )  # fmt: skip
        title = verdicts.without("Of known users", found)
        lines += [said] if (said := _more_than_all(found)) else []
        compared = tuple(one for _, one in found)
        return Finding(title, tuple(lines), "ablations", "See the model without them", {}, compared)

    def mechanisms(self) -> Finding | None:
        """In one sentence, which mechanisms show an effect on known users and which show none."""
        names = [n for n, m in MECHANISMS.items() if not m.modality]
        found = self._without("known", names)
        if self.variant != FULL or not found:
            return None
        title = verdicts.without("Of known users", found)
        compared = tuple(one for _, one in found)
        return Finding(title, (), "ablations", "See every variant", {}, compared)

    def aligned_users(self) -> Finding | None:
        """Whether the same person's two vectors lie closer than two strangers' do."""
        alignment = self.tables.get(ALIGNMENT)
        if alignment is None:
            return None
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
        if len(self.labels) > 2:
            line = f"{listed(self.labels.get(d, d) for d in (last['a'], last['b']))}: {line}"
        return Finding(title, (line + ".",), "alignment", "See before and after")


def _loss(found: tuple[str, Compared]) -> str:
    """``-0.020 [-0.032, -0.008] without text, p = 0.014``."""
    what, one = found
    return f"{-one.gain:+.3f} [{-one.high:+.3f}, {-one.low:+.3f}] {what}, {verdicts.p_text(one.p)}"


def unable_to_rank(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """Which models give every new item of which domain the same score: as popularity does.

    By domain, for one may have no texts to rank by where another has.

    ``rows`` : of new items among new items
    """
    means = rows.groupby(["domain", "model"])["mean"].first()
    popular = means.reindex([(d, POPULARITY) for d, _ in means.index])
    same = means[np.abs(means.to_numpy() - popular.to_numpy()) < 1e-12].index
    itself = {(POPULARITY, domain) for domain in rows["domain"].unique()}
    return {(model, domain) for domain, model in same} | itself


def _able(rows: pd.DataFrame, unable: set[tuple[str, str]]) -> pd.DataFrame:
    pairs = zip(rows["model"], rows["domain"], strict=True)
    return rows[np.array([pair not in unable for pair in pairs], dtype=bool)]


def _more_than_all(found: Sequence[tuple[str, Compared]]) -> str:
    """What it means where going without one modality costs more than going without all."""
    everything = variant_label(next(n for n, m in MECHANISMS.items() if m.modality == ALL))
    whole = {one.label: one.gain for what, one in found if what == everything}
    more = [
        f"{what} ({one.label})"
        for what, one in found
        if what != everything and one.gain > max(whole.get(one.label, one.gain), 0)
    ]
    if not more:
        return ""
    return (
        f"Larger than the loss {everything}: {', '.join(more)}. Each is a model trained anew: one "
        f"that never had {nouns('or')} leans on interactions instead, and one that keeps a single "
        "modality leans on that, so that losses do not add up."
    )
