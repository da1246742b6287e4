"""The first rows of tables whose columns may have any names, and which columns may be ours."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from micrec_core.data.arrow_files import ARROW, arrow_batches
from micrec_core.data.delimited import atomic_names, text_at
from micrec_core.data.dialect import Dialect
from micrec_core.data.json_lines import object_on
from micrec_core.data.parquet_pages import first_rows, open_parquet
from micrec_core.data.schema import (
    INTERACTIONS,
    ITEMS,
    MAX_COLUMNS,
    RELATIONS,
    Schema,
    nearest,
)
from micrec_core.data.sources import ATOMIC, SUFFIXES, open_regular, partitions
from micrec_core.data.vocabulary import guesses, synonym
from micrec_core.errors import DataError

ENDINGS = (*SUFFIXES, *ATOMIC)
SCHEMAS = {schema.stem: schema for schema in (INTERACTIONS, ITEMS, RELATIONS)}
_HEAD = 1 << 18
_ROWS, _LOOKED_AT, _CHARACTERS = 5, 200, 80


def preview(root: Path, dialect: Dialect) -> list[dict[str, Any]]:
    """The tables that lie in a folder, by name.

    Returns
    -------
    for each, fit for JSON: ``file``; ``kind``, interactions, items or relations, by its name or
    else by its columns, empty where neither says or it is read as it is (RecBole's relations);
    ``columns``; ``rows``, the first few as text; ``guesses``, ours -> theirs of the columns that it
    lacks. A table that cannot be read has no columns.
    """
    files = [path for path in sorted(root.iterdir()) if path.name.endswith(ENDINGS)]
    for schema in SCHEMAS.values():  # of a table that lies in parts, the first
        parts = (path for path in (root / schema.stem).rglob("*") if path.name.endswith(ENDINGS))
        files += sorted(parts)[:1]
    found = [path for path in files if path.is_file()]
    return [_of(path, dialect) for path in found if not path.name.startswith(".")]


def _of(path: Path, dialect: Dialect) -> dict[str, Any]:
    try:
        names, rows = _head(path, dialect)
    except (DataError, pa.ArrowException, OSError, ValueError):
        names, rows = [], []
    if names:  # folders of parts may say what all rows have in a column
        said = partitions(path)
        names, rows = [*names, *said], [[*row, *said.values()] for row in rows]
    kind = _kind(path, names)
    found = _guesses(SCHEMAS[kind], names, rows) if kind else {}
    shown = [[cell[:_CHARACTERS] for cell in row[: len(names)]] for row in rows[:_ROWS]]
    return {"file": path.name, "kind": kind, "columns": names, "rows": shown, "guesses": found}


def _kind(path: Path, names: Sequence[str]) -> str:
    parts = (path.name.split(".")[0], *(parent.name for parent in list(path.parents)[:2]))
    stem = next((part for part in parts if part in SCHEMAS), "")
    atomic = {".inter": "interactions", ".item": "items"}.get(path.suffix, "")
    if atomic or stem or path.suffix in ATOMIC:
        return atomic or stem
    if synonym("user_id", names):
        return INTERACTIONS.stem
    if all(synonym(column, names) for column in RELATIONS.required):
        return RELATIONS.stem
    return ITEMS.stem if synonym("item_id", names) and synonym("title", names) else ""


def _guesses(schema: Schema, names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    def sample() -> dict[str, list[str]]:
        return {n: [row[k] for row in rows if k < len(row)] for k, n in enumerate(names)}

    found = guesses(schema, names, sample)
    for column in schema.optional:
        free = [n for n in schema.unused(names) if n not in found.values()]
        if column not in names and (name := synonym(column, free) or nearest(column, free)):
            found[column] = name
    return found


def _head(path: Path, dialect: Dialect) -> tuple[list[str], list[list[str]]]:
    """Names of columns and some rows, all as text."""
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.suffix in ARROW:
        batch = next(arrow_batches(path), None)
        return ([], []) if batch is None else _shown(batch.slice(0, _LOOKED_AT))
    with open_regular(path) as stream:
        file = gzip.GzipFile(fileobj=stream) if path.suffix == ".gz" else stream
        data = file.read(_HEAD)
    if len(data) == _HEAD:  # the last line may be cut
        data = data[: data.rfind(b"\n") + 1]
    data = data.decode(dialect.encoding or "utf-8-sig", errors="replace").encode()
    if ".jsonl" in path.suffixes[-2:]:
        return _json(data)
    text, atomic = text_at(data, path, dialect)
    records = [fields for _, fields in islice(text.records(), _LOOKED_AT + 1)]
    names = [name.strip() for name in records[0][:MAX_COLUMNS]] if records else []
    return atomic_names(path.name, names) if atomic else names, records[1:]


def _parquet(path: Path) -> tuple[list[str], list[list[str]]]:
    with open_regular(path) as stream:
        file, about = open_parquet(stream)
        batch = first_rows(stream, file, about, path.name, _LOOKED_AT)
    return ([*file.schema_arrow.names[:MAX_COLUMNS]], []) if batch is None else _shown(batch)


def _shown(batch: pa.RecordBatch) -> tuple[list[str], list[list[str]]]:
    names = batch.schema.names[:MAX_COLUMNS]
    columns = [column.to_pylist() for column in batch.columns[: len(names)]]
    return names, [["" if v is None else str(v) for v in row] for row in zip(*columns, strict=True)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json(data: bytes) -> tuple[list[str], list[list[str]]]:
    lines = islice((line for line in io.BytesIO(data) if line.strip()), _LOOKED_AT)
    rows = [row for line in lines if (row := object_on(line.decode(), _value)) is not None]
    names = list(dict.fromkeys(name for row in rows for name in row))[:MAX_COLUMNS]
    return names, [["" if row.get(n) is None else str(row[n]) for n in names] for row in rows]
