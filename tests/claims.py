"""Reads the claims of a run as its pages and reports word them, and computes each anew.

Nothing of ``figures.verdicts`` or ``figures.findings`` is used: words are taken apart, and what
they say is recomputed from the run's stored tables by plain selections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from micrec_core.mechanisms import variant_label
from micrec_core.names import model_label

Frame = Callable[[str], pd.DataFrame | None]
SHOWN, FEWEST = 0.05, 20
SETTINGS = {
    "For known users": ("known", "all"),
    "For new users": ("new-users", "all"),
    "For users it never saw in a domain": ("cold-domain", "all"),
    "For items without any interaction, ranked among new items": ("new-items", "all"),
    "Ranked among all items": ("new-items", "full list"),
    "On items with 1 to 5 interactions": ("low degree", ""),
}
VERBS = {
    "beats": 1,
    "falls short of": -1,
    "is not clearly different from": 0,
    "was not tested against": None,
}
LOSSES = {"MICRec loses accuracy": 1, "MICRec does better": -1, "there is no clear difference": 0}
_SENTENCE = re.compile(r"(?P<setting>[A-Z].*?), MICRec (?P<what>.*?) \((NDCG|Recall)@20\)\.")
_NUMBERS = re.compile(
    r"(?P<own>\d\.\d{3}) against (?P<other>\d\.\d{3}) of (?P<name>.+?), (strongest of "
    r"(?P<beside>\d+) others|the only other); ((?P<gain>[+-]\d\.\d{3}) \[.*?\], "
    r"p (?P<p>[<=] [\d.e-]+)|not tested)"
)


@dataclass(frozen=True)
class Row:
    """A model's stored row on a question, beside the full model of the same trainings."""

    model: str
    other: float
    gain: float
    p: float
    n: int
    n_models: int

    @property
    def sign(self) -> int | None:
        if pd.isna(self.p):
            return None
        return 0 if self.p >= SHOWN or self.gain == 0 else (1 if self.gain > 0 else -1)


def stored_rows(frame: Frame, protocol: str, cohort: str, seed: int) -> pd.DataFrame:
    """NDCG@20 of a question: the variants, then what they lack; of each the mean over seeds."""
    if protocol == "low degree":
        found = frame("metrics/low_degree.parquet")
        return found.rename(columns={"recall": "mean", "n_items": "n"})
    out, seen = [], set()
    for name in ("variants", "cold_domain", "summary"):
        table = frame(f"metrics/{name}.parquet")
        if table is None or (name == "summary" and out):
            continue
        table = table.query("protocol == @protocol and cohort == @cohort and metric == 'ndcg@20'")
        for key, own in table.groupby(["model", "variant"], sort=False):
            if key in seen:
                continue
            seen.add(key)
            for wanted in (-1, seed, min(own["seed"])):
                if (own["seed"] == wanted).any():
                    out.append(own[own["seed"] == wanted])
                    break
    return pd.concat(out, ignore_index=True)


def the_strongest(frame: Frame, protocol: str, cohort: str, domain: str, seed: int) -> Row:
    """The best other model of a question in a domain."""
    rows = stored_rows(frame, protocol, cohort, seed).query("domain == @domain and n >= @FEWEST")
    others = rows.query("model != 'micrec'")
    if protocol == "new-items":
        among = stored_rows(frame, protocol, "all", seed)
        level = among.query("model == 'popularity'").set_index("domain")["mean"]
        tied = among[(among["mean"] - among["domain"].map(level)).abs() < 1e-12]["model"]
        others = others[~others["model"].isin(set(tied))]
    best = others.sort_values("mean", kind="stable").iloc[-1]
    full = rows.query("model == 'micrec' and variant == 'full'")["mean"].iloc[0]
    known = "diff" in best and not pd.isna(best["diff"])
    gain = -best["diff"] if known else full - best["mean"]
    p = best["p_holm"] if known else float("nan")
    return Row(best["model"], best["mean"], gain, p, int(best["n"]), others["model"].nunique())


def walk(cards: Iterable[tuple[str, list[str]]], frame: Frame, labels: dict[str, str], seed: int):
    """Check every card (a title, its lines); the names of what was checked."""
    checked = []
    for title, lines in cards:
        for found in _SENTENCE.finditer(title):
            protocol, cohort = SETTINGS[found["setting"]]
            said = list(_models(found["what"], labels))
            told = {d for _, _, d in said}
            assert told, title
            for verb, name, domain in said:
                row = the_strongest(frame, protocol, cohort, domain, seed)
                assert name == model_label(row.model), (title, row)
                assert VERBS[verb] == row.sign, (title, domain, row)
                checked.append(f"{protocol} {cohort} {domain}")
            _numbers(lines, frame, protocol, cohort, labels, seed)
        if title.startswith("Of known users, "):
            checked += _mechanisms(title, frame, labels, seed)
        if title.startswith("The same person's"):
            checked.append(_alignment(title, frame))
    return checked


def _models(what: str, labels: dict[str, str]) -> Iterable[tuple[str, str, str]]:
    """Verb, model and domain of every clause; all domains where none is named."""
    verb = "|".join(VERBS)
    for clause in re.finditer(rf"(?P<verb>{verb}) (?P<rest>.*?)(?= and (?:{verb})|$)", what):
        named = list(
            re.finditer(rf"(?:^|, | and )(?P<name>(?:(?! in ).)+?) in (?P<where>{_any(labels)}"
                        rf"(?:(?:, | and )(?:{_any(labels)}))*)", clause["rest"])
        )  # fmt: skip
        if not named:
            yield from ((clause["verb"], clause["rest"], d) for d in labels)
        for one in named:
            for domain, label in labels.items():
                if re.search(rf"\b{label}\b", one["where"]):
                    yield clause["verb"], one["name"], domain


def _any(labels: dict[str, str]) -> str:
    return "|".join(labels.values())


def _numbers(lines, frame, protocol, cohort, labels, seed) -> None:
    for line in lines:
        if protocol == "new-items" and ("among all" in line) != (cohort == "full list"):
            continue
        numbers = _NUMBERS.search(line)
        if numbers is None:
            assert "fewer than" in line or line.startswith(("Mean over", "One training")), line
            continue
        domain = next(d for d, label in labels.items() if line.startswith(label))
        row = the_strongest(frame, protocol, cohort, domain, seed)
        assert numbers["other"] == f"{row.other:.3f}", line
        assert numbers["own"] == f"{row.other + row.gain:.3f}", line
        assert int(numbers["beside"] or 1) == row.n_models, line
        assert f"= {row.n:,} " in line.replace("\u00a0", " "), line
        if numbers["gain"]:
            assert numbers["gain"] == f"{row.gain:+.3f}", line
            told = float(numbers["p"].split()[1])
            near = abs(told - row.p) <= 0.05 * told + 0.005
            assert near if numbers["p"].startswith("=") else row.p < told


def _mechanisms(title: str, frame: Frame, labels: dict[str, str], seed: int) -> list[str]:
    """Of what the full model loses, gains or keeps without something."""
    rows = stored_rows(frame, "known", "all", seed).query("model == 'micrec' and n >= @FEWEST")
    variants = {variant_label(v): v for v in rows["variant"].unique()}
    checked = []
    for clause in title.removeprefix("Of known users, ").rstrip(".").split("; "):
        verb = next(v for v in LOSSES if clause.startswith(v))
        rest = clause.removeprefix(verb).strip()
        # The longest first: "without text and image" begins as "without text" does.
        for words in sorted(variants, key=len, reverse=True):
            found = re.search(rf"{re.escape(words)}(?: \((?P<where>[^)]*)\))?", rest)
            if found is None:
                continue
            rest = rest.replace(found[0], "", 1)
            for domain, label in labels.items():
                if found["where"] and not re.search(rf"\b{label}\b", found["where"]):
                    continue
                own = rows[(rows["variant"] == variants[words]) & (rows["domain"] == domain)]
                row = own.iloc[0]
                shown = row["p_holm"] < SHOWN and row["diff"] != 0
                sign = (-1 if row["diff"] > 0 else 1) if shown else 0
                assert sign == LOSSES[verb], (title, words, domain)
                checked.append(f"{words} {domain}")
        assert not re.sub(r"[\s,]|and", "", rest), (title, rest)
    return checked


def _alignment(title: str, frame: Frame) -> str:
    table = frame("metrics/alignment.parquet").query("metric == 'paired_cosine'")
    last = table.sort_values("epoch").iloc[-1]
    assert ("lie closer" in title) == (last["low"] > last["random"])
    return "alignment"
