"""What must hold of a column: ids, numbers, texts, split words. Checked on distinct values."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from micrec_core.data.schema import MAX_DOMAIN, MAX_ID, MAX_TEXT, MAX_TITLE, counted, quote
from micrec_core.data.text_table import Coded, Table, encode
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.errors import DataError

_CONTROL = r"[\p{Cc}\p{Zl}\p{Zp}]"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = re.compile(r"[+-]?\d+,\d+")
# 1,234,567 and 1.234,5; what may be a fraction of three digits is none.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([., '\u00a0\u202f])\d{3})(?:(?:\1\d{3})+|(?!\1)[.,]\d+)")
_UTC_WORD = re.compile(r"\s*(UTC|GMT|Zulu)$", re.IGNORECASE)
_ZONE_WORD = re.compile(r"(?<=\d)\s*([A-Za-z][A-Za-z_/]+)$")
# Times since 1970 from 1973 to 2286, as seconds and finer units write them: no two of these meet.
_UNITS = {
    "seconds": (1e8, 1e10),
    "milliseconds": (1e11, 1e13),
    "microseconds": (1e14, 1e16),
    "nanoseconds": (1e17, 1e19),
}
# `--like DOMAIN:ITEM` and `--domain NAME=FILES` must read back as they were written.
_DOMAIN_MARKS = ":=/\\,"


def mask(array: Any) -> NDArray[np.bool_]:
    """A pyarrow boolean array as NumPy's."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)


def ids(table: Table, column: str) -> Coded:
    """An id column as codes.

    Raises
    ------
    DataError
        At the first row, in file order, whose id is empty, padded with white space, holds control
        characters or is too long; for ``domain``, also one that the command line cannot name.
    """
    coded = encode(table.columns[column])
    values = coded.values
    limit = MAX_DOMAIN if column == "domain" else MAX_ID
    problems = {
        "{column} is empty; fill it in or remove the row": pc.equal(values, ""),
        "{column} {value} has white space around it; trim it": pc.not_equal(
            values, pc.utf8_trim_whitespace(values)
        ),
        "{column} {value} holds a control character; remove the character": (
            pc.match_substring_regex(values, _CONTROL)
        ),
        "{column} {value} has {length:,} characters; use at most {limit}": pc.greater(
            pc.utf8_length(values), limit
        ),
    }
    if column == "domain":
        marks = f"[{re.escape(_DOMAIN_MARKS)}]"
        sentence = f"the domain {{value}} holds one of {' '.join(_DOMAIN_MARKS)}; rename it"
        problems[sentence] = pc.match_substring_regex(values, marks)
    found = {sentence: mask(has_it) for sentence, has_it in problems.items()}
    bad = np.any([*found.values()], axis=0)
    if not bad.any():
        return coded
    row = int(np.argmax(bad[coded.codes]))
    k = int(coded.codes[row])
    value = values[k].as_py()
    sentence = next(sentence for sentence, has_it in found.items() if has_it[k])
    said = {"column": column, "value": quote(value), "length": len(value), "limit": limit}
    raise table.refuse(row, sentence.format(**said), column)


def numbers(table: Table, column: str) -> NDArray[np.float64]:
    """A column of finite numbers [n_rows].

    Raises
    ------
    DataError
        At the first row that is empty, NaN, infinite or no number.
    """
    values = table.columns[column]
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return np.asarray(values).astype(np.float64)
    if table.decimal == ",":
        values = pc.replace_substring(values, ",", ".")
    good = mask(pc.match_substring_regex(values, _NUMBER))
    if good.all():
        out = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        good = np.isfinite(out)
        if good.all():
            return out
    row = int(np.argmin(good))
    comma = _COMMA.fullmatch(table.columns[column][row].as_py())
    mend = "write a finite number" + (", or say --decimal , if that is its mark" if comma else "")
    if _THOUSANDS.fullmatch(table.columns[column][row].as_py()):
        mend = "write numbers without marks between their thousands"
    raise _no_number(table, column, row, mend)


def times(table: Table) -> NDArray[np.float64]:
    """The ``timestamp`` column [n_rows]: numbers of one unit, or ISO 8601 dates, in nanoseconds.

    Dates may end in ``UTC`` or ``GMT``; those without a zone are taken for UTC.

    Raises
    ------
    DataError
        At the first row that is none of these, or a number of another unit than those before.
    """
    values = table.columns["timestamp"]
    if pa.types.is_integer(values.type) or _looks_numeric(values[0].as_py()):
        found = numbers(table, "timestamp")
        _refuse_two_units(table, found)
        return found
    coded = encode(values)
    words = coded.words()
    found = _nanoseconds(words)[coded.codes]
    missing = np.isnan(found)
    if missing.any():
        row = int(np.argmax(missing))
        mend = "write seconds since 1970 or dates like 2014-05-31 in all rows"
        word = values[row].as_py()
        if _THOUSANDS.fullmatch(word):
            mend = "write numbers without marks between their thousands"
        zone = _ZONE_WORD.search(word)
        if zone and not np.isnan(_nanoseconds(np.array([word[: zone.start()]], dtype=object))[0]):
            mend = f"write the zone {quote(zone[1])} as hours from UTC, such as +01:00"
        raise _no_number(table, "timestamp", row, mend)
    return found


def two_units(found: NDArray[np.float64]) -> list[tuple[int, str]] | None:
    """The first row and the name of each of the first two units that times [n] are in; None of one.

    In a column of seconds and, say, milliseconds all of the one would be later than the other.
    """
    first = [
        (int(np.argmax(here)), unit)
        for unit, (low, high) in _UNITS.items()
        if (here := (found >= low) & (found < high)).any()
    ]
    return sorted(first)[:2] if len(first) > 1 else None


def unit_of(found: NDArray[np.float64]) -> float | None:
    """How many of the unit that times [n] are in make a second; None of times that are no dates."""
    middle = float(np.median(found))
    steps = dict(zip(_UNITS, (1.0, 1e3, 1e6, 1e9), strict=True))
    return next((steps[u] for u, (low, high) in _UNITS.items() if low <= middle < high), None)


def date_in(word: str, unit: float | None) -> float | None:
    """A date in a unit of so many to the second; None where it is no date or there is no unit."""
    found = _nanoseconds(np.array([word], dtype=object))[0]
    return None if unit is None or np.isnan(found) else float(found) / 1e9 * unit


def _refuse_two_units(table: Table, found: NDArray[np.float64]) -> None:
    units = two_units(found)
    if units is None:
        return
    (row, one), (later, other) = units
    raise table.refuse(
        later,
        f"timestamp is {found[later]:.0f}, as {other} since 1970 are, and {found[row]:.0f}, as "
        f"{one} are, in {table.place(row)}; write all in {one}",
        "timestamp",
    )


def _nanoseconds(words: NDArray[np.object_]) -> NDArray[np.float64]:
    """Dates as nanoseconds since 1970; NaN where there is none."""
    plain = pd.Series([_UTC_WORD.sub("+00:00", word) for word in words], dtype=object)
    parsed = pd.to_datetime(plain, format="ISO8601", utc=True, errors="coerce")
    step = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}[parsed.dt.unit]
    out = parsed.astype("int64").to_numpy() * step
    for k in np.flatnonzero(parsed.isna().to_numpy()):
        out[k] = _far(plain[k])
    # Among dates a number is no year, though ISO 8601 would have it so.
    out[[_looks_numeric(word) for word in words]] = math.nan
    return out


def _far(word: str) -> float:
    """A date that nanoseconds in 64 bits cannot hold, such as 9999-12-31; NaN where it is none."""
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        return math.nan
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1) * 1e3


def splits(table: Table) -> NDArray[np.int8]:
    """The ``split`` column as TRAIN, VALID, TEST [n_rows]."""
    coded = encode(table.columns["split"])
    words = {word: k for k, word in enumerate(SPLIT_NAMES)}
    numbered = np.array([words.get(w, -1) for w in coded.words()], dtype=np.int8)
    out = numbered[coded.codes]
    if (out < 0).any():
        row = int(np.argmax(out < 0))
        value = table.columns["split"][row].as_py()
        raise table.refuse(row, f"the split is {quote(value)}; write train, valid or test", "split")
    return out


def titles(table: Table) -> NDArray[np.object_]:
    """Titles [n_rows] on one line each: runs of white space become a space."""
    clean = pc.replace_substring_regex(table.text("title"), r"[\p{Cc}\p{Zl}\p{Zp}\s]+", " ")
    return _text(table, "title", clean, MAX_TITLE)


def descriptions(table: Table) -> NDArray[np.object_]:
    """Descriptions [n_rows]; an empty string where there is none."""
    return _text(table, "description", table.text("description"), MAX_TEXT)


def _text(
    table: Table, column: str, values: pa.LargeStringArray, limit: int
) -> NDArray[np.object_]:
    long = mask(pc.greater(pc.utf8_length(values), limit))
    if long.any():
        row = int(np.argmax(long))
        length = counted(len(values[row].as_py()), "character")
        raise table.refuse(row, f"the {column} has {length}; shorten it to {limit:,}", column)
    nul = mask(pc.match_substring(values, "\0"))
    if nul.any():
        said = f"the {column} holds a NUL character; remove it"
        raise table.refuse(int(np.argmax(nul)), said, column)
    return pc.utf8_trim_whitespace(values).to_numpy(zero_copy_only=False)


def _looks_numeric(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return value == ""
    return True


def _no_number(table: Table, column: str, row: int, mend: str) -> DataError:
    value = table.columns[column][row].as_py()
    if value == "":
        said = f"{column} is empty; fill it in, or leave the whole column out"
        return table.refuse(row, said, column)
    return table.refuse(row, f"{column} is {quote(value)}; {mend}", column)
