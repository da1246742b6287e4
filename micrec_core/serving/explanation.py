"""Why an item is where it is: a score taken apart without remainder.

With the gate weights given, both embeddings are sums of vectors, u = sum_c v_c and i = sum_e w_e,
so score = u . i is a sum over pairs. The credit of a pair is shared evenly between the two sides
(which is its Shapley value): a contributor c of the user gets v_c . i / 2, a contributor e of the
item gets u . w_e / 2. Rows add up to the score, and summed by source they are the parts that a
list of recommendations shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.serving.contents import Bundle
from micrec_core.serving.foldin import Block, Folded, Vectors

COLUMNS = ["source", "via", "contributor_id", "title", "contribution", "side", "domain"]


@dataclass(frozen=True)
class Explanation:
    """A score and what it is made of.

    Attributes
    ----------
    table : source, via, contributor_id, title, contribution, side (``user`` or ``item``), domain;
        contributions add up to ``score``; largest first
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


def split_by_source(user: Vectors, items: NDArray[np.floating]) -> Vectors:
    """Parts of the scores of some items, float64 [n, S], adding up to the scores.

    Parameters
    ----------
    user : float64 [S, dim]
    items : [n, S, dim]
    """
    items = items.astype(np.float64)
    u, whole = user.sum(axis=0), items.sum(axis=1)
    # Sums of products rather than a matrix product: equal items get equal parts to the last bit.
    by_user = (whole[:, None, :] * user[None, :, :]).sum(axis=2)
    by_item = (items * u).sum(axis=2)
    return 0.5 * (by_user + by_item)


def explain(bundle: Bundle, user: Folded, item: Folded) -> Explanation:
    """Take the score of a folded-in user and item apart."""
    u, i = user.vector(), item.vector()
    frames = [_rows(bundle, b, 0.5 * (b.vectors @ i), "user") for b in user.blocks]
    frames += [_rows(bundle, b, 0.5 * (b.vectors @ u), "item") for b in item.blocks]
    columns = {c: np.concatenate([f[c] for f in frames]) for c in COLUMNS}
    # In order before there is a frame: each step on a frame costs more than all of them on arrays.
    values = columns["contribution"]
    there = np.flatnonzero(values)
    order = there[np.argsort(-np.abs(values[there]), kind="stable")]
    table = pd.DataFrame({c: column[order] for c, column in columns.items()}, columns=COLUMNS)
    sources = bundle.sources
    grid = user.by_source(sources) @ item.by_source(sources).T
    cells = pd.DataFrame(
        {
            "user_source": np.repeat(sources, len(sources)),
            "item_source": np.tile(sources, len(sources)),
            "contribution": grid.ravel(),
        }
    )
    halves = 0.5 * (grid.sum(axis=0) + grid.sum(axis=1))
    parts = {source: float(value) for source, value in zip(sources, halves, strict=True)}
    return Explanation(float(u @ i), table, cells, parts)


def popularity_explanation(degree: float, score: float, note: str) -> Explanation:
    """The one reason there is when nothing is known about the user."""
    row = ["id", "popularity", "", f"{degree:.0f} interactions", score, "item", ""]
    cells = pd.DataFrame({"user_source": ["id"], "item_source": ["id"], "contribution": [score]})
    table = pd.DataFrame([row], columns=COLUMNS)
    return Explanation(score, table, cells, {"id": score}, note)


def _rows(
    bundle: Bundle, block: Block, values: NDArray[np.float64], side: str
) -> dict[str, NDArray]:
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
