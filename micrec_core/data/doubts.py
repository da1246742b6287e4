"""Values that are read as they are and may not mean what they say: nothing is lost unsaid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from micrec_core.data.columns import mask, unit_of
from micrec_core.data.schema import counted, quote

if TYPE_CHECKING:
    from micrec_core.data.interactions import Log
    from micrec_core.data.items import Catalogue

# What programs write where there is no value.
_NOTHING = ("nan", "null", "none", "na", "n/a", "#n/a", "<na>", "nat", "nil", "undefined", "\\n",
            "#name?")  # fmt: skip
# How spreadsheets show whole numbers of more than eleven digits.
ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d\d")


def doubts(log: Log, catalogues: Sequence[Catalogue], table: str, items: str) -> list[str]:
    """Sentences on users and texts called as programs call nothing, on ids that were rounded, and
    on times of nothing.

    Parameters
    ----------
    table, items : names of the two tables
    """
    users = pa.array(log.users, pa.large_string())
    notes = _nobody(log, users, table)
    rounded = mask(pc.match_substring_regex(users, f"^{ROUNDED.pattern}$"))
    if rounded.any():
        notes.append(
            f"{counted(int(rounded.sum()), 'user id')} of {table} are rounded numbers, such as "
            f"{quote(log.users[np.argmax(rounded)])}, as spreadsheets show long ones: users may "
            "have become one, so export ids as text."
        )
    for what in ("titles", "descriptions"):
        texts = pa.array(np.concatenate([getattr(c, what) for c in catalogues]), pa.large_string())
        empty = _says_nothing(texts)
        if (n := int(empty.sum())) > 1:
            word = texts[int(np.argmax(empty))].as_py()
            notes.append(
                f"{n:,} {what} of {items} say {quote(word)} or the like, which often stands for "
                "none: leave such fields empty if so."
            )
    return notes + _no_time(log, table)


def _nobody(log: Log, users: pa.Array, table: str) -> list[str]:
    notes = []
    for code in np.flatnonzero(_says_nothing(users)):
        n = counted(int((log.user == code).sum()), "interaction")
        notes.append(
            f"{n} of {table} are of a user called {quote(log.users[code])}, which often stands for "
            "nobody: remove them if so."
        )
    return notes


def _no_time(log: Log, table: str) -> list[str]:
    if log.ordered_by != "time" or unit_of(log.orders[0]) is None:
        return []
    n = int(np.isin(log.orders[0], (0, -1)).sum())
    if not n:
        return []
    said = counted(n, "interaction")
    return [
        f"{said} of {table} have the time 0 or -1, which often stands for none: they are taken for "
        "the earliest."
    ]


def _says_nothing(texts: pa.Array) -> np.ndarray:
    return mask(pc.is_in(pc.utf8_lower(texts), pa.array(_NOTHING, pa.large_string())))
