"""Ids that look the same and are not: another Unicode form, invisible characters, white space.

A Mac decomposes the letters of file names (NFD) where others compose them (NFC); spreadsheets and
web pages bring zero-width and no-break spaces, and byte order marks.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def twin(value: str, among: Sequence[str] | NDArray[np.object_]) -> str | None:
    """The one of some ids that looks like ``value`` and differs from it."""
    known = pa.array(among, pa.large_string())
    mine = looks(pa.array([value], pa.large_string()))[0]
    found = pc.index(looks(known), mine).as_py()
    return None if found < 0 or known[found].as_py() == value else known[found].as_py()


def differing(one: str, other: str) -> str:
    """Both ids for a message, as characters and, beyond ASCII, as code points."""
    return f"{quote(one)} ({one!a}) and {quote(other)} ({other!a})"


def twins_note(ids: NDArray[np.object_], where: str, kind: str) -> str | None:
    """A sentence on the distinct ids [n] among which some look the same; None where none do."""
    values = pa.array(ids, pa.large_string())
    if pc.all(pc.string_is_ascii(values)).as_py() and not (
        pc.any(pc.match_substring_regex(values, r"\s\s|[^\S ]")).as_py()
    ):
        return None
    look = looks(values)
    codes = np.asarray(look.dictionary_encode().indices)
    many = np.flatnonzero(np.bincount(codes)[codes] > 1)
    if not len(many):
        return None
    first = many[codes[many] == codes[many[0]]][:2]
    return (
        f"{counted(len(many), f'{kind} id')} of {where} look like another one and differ in their "
        f"Unicode form, invisible characters or white space, such as "
        f"{differing(ids[first[0]], ids[first[1]])}: write them alike if they are meant to be."
    )
