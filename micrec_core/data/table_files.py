"""Any supported file to a table: the dispatch by name, JSON Lines, parquet, frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from micrec_core.data.delimited import atomic_names, read_delimited
from micrec_core.data.schema import MAX_TABLE_BYTES, Schema, quote
from micrec_core.data.sources import delimiter_of, read_bytes
from micrec_core.data.text_table import Table, check_header, join_tables
from micrec_core.data.write import constant
from micrec_core.errors import DataError

_NO_OBJECT = "the line is not a JSON object; write one on each line"


def read_table(path: Path, schema: Schema) -> Table:
    """Read one table in the format its name says.

    Raises
    ------
    DataError
        One sentence with the file, the line where there are lines, and the mend.
    """
    if path.name.endswith(".parquet"):
        return read_parquet(path, schema)
    data = read_bytes(path)
    if ".jsonl" in path.suffixes[-2:]:
        return read_jsonl(data, path.name, schema)
    return read_delimited(data, path.name, schema, delimiter_of(path))


def read_atomic(paths: Sequence[Path], schema: Schema) -> Table:
    """Read RecBole's atomic files, one domain a file named after it unless there is a column.

    Typed headers (``user_id:token``); tabs between fields; quotes have no meaning.
    """
    optional = (*schema.optional, "domain")
    bare = Schema(schema.stem, tuple(c for c in schema.required if c != "domain"), optional)
    tables = []
    for path in paths:
        data = read_bytes(path)
        table = read_delimited(data, path.name, bare, "\t", quoted=False, rename=atomic_names)
        if not table.has("domain"):
            table.columns["domain"] = constant(path.stem, table.n_rows)
        tables.append(table)
    return join_tables(tables)


def read_jsonl(data: bytes, name: str, schema: Schema) -> Table:
    """Parse JSON Lines: one object a line; an absent or null value is missing."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for line, raw in zip(count(1), data.split(b"\n"), strict=False):
        if raw.strip():
            rows.append(_json_object(raw, f"{name}, line {line}"))
            lines.append(line)
    names = list(dict.fromkeys(k for row in rows for k in row))
    for line, row in zip(lines, rows, strict=True):
        if any(c not in row for c in schema.required):
            check_header(f"{name}, line {line}", list(row), schema)
    columns = {}
    for column in (c for c in schema.columns if c in names):
        values = [row.get(column) for row in rows]
        if not all(type(v) is str for v in values):
            values = [
                v if type(v) is str else _json_text(v, column, f"{name}, line {line}")
                for v, line in zip(values, lines, strict=True)
            ]
        columns[column] = _json_array(values, column, name, lines)
    return Table(
        name, columns, len(rows), schema.unused(names), lambda row: f"{name}, line {lines[row]}"
    )


class _Repeated(ValueError):
    """A key is twice in one object."""


def _json_object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: the text is not UTF-8; save it as UTF-8") from error
    except _Repeated as error:
        raise DataError(f"{where}: the key {error} is there twice; remove one") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {_NO_OBJECT}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: {_NO_OBJECT}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        keys = [k for k, _ in pairs]
        raise _Repeated(quote(next(k for k in keys if keys.count(k) > 1)))
    return out


def _json_text(value: Any, column: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (isinstance(value, int) or column in ("timestamp", "rating", "position")):
        return repr(value)
    raise DataError(f"{where}: '{column}' is {quote(json.dumps(value))}; write it as text")


def _json_array(
    values: list[Any], column: str, name: str, lines: Sequence[int]
) -> pa.LargeStringArray:
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError as error:  # half of a surrogate pair, as in "\ud800"
        bad = next(k for k, v in enumerate(values) if v.encode("utf-8", "ignore").decode() != v)
        raise DataError(
            f"{name}, line {lines[bad]}: '{column}' holds half a character; write it as UTF-8"
        ) from error


def read_parquet(path: Path, schema: Schema) -> Table:
    """Read a parquet file; it has rows and no lines, so messages name the row.

    A row group is read at a time, and what is repeated in it kept as codes: of two hundred million
    interactions there is never a text for each in memory.
    """
    name = path.name
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            check_header(name, names, schema)
            groups = (file.metadata.row_group(k) for k in range(file.num_row_groups))
            if sum(g.total_byte_size for g in groups) > MAX_TABLE_BYTES:
                raise DataError(f"{name} unpacks to more than 8 GiB; split the dataset")
            n_rows = file.metadata.num_rows
            wanted = [c for c in schema.columns if c in names]
            if n_rows == 0:
                raise DataError(f"{name} has columns but no row; add rows")
            columns = _parquet_columns(file, wanted, name, schema)
    except FileNotFoundError as error:
        raise DataError(f"{name} cannot be read (it is not there); check the file") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} is not a readable parquet file, though its name says so; write it again"
        ) from error
    return Table(name, columns, n_rows, schema.unused(names), lambda row: f"{name}, row {row + 1}")


def table_of_frame(frame: pd.DataFrame, schema: Schema) -> Table:
    """A table that is in memory already; messages name its rows by their position."""
    name, names = schema.stem, [str(column) for column in frame.columns]
    check_header(name, names, schema)
    if not len(frame):
        raise DataError(f"{name} has columns but no row; add rows")
    known = frame[[column for column in frame.columns if column in schema.columns]]
    try:
        table = pa.Table.from_pandas(known, preserve_index=False)
    except pa.ArrowException as error:
        raise DataError(f"{name} mixes kinds of values ({error}); make each column one") from None
    columns = {c: _parquet_array(table.column(c), c, name, schema) for c in table.column_names}
    return Table(name, columns, len(frame), schema.unused(names), lambda row: f"{name}.iloc[{row}]")


def _parquet_columns(
    file: pq.ParquetFile, names: Sequence[str], name: str, schema: Schema
) -> dict[str, pa.Array]:
    """Columns of all row groups, as ``Table`` holds them."""
    parts: dict[str, list[pa.Array]] = {column: [] for column in names}
    for group in range(file.num_row_groups):
        if file.metadata.row_group(group).num_rows == 0:
            continue
        parsed = file.read_row_group(group, columns=list(names))
        for column, chunks in parts.items():
            chunks.append(_parquet_array(parsed.column(column), column, name, schema))
    return {column: _joined(parts.pop(column)) for column in names}


def _joined(parts: list[pa.Array]) -> pa.Array:
    kinds = {part.type for part in parts}
    if len(kinds) > 1:  # whole numbers in one row group, a missing one in another
        parts = [part.cast(pa.large_string()) for part in parts]
    if pa.types.is_dictionary(parts[0].type):
        parts = pa.chunked_array(parts).unify_dictionaries().chunks
    return pa.concat_arrays(parts)


def _parquet_array(column: pa.ChunkedArray, name: str, file: str, schema: Schema) -> pa.Array:
    """A column of one row group: text, codes into texts, or whole numbers."""
    whole = pa.types.is_integer(column.type) and name in ("timestamp", "rating", "position")
    if whole and column.null_count == 0:
        return pa.concat_arrays(column.chunks)
    text = _parquet_text(column, name, file)
    return text.dictionary_encode() if name in schema.coded else text


def _parquet_text(column: pa.ChunkedArray, name: str, file: str) -> pa.LargeStringArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    numeric = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    moment = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    allowed = text or pa.types.is_integer(kind) or pa.types.is_null(kind)
    if name in ("timestamp", "rating", "position"):
        allowed = allowed or numeric or (moment and name == "timestamp")
    if not allowed:
        raise DataError(f"{file}: the column '{name}' holds {kind}; write it as text")
    if moment:
        column = column.cast(pa.timestamp("ns")).cast(pa.int64())
    try:
        flat = pc.fill_null(column.cast(pa.large_string()), "")
        array = pa.concat_arrays(flat.chunks) if flat.num_chunks != 1 else flat.chunk(0)
        array.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{file}: the column '{name}' is not UTF-8; write it as UTF-8") from error
    return array
