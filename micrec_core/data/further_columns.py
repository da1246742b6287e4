"""Attributes: what the further columns of the item table say, read by what their values look like.

What is said of an item is a text of lines ``column:kind=value``, a line a value::

    brand:category=Acme
    category:path=Grocery > Tea > Green tea
    price:number=4.99
    tags:list=vegan
    tags:list=organic

``dataset.toml`` may say what a column holds (``[attributes]``) where it is not as it looks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from micrec_core.data.schema import ITEMS, LIST_MARK, PATH_MARK, nearest, quote
from micrec_core.data.text_table import Coded, Table, encode
from micrec_core.errors import DataError

KINDS = {
    "category": "one of a few values",
    "list": f"several values with '{LIST_MARK}' between them",
    "path": f"levels with '{PATH_MARK.strip()}' between them",
    "number": "an amount",
    "ignore": "nothing that items have in common",
}
_AMOUNT = re.compile(r"[$€£¥]?\s*[+-]?\d+(?:[ ,]\d{3})*(?:\.\d+)?\s*[$€£¥]?")
_LEVELS = re.compile(r"\s*[>›»]\s*")
# Longer values are prose or addresses, and hardly two items share one.
_LONG = 60
# Distinct values an item has of a column, from which on it names items instead of sorting them.
_OWN = 0.9
_FEW = 20


def said(table: Table, told: Mapping[str, str]) -> NDArray[np.object_]:
    """What the further columns say of each item, str objects [n_rows]; empty where nothing.

    Parameters
    ----------
    told : column -> kind, by ``dataset.toml``

    Raises
    ------
    DataError
        ``told`` names a column that there is not or a kind that is none, or a number is none.
    """
    lines: list[pa.Array] = []
    for column, kind in kinds(table, told).items():
        name = re.sub(r"[=:;\s]+", "_", column.strip())
        lines.append(_lines(_clean(table, column, kind), f"{name}:{kind}="))
    if not lines:
        return np.full(table.n_rows, "", object)
    joined = pc.binary_join_element_wise(*lines, _text("\n"))
    joined = pc.replace_substring_regex(joined, r"\n+", "\n")
    return pc.utf8_trim_whitespace(joined).to_numpy(zero_copy_only=False)


def kinds(table: Table, told: Mapping[str, str]) -> dict[str, str]:
    """Column -> kind, of the further columns of a table that say something of items."""
    further = [c for c in table.columns if c not in ITEMS.columns]
    for column, kind in told.items():
        if column not in further:
            close = nearest(column, further)
            mend = f"write {quote(close)}" if close else "leave it out"
            raise DataError(
                f"dataset.toml: [attributes] tells of {quote(column)}, and {table.name} has no "
                f"such further column; {mend}"
            )
        if kind not in KINDS:
            raise DataError(
                f"dataset.toml: the attribute {quote(column)} is {quote(kind)}; use "
                f"{', '.join(KINDS)}"
            )
    found = {c: told.get(c) or _kind(encode(table.columns[c])) for c in further}
    return {column: kind for column, kind in found.items() if kind != "ignore"}


def parse(text: str) -> list[tuple[str, str, str]]:
    """(column, kind, value) of each line, or of what is parted by semicolons; the kind may be
    left out, as by somebody who says ``brand=Acme; price=3..8``.
    """
    out = []
    for line in re.split(r"[\n;]", text):
        left, equals, value = line.partition("=")
        column, _, kind = left.strip().partition(":")
        if equals and column and value.strip():
            out.append((column, kind, value.strip()))
    return out


def values_of(kind: str, value: str) -> list[str]:
    """What a value of a column that holds no amounts says: of a path each of its levels."""
    return levels(value) if kind == "path" else [value]


def number(text: str) -> float | None:
    """An amount, with or without a currency's sign; None where it is none."""
    if not _AMOUNT.fullmatch(text.strip()):
        return None
    return float(re.sub(r"[^\d.+-]", "", text))


def _kind(column: Coded) -> str:
    """What values look like; ``ignore`` where hardly two items would have one in common."""
    words = [w for w in column.words() if w.strip()]
    n = int(np.isin(column.codes, np.flatnonzero(column.words() != "")).sum())
    if not words:
        return "ignore"
    if all(number(w) is not None for w in words):
        whole = all(w.strip().isdigit() for w in words)
        if whole and _names_items(words, n):
            return "ignore"
        return "category" if whole and len(words) <= _FEW // 2 else "number"
    if sum(PATH_MARK in w for w in words) * 2 > len(words):
        return "path"
    parts = [p.strip() for w in words for p in w.split(LIST_MARK)]
    several = len(parts) > len(words)
    if _names_items(parts, len(parts) if several else n):
        return "ignore"
    return "list" if several else "category"


def _names_items(values: Sequence[str], n: int) -> bool:
    """Whether values, of which there are ``n``, are prose, or most of them of one item alone."""
    long = np.mean([len(value) for value in values]) > _LONG
    return bool(long or (n >= _FEW and len(set(values)) > _OWN * n))


def _clean(table: Table, column: str, kind: str) -> pa.Array:
    values = pc.replace_substring_regex(table.columns[column], r"[;\p{Cc}\p{Zl}\p{Zp}]+", ",")
    values = pc.utf8_trim_whitespace(values)
    if kind != "number":
        return values
    coded = encode(values)
    decimal = table.decimal
    plain = [w.replace(",", ".") if decimal == "," else w for w in coded.words()]
    amounts = [number(w) if w else None for w in plain]
    bad = np.array([bool(w) and a is None for w, a in zip(plain, amounts, strict=True)])
    if bad.any():
        row = int(np.argmax(bad[coded.codes]))
        raise table.refuse(
            row,
            f"{column} is {quote(values[row].as_py())}, and dataset.toml says that it is a number; "
            "write one or leave the field empty",
        )
    texts = ["" if a is None else f"{a:.10g}" for a in amounts]
    return pa.array(texts, pa.large_string()).take(pa.array(coded.codes))


def _lines(values: pa.Array, head: str) -> pa.Array:
    """``column:kind=value`` of each row, a line a value; empty where the row says nothing."""
    if head.endswith((":list=", ":path=")):
        values = pc.replace_substring_regex(values, r"\s*\|\s*", f"\n{head}")
    lines = pc.binary_join_element_wise(_text(head), values, _text(""))
    return pc.if_else(pc.equal(values, ""), _text(""), lines)


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


def levels(path: str) -> list[str]:
    """``Grocery``, ``Grocery > Tea``, ... of ``Grocery > Tea``: a path and what it lies in."""
    names = [name for name in _LEVELS.split(path.strip()) if name]
    return [PATH_MARK.join(names[: k + 1]) for k in range(len(names))]
