"""What of a raw log is kept, and how much is dropped for which reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from micrec_core.data.kcore import core_mask
from micrec_core.data.raw.rows import RawLog, Shelf, Skipped
from micrec_core.data.schema import quote
from micrec_core.data.text_table import Coded
from micrec_core.data.types import Edges
from micrec_core.errors import DataError


@dataclass(frozen=True)
class Part:
    """One domain as it will be written.

    Attributes
    ----------
    log : name of the file of interactions
    user, item : ids [n], each with an interaction; by user, then time
    rating, time : float64 [n], or None
    rows : int64 [n_items], rows of the shelf; -1 for an item without metadata
    dropped : reason -> number of interactions
    skipped : lines of the file of interactions
    split : int8 [n], or None
    names : of the columns of its files, as they call them
    """

    name: str
    log: str
    user: Coded
    item: Coded
    rating: NDArray[np.float64] | None
    time: NDArray[np.float64] | None
    shelf: Shelf
    rows: NDArray[np.int64]
    dropped: dict[str, int]
    skipped: Skipped
    split: NDArray[np.int8] | None = None
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.user.codes)


@dataclass(frozen=True)
class Rules:
    """What stays: ratings from a threshold on, known items or all, what is in the k-core."""

    min_rating: float | None
    drop_unknown: bool
    k_core: int


def filter_log(name: str, log: RawLog, shelf: Shelf, rules: Rules) -> Part:
    """Ratings under the threshold go first, then unknown items if they are to go, then all but the
    earliest interaction of a user with an item (of equally early ones the first in the file stays),
    then what is outside of the k-core.

    Raises
    ------
    DataError
        Nothing would be left, there is no rating for the threshold, or no item has metadata.
    """
    shelved = shelf.first_rows(log.item.values)
    if len(shelf.ids) and (shelved < 0).all():
        raise DataError(
            f"no item of {log.name} is in {shelf.name}; check that the two files belong together"
        )
    kept, dropped = _kept(name, log, shelf, shelved >= 0, rules)
    times = () if log.time is None else (log.time[kept],)
    kept = kept[np.lexsort((log.item.codes[kept], *times, log.user.codes[kept]))]
    users, _ = _compact(log.user, kept)
    items, known = _compact(log.item, kept)
    return Part(
        name,
        log.name,
        users,
        items,
        None if log.rating is None else log.rating[kept],
        None if log.time is None else log.time[kept],
        shelf,
        shelved[known],
        dropped,
        log.skipped,
        None if log.split is None else log.split[kept],
        (*log.names, *shelf.names),
    )


def _kept(
    name: str, log: RawLog, shelf: Shelf, known: NDArray[np.bool_], rules: Rules
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The rows that stay, in order; and how many go for which reason."""
    user, item = log.user.codes, log.item.codes
    kept = np.arange(len(user))
    dropped = {"bad line": log.skipped.count}

    def keep(reason: str, rows: NDArray[np.int64]) -> None:
        nonlocal kept
        dropped[reason] = len(kept) - len(rows)
        kept = rows

    if rules.min_rating is not None:
        keep("low rating", _rated(log, rules.min_rating))
    if rules.drop_unknown:
        keep("unknown item", kept[known[item[kept]]])
        if not len(kept):
            raise DataError(
                f"no item of {log.name} that is rated well enough is in {shelf.name}; lower "
                "--min-rating or keep unknown items"
            )
    # Of equally early ones the one in train stays: a pair that was trained on is no test pair.
    orders = [order for order in (log.time, log.split) if order is not None]
    keep("repeated", _earliest(kept, user, item, len(log.item.values), orders))
    if rules.k_core > 1:
        edges = Edges(user[kept], item[kept])
        core = core_mask(edges, rules.k_core, len(log.user.values), len(log.item.values))
        if not core.any():
            raise DataError(
                f"nothing is left of the domain {quote(name)} in its {rules.k_core}-core; use a "
                "smaller --k-core"
            )
        keep("outside the k-core", kept[core])
    return kept, dropped


def _rated(log: RawLog, threshold: float) -> NDArray[np.int64]:
    if log.rating is None:
        raise DataError(f"{log.name} has no rating; leave --min-rating out")
    rows = np.flatnonzero(log.rating >= threshold)
    if not len(rows):
        raise DataError(f"{log.name} has no rating of {threshold:g} or more; lower --min-rating")
    return rows


def _earliest(
    rows: NDArray[np.int64],
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    n_items: int,
    orders: Sequence[NDArray[Any]],
) -> NDArray[np.int64]:
    """The rows, in order, without those that repeat an earlier pair."""
    pair = user[rows].astype(np.int64) * n_items + item[rows]
    # A stable sort: of equally early rows the first stays in front.
    order = np.lexsort((*(o[rows] for o in reversed(orders)), pair))
    first = np.r_[True, pair[order[1:]] != pair[order[:-1]]]
    return np.sort(rows[order[first]])


def _compact(ids: Coded, rows: NDArray[np.int64]) -> tuple[Coded, NDArray[np.int64]]:
    """The ids that the rows hold, renumbered; and the old codes of the new ones."""
    codes = ids.codes[rows]
    used = np.flatnonzero(np.bincount(codes, minlength=len(ids.values)))
    renumbered = np.zeros(len(ids.values), np.int32)
    renumbered[used] = np.arange(len(used))
    return Coded(renumbered[codes], ids.values.take(pa.array(used))), used
