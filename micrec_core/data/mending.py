"""Rows of somebody's uploaded tables changed or left out, where no editor of theirs is at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micrec_core.data.arrow_files import ARROW
from micrec_core.data.budget import Budget
from micrec_core.data.delimited import Text, atomic_names, text_at
from micrec_core.data.dialect import Dialect
from micrec_core.data.schema import quote
from micrec_core.data.sources import read_bytes
from micrec_core.errors import DataError


@dataclass(frozen=True)
class Mend:
    """A row of a text table to be changed, or left out where there is no ``column``."""

    file: str
    line: int
    column: str = ""
    value: str = ""


def can_change(name: str) -> bool:
    """Whether a file called so is text, whose lines can be changed."""
    return not name.endswith((".gz", ".parquet", *ARROW))


def apply(root: Path, mends: Sequence[Mend], dialect: Dialect, most_bytes: int) -> None:
    """Change rows of a dataset's text tables; every other row keeps its line.

    Raises
    ------
    DataError
        There is no such text table, row or column.
    """
    for name in dict.fromkeys(mend.file for mend in mends):
        found = [path for path in root.rglob("*") if path.name == name and path.is_file()]
        if len(found) != 1 or not can_change(name):
            raise DataError(f"{quote(name)} is no text table that can be changed; upload it anew")
        path = found[0]
        data = read_bytes(path, Budget(most_bytes), encoding=dialect.encoding)
        mine = [mend for mend in mends if mend.file == name]
        changed = _changed_json if path.suffix == ".jsonl" else _changed_text
        data = changed(data, path, mine, dialect)
        beside = path.with_name(f".{name}.mended")
        beside.write_bytes(data.decode().encode(dialect.encoding or "utf-8"))
        os.replace(beside, path)


def _changed_text(data: bytes, path: Path, mends: Sequence[Mend], dialect: Dialect) -> bytes:
    text, atomic = text_at(data, path, dialect)
    _, names = text.header()
    names = atomic_names(path.name, names) if atomic else [name.strip() for name in names]
    return text.rewritten(_fields(text, path.name, names, mends, dialect))


def _fields(
    text: Text, file: str, names: Sequence[str], mends: Sequence[Mend], dialect: Dialect
) -> dict[int, list[str] | None]:
    """First line of a record -> its fields as they are to be, None for one that goes."""
    rows = dict(text.records())
    out: dict[int, list[str] | None] = {}
    for mend in mends:
        if mend.line not in rows:
            raise DataError(f"{file} has no row that begins on line {mend.line}; check it again")
        if not mend.column:
            out[mend.line] = None
            continue
        fields = rows[mend.line]
        place = _place(mend.column, names, dialect, file)
        if place >= len(fields):
            raise DataError(f"{file}, line {mend.line}: the row is too short; leave it out")
        fields[place] = mend.value
        out.setdefault(mend.line, fields)
    return out


def _place(column: str, names: Sequence[str], dialect: Dialect, file: str) -> int:
    theirs = (*dialect.columns.get(column, ()), column)
    found = next((names.index(name) for name in theirs if name in names), None)
    if found is None:
        raise DataError(f"{file} has no column {quote(column)}; leave the row out")
    return found


def _changed_json(data: bytes, path: Path, mends: Sequence[Mend], dialect: Dialect) -> bytes:
    lines = data.split(b"\n")
    for mend in mends:
        if not 0 < mend.line <= len(lines):
            raise DataError(f"{path.name} has no line {mend.line}; check it again")
        lines[mend.line - 1] = _json_line(lines[mend.line - 1], mend, dialect, path.name)
    return b"\n".join(lines)


def _json_line(line: bytes, mend: Mend, dialect: Dialect, file: str) -> bytes:
    if not mend.column:
        return b""
    try:
        row: dict[str, Any] = json.loads(line)
        names = list(row)
    except (ValueError, TypeError, RecursionError):
        raise DataError(f"{file}, line {mend.line} is no JSON object; leave it out") from None
    row[names[_place(mend.column, names, dialect, file)]] = mend.value
    return json.dumps(row, ensure_ascii=False).encode()
