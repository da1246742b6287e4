"""The interaction table: checked, matched with the items, filtered."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from micrec_core.data import columns
from micrec_core.data.doubts import ROUNDED
from micrec_core.data.items import Catalogue, unknown_domain
from micrec_core.data.lookalikes import differing, spelled, twin
from micrec_core.data.schema import counted, listed, quote
from micrec_core.data.text_table import Coded, Table
from micrec_core.errors import DataError


@dataclass(frozen=True)
class Log:
    """Interactions of all domains, as rows of the catalogues.

    Attributes
    ----------
    domain : int16 [n], positions in the sequence of catalogues
    user : int32 [n], codes into ``users``
    users : str objects [n_users], in no particular order
    item : int32 [n], rows of the domain's catalogue; -1 for an unknown item
    orders : float64 [n] each, what "earlier" means, the most important first; may be empty
    ordered_by : ``time``, ``position`` or an empty string
    rating : float64 [n], or None
    split : int8 [n], or None
    """

    domain: NDArray[np.int16]
    user: NDArray[np.int32]
    users: NDArray[np.object_]
    item: NDArray[np.int32]
    orders: tuple[NDArray[np.float64], ...]
    ordered_by: str
    rating: NDArray[np.float64] | None
    split: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: NDArray[np.bool_]) -> Log:
        """The interactions that ``keep`` [n] marks."""
        return replace(
            self,
            domain=self.domain[keep],
            user=self.user[keep],
            item=self.item[keep],
            orders=tuple(o[keep] for o in self.orders),
            rating=None if self.rating is None else self.rating[keep],
            split=None if self.split is None else self.split[keep],
        )


def read_log(table: Table, catalogues: tuple[Catalogue, ...], items_name: str, drop: bool) -> Log:
    """Check the interaction table; ``drop`` leaves interactions with unknown items as item -1.

    Raises
    ------
    DataError
        A bad id, number or split word, an unknown domain, an unknown item unless ``drop``.
    """
    user = columns.ids(table, "user_id")
    item = columns.ids(table, "item_id")
    domain = _domain_positions(table, columns.ids(table, "domain"), catalogues)
    rows = _item_rows(domain, item, catalogues)
    if not drop and (rows < 0).any():
        raise _unknown_items(table, rows, domain, item, catalogues, items_name)
    orders: list[NDArray[np.float64]] = []
    if table.has("timestamp"):
        orders.append(columns.times(table))
    if table.has("position"):
        orders.append(columns.numbers(table, "position"))
    return Log(
        domain,
        user.codes,
        user.words(),
        rows,
        tuple(orders),
        "time" if table.has("timestamp") else "position" if orders else "",
        columns.numbers(table, "rating") if table.has("rating") else None,
        columns.splits(table) if table.has("split") else None,
    )


def _domain_positions(
    table: Table, domain: Coded, catalogues: tuple[Catalogue, ...]
) -> NDArray[np.int16]:
    positions = {c.name: k for k, c in enumerate(catalogues)}
    mapped = np.array([positions.get(w, -1) for w in domain.words()], dtype=np.int16)
    out = mapped[domain.codes]
    if (out < 0).any():
        row = int(np.argmax(out < 0))
        name = domain.values[domain.codes[row]].as_py()
        raise table.refuse(row, unknown_domain(name, catalogues), "domain")
    return out


def _item_rows(
    domain: NDArray[np.int16], item: Coded, catalogues: tuple[Catalogue, ...]
) -> NDArray[np.int32]:
    out = np.full(len(domain), -1, dtype=np.int32)
    for d, catalogue in enumerate(catalogues):
        known = pa.array(catalogue.item_ids, pa.large_string())
        found = pc.fill_null(pc.index_in(item.values, value_set=known), -1)
        here = domain == d
        out[here] = found.to_numpy(zero_copy_only=False)[item.codes[here]]
    return out


def _unknown_items(
    table: Table,
    rows: NDArray[np.int32],
    domain: NDArray[np.int16],
    item: Coded,
    catalogues: tuple[Catalogue, ...],
    items_name: str,
) -> DataError:
    bad = np.flatnonzero(rows < 0)
    keys = domain[bad].astype(np.int64) * len(item.values) + item.codes[bad]
    _, first = np.unique(keys, return_index=True)
    first = np.sort(first)  # in file order
    shown = (
        f"{catalogues[domain[r]].name}:{item.values[item.codes[r]].as_py()}" for r in bad[first[:5]]
    )
    what = f"{counted(len(bad), 'interaction')} with {counted(len(first), 'such item')}"
    name = item.values[item.codes[bad[0]]].as_py()
    if similar := twin(name, catalogues[domain[bad[0]]].item_ids):
        return table.refuse(
            int(bad[0]),
            f"the items {differing(name, similar)} look the same, and only the second is in "
            f"{items_name} ({what}); write the id alike in both tables",
            "item_id",
        )
    known = set(catalogues[domain[bad[0]]].item_ids)
    parts = [part for part in re.split(r"[\s,;|\[\]'\"]+", name) if part]
    if len(parts) > 1 and known.issuperset(parts):
        return table.refuse(
            int(bad[0]),
            f"the item {quote(name)} is several in one field ({what}); write a row for each",
            "item_id",
        )
    if ROUNDED.fullmatch(name):
        return table.refuse(
            int(bad[0]),
            f"the item {quote(name)} is a number that was rounded, as spreadsheets show long ones "
            f"({what}); export ids as text",
            "item_id",
        )
    if similar := twin(name, catalogues[domain[bad[0]]].item_ids, spelled):
        return table.refuse(
            int(bad[0]),
            f"the item {quote(name)} is not in {items_name}, which has {quote(similar)} ({what}); "
            "write the id alike in both tables (what reads ids as numbers drops zeros and adds "
            ".0), or drop such interactions (--unknown-items drop)",
            "item_id",
        )
    return table.refuse(
        int(bad[0]),
        f"the item {quote(name)} is not in {items_name} "
        f"({what}: {listed(shown, len(first))}); add the items, or drop such interactions "
        "(--unknown-items drop)",
        "item_id",
    )


def drop_unknown(log: Log, notes: list[str]) -> Log:
    """Without the interactions whose item is unknown; says how many."""
    known = log.item >= 0
    if known.all():
        return log
    notes.append(
        f"Dropped {counted(int((~known).sum()), 'interaction')} with items that are not in the "
        "item table."
    )
    return log.take(known)


def drop_low_ratings(log: Log, threshold: float | None, notes: list[str], name: str) -> Log:
    """Keep interactions rated ``threshold`` or more; says what was done with ratings.

    Raises
    ------
    DataError
        There is a threshold but no rating, or no interaction reaches it.
    """
    if threshold is None:
        if log.rating is not None:
            notes.append("Ratings are not used: every interaction counts.")
        return log
    if log.rating is None:
        raise DataError(
            f"{name} has no column 'rating' for the threshold {threshold:g}; add it or read "
            "without a threshold"
        )
    keep = log.rating >= threshold
    if not keep.any():
        raise DataError(
            f"{name} has no rating of {quote(f'{threshold:g}')} or more; lower the threshold"
        )
    dropped = int((~keep).sum())
    notes.append(f"Dropped {counted(dropped, 'interaction')} rated under {threshold:g}.")
    return log.take(keep)
