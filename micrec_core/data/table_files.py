"""Any supported file to a table: the dispatch by name, JSON Lines, parquet, frames."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from micrec_core.data.arrow_columns import column_array, further_text
from micrec_core.data.arrow_files import ARROW, arrow_batches
from micrec_core.data.budget import Budget
from micrec_core.data.delimited import read_delimited
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.flat_lines import read_flat
from micrec_core.data.foreign import HEAD, PARQUET, refuse_foreign
from micrec_core.data.json_lines import object_on
from micrec_core.data.parquet_pages import About, first_rows, hold_pages, open_parquet
from micrec_core.data.plain_text import read_plain
from micrec_core.data.schema import MAX_COLUMNS, Schema, counted, quote
from micrec_core.data.sources import (
    BOM,
    NOT_UTF8,
    delimiter_of,
    domain_of,
    open_regular,
    part_of,
    partitions,
    read_bytes,
    split_named,
)
from micrec_core.data.text_table import (
    Table,
    check_header,
    join_arrays,
    join_tables,
    repeated,
)
from micrec_core.data.write import constant
from micrec_core.errors import DataError

# Rows that are unpacked at once; of texts as they are fewer, which may be long.
_BATCH, _TEXT_BATCH, _SMALL_BATCH = 1 << 20, 1 << 16, 1 << 12
# Rows whose values say what a column may be.
_SAMPLE = 200
_NO_OBJECT = "the line is not a JSON object; write one on each line"


def read_tables(
    paths: Sequence[Path],
    schema: Schema,
    dialect: Dialect = PLAIN,
    budget: Budget | None = None,
) -> Table:
    """Read one table, which may lie in parts, in the format that the names say.

    Raises
    ------
    DataError
        One sentence with the file, the line where there are lines, and the mend.
    """
    tables, budget = [], budget or Budget()
    name = _named(paths, schema)
    budget.expect(paths, name)
    for path in paths:
        said = partitions(path)
        names = dialect.renamed(path.name, list(said), schema)
        told = {c: v for c, v in zip(names, said.values(), strict=True) if c in schema.columns}
        table = _read_part(path, _without(schema, *told), dialect, budget)
        for column, value in told.items():
            table.columns[column] = constant(value, table.n_rows)
        unused = (*table.unused, *schema.unused(names))
        tables.append(replace(table, unused=unused, names=(*table.names, *said)))
    if "split" in schema.columns:
        _split_by_names(paths, tables)
    return join_tables(tables, name)


def _named(paths: Sequence[Path], schema: Schema) -> str:
    """What a table is called: as its file, or by how many there are."""
    return paths[0].name if len(paths) == 1 else f"{schema.stem} in {counted(len(paths), 'part')}"


def _split_by_names(paths: Sequence[Path], tables: Sequence[Table]) -> None:
    """Give parts that are named after those of a split a column that says so.

    Where all are called ``train``, as of much that has no split, they are none.
    """
    parts = [split_named(path) for path in paths]
    if {*parts} <= {None, "train"}:
        return
    for part, table in zip(parts, tables, strict=True):
        if part and not table.has("split"):
            table.columns["split"] = constant(part, table.n_rows)
    _refuse_half_a_split(paths, tables)


def _read_part(path: Path, schema: Schema, dialect: Dialect, budget: Budget) -> Table:
    if path.name.endswith(".parquet"):
        return read_parquet(path, schema, dialect, budget)
    if path.name.endswith(ARROW):
        return _read_arrow(path, schema, dialect, budget)
    lines = ".jsonl" in path.suffixes[-2:]
    quick = read_flat if lines else read_plain if schema.coded else None
    if quick and not dialect.encoding and (found := quick(path, schema, dialect, budget)):
        return found
    data = read_bytes(path, budget, encoding=dialect.encoding)
    if lines:
        return read_jsonl(data, path.name, schema, dialect)
    return read_delimited(data, path.name, schema, delimiter_of(path), dialect=dialect)


def _without(schema: Schema, *columns: str) -> Schema:
    """The schema where some columns are not in the file."""
    required = tuple(c for c in schema.required if c not in columns)
    return replace(schema, required=required, optional=(*schema.optional, *columns))


def read_atomic(
    paths: Sequence[Path],
    schema: Schema,
    dialect: Dialect = PLAIN,
    budget: Budget | None = None,
) -> Table:
    """Read RecBole's atomic files, one domain a file named after it unless there is a column.

    Typed headers (``user_id:token``); tabs between fields; quotes have no meaning.
    ``NAME.train.inter`` and its like are one domain with its split.
    """
    bare = _without(schema, "domain")
    tables, budget = [], budget or Budget()
    budget.expect(paths, _named(paths, schema))
    for path in paths:
        data = read_bytes(path, budget, encoding=dialect.encoding)
        table = read_delimited(
            data, path.name, bare, "\t", quoted=False, atomic=True, dialect=dialect
        )
        if not table.has("domain"):
            table.columns["domain"] = constant(domain_of(path), table.n_rows)
        if "split" in schema.columns and (part := part_of(path)):
            table.columns["split"] = constant(part, table.n_rows)
        tables.append(table)
    _refuse_half_a_split(paths, tables)
    return join_tables(tables)


def _refuse_half_a_split(paths: Sequence[Path], tables: Sequence[Table]) -> None:
    """Files of a split beside one that has none: which part would it be?"""
    has = [table.has("split") for table in tables]
    if any(has) and not all(has):
        without, with_it = paths[has.index(False)], paths[has.index(True)]
        raise DataError(
            f"{without.name} has no split beside {with_it.name}, which is a part of one; remove "
            "the one or the other"
        )


def items_of(interactions: Table, domains: Collection[str]) -> Table | None:
    """Items that are known from interactions alone, titled by their ids; None where there are none.

    Parameters
    ----------
    domains : those that have items of their own
    """
    pairs = pa.table(
        {c: interactions.columns[c].cast(pa.large_string()) for c in ("item_id", "domain")}
    )
    mine = pc.invert(pc.is_in(pairs["domain"], pa.array(list(domains), pa.large_string())))
    pairs = pairs.filter(mine).group_by(["item_id", "domain"], use_threads=False).aggregate([])
    if not pairs.num_rows:
        return None
    columns = {c: pairs[c].combine_chunks() for c in ("item_id", "domain")}
    note = f"{counted(pairs.num_rows, 'item')} without an item table are titled by their ids."
    return Table(
        interactions.name, columns | {"title": columns["item_id"]}, pairs.num_rows, (),
        lambda row: f"{interactions.name}, item {row + 1}", (note,),
    )  # fmt: skip


def read_jsonl(data: bytes, name: str, schema: Schema, dialect: Dialect = PLAIN) -> Table:
    """Parse JSON Lines: one object a line; an absent or null value is missing."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    kept = {*schema.columns, *(n for several in dialect.columns.values() for n in several)}
    seen: dict[str, None] = {}
    further: tuple[str, ...] = ()
    for line, raw in zip(count(1), io.BytesIO(data), strict=False):
        if raw.strip():
            row = _json_object(raw, f"{name}, line {line}")
            if row is None:
                continue
            seen |= dict.fromkeys(row)
            if len(seen) > MAX_COLUMNS:
                check_header(f"{name}, line {line}", list(seen), schema)
            # Beyond those that guesses look at, what no column is read from is let go at once.
            if len(rows) < _SAMPLE:
                further = schema.kept(seen)
            elif not kept.issuperset(row):
                row = {k: v for k, v in row.items() if k in kept or k in further}
            rows.append(row)
            lines.append(line)
    theirs = list(seen)
    names = dialect.renamed(name, theirs, schema)
    if names != theirs:
        called = dict(zip(theirs, names, strict=True))
        rows = [{called[k]: v for k, v in row.items()} for row in rows]

    def sample() -> dict[str, list[str]]:
        return {
            n: [str(v) for row in rows[:_SAMPLE] if (v := row.get(n)) is not None] for n in names
        }

    for line, row in zip(lines, rows, strict=True):
        if {"columns", "data"} <= {*row} or {"schema", "data"} <= {*row}:
            raise DataError(
                f"{name}, line {line}: the line is a whole table of pandas; write an object for "
                "each row, as to_json(orient='records', lines=True) does"
            )
        if any(c not in row for c in schema.required):
            check_header(f"{name}, line {line}", list(row), schema, sample)
    columns = {}
    for column in (c for c in schema.columns if c in names):
        values = [row.get(column) for row in rows]
        if not all(type(v) is str for v in values):
            values = [
                v if type(v) is str else _json_text(v, column, f"{name}, line {line}")
                for v, line in zip(values, lines, strict=True)
            ]
        columns[column] = _json_array(values, column, name, lines)
    for column in schema.kept(names):
        if column not in columns:
            columns[column] = further_text([row.get(column) for row in rows])
    return Table(
        name, columns, len(rows), schema.unused(names), lambda row: f"{name}, line {lines[row]}",
        names=tuple(theirs),
    )  # fmt: skip


class _Repeated(ValueError):
    """A key is twice in one object."""


def _json_object(raw: bytes, where: str) -> dict[str, Any] | None:
    try:
        return object_on(raw.removeprefix(BOM).decode("utf-8"), _json_value)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: {NOT_UTF8}") from error
    except _Repeated as error:
        raise DataError(f"{where}: the key {error} is there twice; remove one") from error
    except ValueError as error:
        raise DataError(f"{where}: {str(error) or _NO_OBJECT}") from error


def _json_value(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _Repeated:
        raise
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = repeated(key for key, _ in pairs)
    if twice is not None:
        raise _Repeated(quote(twice))
    return dict(pairs)


def _json_text(value: Any, column: str, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (isinstance(value, int) or column in ("timestamp", "rating", "position")):
        return repr(value)
    mend = "write it as text"
    if isinstance(value, dict) and column in ("user_id", "item_id", "domain"):
        mend = "write an object for each row, as to_json(orient='records', lines=True) does"
    elif isinstance(value, list) and column == "item_id":
        mend = "write a line for each of them"
    raise DataError(f"{where}: '{column}' is {quote(json.dumps(value))}; {mend}")


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


def _read_arrow(path: Path, schema: Schema, dialect: Dialect, budget: Budget) -> Table:
    """Read an Arrow file, streamed or not, such as Hugging Face's ``datasets`` keep on disk."""
    batches = []
    try:
        for batch in arrow_batches(path):
            names = dialect.renamed(path.name, batch.schema.names, schema)
            for column, name in zip(batch.columns, names, strict=True):
                budget.spend(_unpacked(column, name in schema.coded), path.name)
            batches.append(batch)
        found = pa.Table.from_batches(batches)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        refuse_foreign(_first_bytes(path), path.name, b"ARROW1")
        raise DataError(f"{path.name} is not a readable Arrow file; write it again") from error
    return _arrow_table(found, path.name, schema, dialect)


def _arrow_table(found: pa.Table, name: str, schema: Schema, dialect: Dialect = PLAIN) -> Table:
    names = dialect.renamed(name, found.column_names, schema)
    check_header(name, names, schema, lambda: _sample(found.rename_columns(names)))
    if found.num_rows == 0:
        raise DataError(f"{name} has columns but no row; add rows")
    kept = schema.kept(names)
    columns = {
        c: column_array(found.column(k), c, name, schema) for k, c in enumerate(names) if c in kept
    }
    place = f"{name}, row "
    return Table(
        name, columns, found.num_rows, schema.unused(names), lambda row: f"{place}{row + 1}",
        names=tuple(found.column_names),
    )  # fmt: skip


def _sample(found: pa.Table) -> dict[str, list[str]]:
    return {n: [str(v) for v in found.column(n)[:_SAMPLE].to_pylist()] for n in found.column_names}


def read_parquet(
    path: Path, schema: Schema, dialect: Dialect = PLAIN, budget: Budget | None = None
) -> Table:
    """Read a parquet file; it has rows and no lines, so messages name the row.

    A batch of rows is read at a time, and what is repeated in it kept as codes: of two hundred
    million interactions there is never a text for each in memory. What is unpacked is counted
    before it is, since a file of codes may be a hundred thousand times smaller than its texts.
    """
    name = path.name
    try:
        budget = budget or Budget()
        with open_regular(path) as stream:
            file, about = open_parquet(stream)
            with file:
                theirs = list(file.schema_arrow.names)
                names = dialect.renamed(name, theirs, schema)
                check_header(name, names, schema, lambda: _head(stream, file, about, names))
                wanted = {c: theirs[names.index(c)] for c in schema.kept(names)}
                hold_pages(stream, about, budget, name, wanted.values())
            n_rows = about.n_rows
            if n_rows == 0:
                raise DataError(f"{name} has columns but no row; add rows")
            columns = _parquet_columns(stream, about, wanted, path, schema, budget)
            if any(len(column) != n_rows for column in columns.values()):
                raise pa.ArrowInvalid(f"there are not the {n_rows} rows that the file says")
    except FileNotFoundError as error:
        raise DataError(f"{name} cannot be read (it is not there); check the file") from error
    except MemoryError:  # pyarrow's is an ArrowException too, and says nothing of the file
        raise
    except (pa.ArrowException, OSError) as error:
        refuse_foreign(_first_bytes(path), name, PARQUET)
        raise DataError(
            f"{name} is not a readable parquet file, though its name says so; write it again"
        ) from error
    return Table(
        name, columns, n_rows, schema.unused(names), lambda row: f"{name}, row {row + 1}",
        names=tuple(theirs),
    )  # fmt: skip


def _first_bytes(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            return stream.read(HEAD)
    except OSError:
        return b""


def table_of_frame(frame: Any, schema: Schema) -> Table:
    """A table that is in memory already; messages name its rows by their position.

    Parameters
    ----------
    frame : a DataFrame of pandas, or what can become one (``to_pandas``): polars' frames, tables of
        pyarrow, data sets of Hugging Face
    """
    if not isinstance(frame, pd.DataFrame):
        if not hasattr(frame, "to_pandas"):
            raise DataError(
                f"{schema.stem} is of the type {quote(type(frame).__name__)}; give a DataFrame"
            )
        frame = frame.to_pandas()
    name, names = schema.stem, [str(column) for column in frame.columns]
    check_header(name, names, schema)
    if not len(frame):
        raise DataError(f"{name} has columns but no row; add rows")
    known = frame[[column for column in frame.columns if column in schema.columns]]
    try:
        table = pa.Table.from_pandas(known, preserve_index=False)
    except pa.ArrowException as error:
        raise DataError(f"{name} mixes kinds of values ({error}); make each column one") from None
    columns = {c: column_array(table.column(c), c, name, schema) for c in table.column_names}
    for column, theirs in zip(names, frame.columns, strict=True):
        if column in schema.kept(names) and column not in columns:
            columns[column] = further_text(frame[theirs].tolist())
    return Table(name, columns, len(frame), schema.unused(names), lambda row: f"{name}.iloc[{row}]")


def _head(
    stream: BinaryIO, file: pq.ParquetFile, about: About, names: Sequence[str]
) -> dict[str, list[str]]:
    """Some values of each column; none where one page of each would be too much."""
    try:
        batch = first_rows(stream, file, about, "", _SAMPLE)
    except DataError:
        return {}
    return {} if batch is None else _sample(pa.table(batch).rename_columns(list(names)))


def _parquet_columns(
    stream: BinaryIO,
    about: About,
    names: Mapping[str, str],
    path: Path,
    schema: Schema,
    budget: Budget,
) -> dict[str, pa.Array]:
    """Columns of all rows, as ``Table`` holds them; ``names``: ours -> the file's."""
    parts: dict[str, list[pa.Array]] = {column: [] for column in names}
    theirs = list(names.values())
    texts, bursting = _texts(about, theirs)
    size = _SMALL_BATCH if bursting else _BATCH if schema.coded else _TEXT_BATCH
    # Repeated texts come as codes, whatever their encoding, and so cannot burst.
    n_rows, n_bytes = 0, stream.seek(0, os.SEEK_END)
    with pq.ParquetFile(stream, read_dictionary=texts) as file:
        for batch in file.iter_batches(batch_size=size, columns=theirs):
            for column, chunks in parts.items():
                values = batch.column(names[column])
                budget.spend(_unpacked(values, column in schema.coded), path.name)
                chunks.append(column_array(pa.chunked_array([values]), column, path.name, schema))
            n_rows += batch.num_rows
            budget.tell(path, n_bytes * n_rows // max(about.n_rows, n_rows, 1))
    if not all(parts.values()):
        raise pa.ArrowInvalid("there are no rows, though the file says so")
    return {column: join_arrays(parts.pop(column)) for column in names}


def _texts(about: About, wanted: Sequence[str]) -> tuple[list[str], bool]:
    """Which of the columns can be read as codes, and whether there are texts that cannot.

    Those are written as what differs from the text before, which pyarrow reads in full alone.
    """
    texts = {*about.texts} & {*wanted}
    chunks = [chunk for group in about.groups for chunk in group.chunks]
    full = {chunk.column for chunk in chunks if chunk.delta} & texts
    return sorted(texts - full), bool(full)


def _unpacked(array: pa.Array, coded: bool) -> int:
    """Bytes that a column of one batch will take in memory, as codes or as text."""
    texts = pa.types.is_dictionary(array.type) and (
        pa.types.is_string(array.type.value_type) or pa.types.is_large_string(array.type.value_type)
    )
    if coded or not texts:
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary).take(array.indices)
    return int(pc.sum(lengths).as_py() or 0) + 8 * len(array)
