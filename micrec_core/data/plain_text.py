"""Separated text in which nothing is odd to a table, a block at a time, by pyarrow's parser.

``read_delimited`` says what such text is: it holds all of it, finds what spreadsheets and joining
bring in, and names what is wrong. For whatever is not plain this steps aside for it. Neither the
text nor a text for each id is ever in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from micrec_core.data.budget import Budget
from micrec_core.data.delimited import Text, as_texts, plainly_quoted, text_at
from micrec_core.data.dialect import Dialect
from micrec_core.data.foreign import HEAD
from micrec_core.data.gathered import Gathered, read_blocks
from micrec_core.data.schema import Schema
from micrec_core.data.sources import (
    BOM,
    arrow_bytes,
    check_head,
    delimiter_of,
    read_bytes,
)
from micrec_core.data.text_table import Table, check_header


def read_plain(path: Path, schema: Schema, dialect: Dialect, budget: Budget) -> Table | None:
    """The table of a file; None where ``read_delimited`` has to look at it."""
    return read_blocks(path, budget, lambda blocks: _table(blocks, path, schema, dialect))


def _table(blocks: Iterator[bytes], path: Path, schema: Schema, dialect: Dialect) -> Table:
    first = next(blocks, b"\n").removeprefix(BOM)
    check_head(first[:HEAD], path.name)
    line, _, block = first.partition(b"\n")
    if not line.strip() or b"\r" in line.rstrip(b"\r"):
        raise ValueError("lines do not end in a newline, or begin with one")
    delimiter = dialect.separator or delimiter_of(path)
    _, header = Text(line, path.name, delimiter, quoted=True).header()
    theirs = [field.strip() for field in header]
    names = dialect.renamed(path.name, theirs, schema)
    check_header(path.name, names, schema)
    wanted = {ours: header[names.index(ours)] for ours in schema.kept(names)}
    if len({*wanted.values()}) < len(wanted) or not plainly_quoted(line, delimiter):
        raise ValueError("names that differ in white space alone, or hold quotes")
    gathered = Gathered(wanted, path.name, schema)
    while block:
        if block.startswith(line + b"\n") or b"\n" + line + b"\n" in block:
            raise ValueError("the header is there again")
        gathered.add(_parsed(block, header, list(wanted.values()), delimiter))
        block = next(blocks, b"")
    if not gathered.n_rows:
        raise ValueError("no row")

    def place(row: int) -> str:
        return text_at(read_bytes(path), path, dialect)[0].place(row)

    decimal = dialect.decimal or ("," if delimiter == ";" else ".")
    return Table(
        path.name, gathered.columns(), gathered.n_rows, schema.unused(names), place,
        decimal=decimal, names=tuple(theirs),
    )  # fmt: skip


def _parsed(block: bytes, header: Sequence[str], columns: list[str], delimiter: str) -> pa.Table:
    """Some columns of some lines, as texts; ValueError where a line is not plain."""
    if b"\0" in block or BOM in block:
        raise ValueError("bytes that are looked for elsewhere")
    if b'"' in block and not plainly_quoted(block, delimiter):
        raise ValueError("quotes within fields, or fields over lines")
    return pacsv.read_csv(
        pa.BufferReader(arrow_bytes(block)),
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=len(block) + 1, column_names=list(header)
        ),
        parse_options=pacsv.ParseOptions(delimiter=delimiter),
        convert_options=as_texts(columns, pa.string()),
    )
