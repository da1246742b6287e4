"""RecBole's atomic files: tabs between fields, and a header whose fields carry types.

Source: recbole.io, "Atomic Files". ``.inter`` needs user_id and item_id and may have rating and
timestamp; ``.item`` needs item_id and a title. Quotes have no meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from micrec_core.data.delimited import atomic_names, refuse_separator, understood
from micrec_core.data.raw import texts
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines, decoded
from micrec_core.data.schema import Schema, quote
from micrec_core.data.text_table import check_header

_INTER = Schema("interactions", ("user_id", "item_id"), ("rating", "timestamp"))
_ITEM = Schema("items", ("item_id", "title"), ("description",))
_ABSENT = math.nan


def interactions(lines: Lines) -> Callable[[bytes], Interaction]:
    """Read the header; what turns a line into (user id, item id, rating, time).

    A rating or a time that the file has no column for is NaN on every line.
    """
    names = _header(lines, _INTER)
    user, item = names.index("user_id"), names.index("item_id")
    rating, time = (names.index(n) if n in names else -1 for n in ("rating", "timestamp"))

    def parse(line: bytes) -> Interaction:
        fields = _fields(line, len(names))
        return (
            fields[user],
            fields[item],
            _number(fields[rating], "rating") if rating >= 0 else _ABSENT,
            _number(fields[time], "timestamp") if time >= 0 else _ABSENT,
        )

    return parse


def items(lines: Lines) -> Callable[[bytes], Item]:
    """Read the header; what turns a line into (item id, title, description)."""
    names = _header(lines, _ITEM)
    item, title = names.index("item_id"), names.index("title")
    description = names.index("description") if "description" in names else -1

    def parse(line: bytes) -> Item:
        fields = _fields(line, len(names))
        said = fields[description] if description >= 0 else ""
        return fields[item], texts.title(fields[title]), texts.description(said)

    return parse


def _header(lines: Lines, schema: Schema) -> list[str]:
    line = next(iter(lines))
    where = f"{lines.name}, line {lines.number}"
    try:
        header = _split(line)
    except BadLine as error:
        raise lines.refuse(str(error)) from error
    refuse_separator(where, header, "\t")
    names = understood(atomic_names(where, header), schema)
    check_header(where, names, schema)
    return names


def _split(line: bytes) -> list[str]:
    return decoded(line).rstrip("\r\n").split("\t")


def _fields(line: bytes, width: int) -> list[str]:
    fields = _split(line)
    if len(fields) != width:
        raise BadLine(
            f"there are {len(fields)} fields where the header has {width}; separate them by tabs"
        )
    return fields


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadLine(f"{column} is {quote(text)}; write a finite number")
    return value
