"""What must hold of a column: ids, numbers, texts, split words. Checked on distinct values."""

from __future__ import annotations

import re
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
    raise table.refuse(row, sentence.format(**said))


def numbers(table: Table, column: str) -> NDArray[np.float64]:
    """A column of finite numbers [n_rows].

    Raises
    ------
    DataError
        At the first row that is empty, NaN, infinite or no number.
    """
    values = table.columns[column]
    if pa.types.is_integer(values.type):
        return np.asarray(values).astype(np.float64)
    good = mask(pc.match_substring_regex(values, _NUMBER))
    if good.all():
        out = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        good = np.isfinite(out)
        if good.all():
            return out
    raise _no_number(table, column, int(np.argmin(good)), "write a finite number")


def times(table: Table) -> NDArray[np.float64]:
    """The ``timestamp`` column [n_rows]: numbers of any unit, or ISO 8601 dates, in nanoseconds."""
    values = table.columns["timestamp"]
    if pa.types.is_integer(values.type) or _looks_numeric(values[0].as_py()):
        return numbers(table, "timestamp")
    parsed = pd.to_datetime(
        pd.Series(values.to_numpy(zero_copy_only=False), dtype=object),
        format="ISO8601",
        utc=True,
        errors="coerce",
    )
    missing = parsed.isna().to_numpy()
    if missing.any():
        mend = "write seconds since 1970 or dates like 2014-05-31 in all rows"
        raise _no_number(table, "timestamp", int(np.argmax(missing)), mend)
    return parsed.astype("int64").to_numpy().astype(np.float64)


def splits(table: Table) -> NDArray[np.int8]:
    """The ``split`` column as TRAIN, VALID, TEST [n_rows]."""
    coded = encode(table.columns["split"])
    words = {word: k for k, word in enumerate(SPLIT_NAMES)}
    numbered = np.array([words.get(w, -1) for w in coded.words()], dtype=np.int8)
    out = numbered[coded.codes]
    if (out < 0).any():
        row = int(np.argmax(out < 0))
        value = table.columns["split"][row].as_py()
        raise table.refuse(row, f"the split is {quote(value)}; write train, valid or test")
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
        raise table.refuse(row, f"the {column} has {length}; shorten it to {limit:,}")
    nul = mask(pc.match_substring(values, "\0"))
    if nul.any():
        raise table.refuse(int(np.argmax(nul)), f"the {column} holds a NUL character; remove it")
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
        return table.refuse(row, f"{column} is empty; fill it in, or leave the whole column out")
    return table.refuse(row, f"{column} is {quote(value)}; {mend}")
