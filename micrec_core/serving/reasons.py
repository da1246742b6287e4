"""The reasons of a score as tables, with ids and titles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.method.explanation import cells, contributions
from micrec_core.method.foldin import Block, Folded
from micrec_core.method.memory import Parts
from micrec_core.names import MEMORY
from micrec_core.serving.contents import Bundle

COLUMNS = ["source", "via", "contributor_id", "title", "contribution", "side", "domain"]

# How the memory says what was added beside what was taken together.
EVERYBODY = "popular with everybody here"
LENT = "taken with items alike"
SAYS_ALIKE = "alike in content"
FORETOLD = "regression on all that was taken"


@dataclass(frozen=True)
class Explanation:
    """A score and what it is made of.

    Attributes
    ----------
    table : source, via, contributor_id, title, contribution, side (``user`` or ``item``), domain;
        contributions add up to ``score``; largest first. ``why`` where a modality's encoder has
        words for it: what the item and a contributor have in common
    cells : user_source, item_source, contribution: which source of the user met which of the item;
        they add up to ``score`` too
    parts : source -> contribution, the sums of ``table`` by source
    note : a sentence where the score is not a personal one, else empty
    """

    score: float
    table: pd.DataFrame
    cells: pd.DataFrame
    parts: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def alike(self) -> pd.DataFrame:
        """Items that the explained one is like, and why in words; largest first."""
        columns = {"by": "source", "alike": "title", "why": "why", "brings": "contribution"}
        if "why" not in self.table:
            return pd.DataFrame(columns=list(columns))
        rows = self.table[self.table["why"] != ""]
        rows = rows.assign(title=rows["title"].where(rows["title"] != "", rows["contributor_id"]))
        out = pd.DataFrame({name: rows[column] for name, column in columns.items()})
        keys = ["by", "alike", "why"]
        return out.groupby(keys, sort=False, as_index=False)["brings"].sum()

    @property
    def remembered(self) -> pd.DataFrame:
        """What items taken bring through the memory: liked item, how, brings; largest first."""
        rows = self.table[self.table["source"] == MEMORY]
        names = rows["title"].where(rows["title"] != "", rows["contributor_id"])
        names = names.where(names != "", "none of them")
        columns = {"liked item": names, "how": rows["via"], "brings": rows["contribution"]}
        return pd.DataFrame(columns).reset_index(drop=True)


def explain(
    bundle: Bundle, sources: tuple[str, ...], user: Folded, item: Folded, memory: Parts | None
) -> Explanation:
    """Take the score of a folded-in user and item apart.

    Parameters
    ----------
    sources : of the model's scores, the memory last where it has one
    memory : its part, by what the user took; None where the domain has none
    """
    found = contributions(user, item)
    frames = [_rows(bundle, block, values, side) for side, block, values in found]
    if memory is not None:
        frames += _rows_of_memory(bundle, user.domain, memory)
    columns = {c: np.concatenate([f[c] for f in frames]) for c in COLUMNS}
    # In order before there is a frame: each step on a frame costs more than all of them on arrays.
    values = columns["contribution"]
    there = np.flatnonzero(values)
    order = there[np.argsort(-np.abs(values[there]), kind="stable")]
    table = pd.DataFrame({c: column[order] for c, column in columns.items()}, columns=COLUMNS)
    grid = np.zeros((len(sources), len(sources)))
    n = len(bundle.sources)
    grid[:n, :n] = cells(user, item, bundle.sources)
    if memory is not None:
        grid[n, n] = memory.total()[0]
    pairs = pd.DataFrame(
        {
            "user_source": np.repeat(sources, len(sources)),
            "item_source": np.tile(sources, len(sources)),
            "contribution": grid.ravel(),
        }
    )
    halves = 0.5 * (grid.sum(axis=0) + grid.sum(axis=1))
    parts = {source: float(value) for source, value in zip(sources, halves, strict=True)}
    return Explanation(float(user.vector() @ item.vector() + grid[n:].sum()), table, pairs, parts)


def _rows_of_memory(bundle: Bundle, d: int, memory: Parts) -> list[dict[str, NDArray[Any]]]:
    """What each item that the user took brings through the memory, by path."""
    others = [s for s in range(len(bundle.domains)) if s != d]
    starts = np.cumsum([0, *(bundle.domains[s].train.shape[1] for s in others)])
    place = np.searchsorted(starts, memory.taken_elsewhere, side="right") - 1
    paths = [(d, memory.taken, memory.direct, memory.people)]
    # Of items taken in a domain: how, and what each brings.
    beside = [
        (d, memory.taken, LENT, memory.lent[:, 0]),
        (d, memory.taken, SAYS_ALIKE, memory.alike[:, 0]),
        (d, memory.taken, FORETOLD, memory.regressed[:, 0]),
    ]
    for at, s in enumerate(others):
        here = place == at
        items = memory.taken_elsewhere[here] - starts[at]
        paths.append((s, items, memory.elsewhere[here], memory.people_elsewhere[here]))
        beside.append((s, items, SAYS_ALIKE, memory.alike_elsewhere[here, 0]))
        beside.append((s, items, FORETOLD, memory.regressed_elsewhere[here, 0]))
    out = []
    for s, items, values, people in paths:
        for n in np.unique(people[:, 0]):
            some = people[:, 0] == n
            via = f"{n} took both" if n else "people who took items like it"
            rows = items[some].astype(np.int64)
            block = Block(MEMORY, via, np.empty((len(rows), 0)), "item", s, rows)
            out.append(_rows(bundle, block, values[some, 0].astype(float), "user"))
    for s, items, via, brings in beside:
        rows = items.astype(np.int64)
        block = Block(MEMORY, via, np.empty((len(rows), 0)), "item", s, rows)
        out.append(_rows(bundle, block, brings.astype(float), "user"))
    everyone = Block(MEMORY, EVERYBODY, np.empty((1, 0)))
    return [*out, _rows(bundle, everyone, memory.popular, "user")]


def popularity_explanation(degree: float, score: float, note: str) -> Explanation:
    """The one reason there is when nothing is known about the user."""
    row = ["id", "popularity", "", f"{degree:.0f} interactions", score, "item", ""]
    cells = pd.DataFrame({"user_source": ["id"], "item_source": ["id"], "contribution": [score]})
    table = pd.DataFrame([row], columns=COLUMNS)
    return Explanation(score, table, cells, {"id": score}, note)


def _rows(
    bundle: Bundle, block: Block, values: NDArray[np.float64], side: str
) -> dict[str, NDArray[Any]]:
    n = len(values)
    ids = titles = np.full(n, "", object)
    domain = ""
    if block.kind:
        part = bundle.domains[block.domain]
        domain = part.name
        ids = (part.item_ids if block.kind == "item" else part.user_ids)[block.rows]
        titles = part.titles[block.rows] if block.kind == "item" else ids
    said = np.array([block.source, block.via, side, domain], object)[:, None].repeat(n, axis=1)
    return {
        "source": said[0],
        "via": said[1],
        "contributor_id": ids,
        "title": titles,
        "contribution": values,
        "side": said[2],
        "domain": said[3],
    }
