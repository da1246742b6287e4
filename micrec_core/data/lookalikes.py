"""Ids that look the same and are not: another Unicode form, invisible characters, white space.

A Mac decomposes the letters of file names (NFD) where others compose them (NFC); spreadsheets and
web pages bring zero-width and no-break spaces, and byte order marks. What reads ids as numbers
takes their leading zeros and, where one is missing, gives the others a ``.0``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from micrec_core.data.schema import counted, quote

_INVISIBLE = r"[\p{Cf}\x{115f}\x{1160}\x{3164}]"
_SPACES = r"[\s\p{Z}]+"


def looks(values: pa.Array) -> pa.Array:
    """What ids [n] look like: compatible forms composed, nothing invisible, single spaces."""
    composed = pc.utf8_normalize(values, "NFKC")
    visible = pc.replace_substring_regex(composed, _INVISIBLE, "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(visible, _SPACES, " "))


def as_numbers(values: pa.Array) -> pa.Array:
    """Ids [n] without what they lose or get where they are read as numbers."""
    bare = pc.replace_substring_regex(values, r"^(\d+)\.0+$", r"\1")
    return pc.replace_substring_regex(bare, r"^0+(\d+)$", r"\1")


def spelled(values: pa.Array) -> pa.Array:
    """What ids [n] are apart from their looks, zeros and capitals."""
    return as_numbers(pc.utf8_lower(looks(values)))


def twin(
    value: str,
    among: Sequence[str] | NDArray[np.object_],
    alike: Callable[[pa.Array], pa.Array] = looks,
) -> str | None:
    """The one of some ids that is ``alike`` with ``value`` and differs from it."""
    known = pa.array(among, pa.large_string())
    mine = alike(pa.array([value], pa.large_string()))[0]
    found = pc.index(alike(known), mine).as_py()
    return None if found < 0 or known[found].as_py() == value else known[found].as_py()


def differing(one: str, other: str) -> str:
    """Both ids for a message, as characters and, beyond ASCII, as code points."""
    if one.isascii() and other.isascii() and (one + other).isprintable():
        return f"{quote(one)} and {quote(other)}"
    return f"{quote(one)} ({one!a}) and {quote(other)} ({other!a})"


def twins_notes(ids: NDArray[np.object_], where: str, kind: str) -> list[str]:
    """Sentences on the distinct ids [n] among which some are alike; none where none are."""
    values = pa.array(ids, pa.large_string())
    notes = []
    for alike, seen_by, differ in (
        (looks, r"[^\x00-\x7f]|\s\s|[^\S ]", "Unicode form, invisible characters or white space"),
        (as_numbers, r"^0\d+$|^\d+\.0+$", "leading zeros or an ending .0"),
    ):
        if not pc.any(pc.match_substring_regex(values, seen_by)).as_py():
            continue
        codes = np.asarray(alike(values).dictionary_encode().indices)
        many = np.flatnonzero(np.bincount(codes)[codes] > 1)
        if not len(many):
            continue
        first = many[codes[many] == codes[many[0]]][:2]
        notes.append(
            f"{counted(len(many), f'{kind} id')} of {where} look like another one and differ in "
            f"their {differ}, such as {differing(ids[first[0]], ids[first[1]])}: write them alike "
            "if they are meant to be."
        )
    return notes
