"""JSON Lines of flat objects that are all alike to a table, by pyarrow's parser.

It is quick and knows no lines. ``read_jsonl`` says what JSON Lines are: it reads a line at a time
and names what is wrong. For anything that is not plain, whatever it is, this steps aside for it.
The file is read a block at a time: neither its bytes nor its lines are ever in memory at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from micrec_core.data.arrow_columns import NUMERIC
from micrec_core.data.budget import Budget
from micrec_core.data.dialect import Dialect
from micrec_core.data.gathered import Gathered, read_blocks
from micrec_core.data.schema import MAX_COLUMNS, Schema
from micrec_core.data.sources import arrow_bytes
from micrec_core.data.text_table import Table


def read_flat(path: Path, schema: Schema, dialect: Dialect, budget: Budget) -> Table | None:
    """The table of a file; None where ``read_jsonl`` has to look at it."""
    return read_blocks(path, budget, lambda blocks: _table(blocks, path.name, schema, dialect))


def _table(blocks: Iterator[bytes], name: str, schema: Schema, dialect: Dialect) -> Table:
    block = next(blocks, b"\n")
    first = json.loads(block[: block.index(b"\n")])
    if not isinstance(first, dict):
        raise ValueError("the first line is no object")
    theirs = list(first)
    names = dialect.renamed(name, theirs, schema)
    if {*schema.kept(names)} - {*schema.columns} or {*schema.required} - {*names}:
        raise ValueError("values of any kind are to be kept, or a column is missing")
    wanted = {ours: theirs[names.index(ours)] for ours in schema.columns if ours in names}
    kinds = {key: _kind(first[key], ours) for ours, key in wanted.items()}
    gathered = Gathered(wanted, name, schema)
    for lines in chain([block], blocks):
        gathered.add(_parsed(lines, kinds, theirs).select([*kinds]))
    return Table(
        name, gathered.columns(), gathered.n_rows, schema.unused(names),
        lambda row: f"{name}, line {row + 1}", names=tuple(theirs),
    )  # fmt: skip


def _kind(value: object, ours: str) -> pa.DataType:
    """What all values of a column are to be, by the first."""
    if type(value) is str:
        return pa.string()
    if type(value) is float and ours in NUMERIC:
        return pa.float64()
    if type(value) is int:
        return pa.float64() if ours == "rating" else pa.int64()
    raise ValueError("neither a text nor a number that is wanted")


def _parsed(block: bytes, kinds: Mapping[str, pa.DataType], theirs: list[str]) -> pa.Table:
    """The objects of some lines; ValueError where they are not each on a line, alike and plain."""
    n_lines = block.count(b"\n")
    # Between two braces a line ends nowhere but between two objects.
    apart = block.startswith(b"{") and block.endswith(b"}\n")
    if not apart or block.count(b"}\n{") != n_lines - 1:
        raise ValueError("a line is no object")
    if not block.isascii():
        block.decode("utf-8")
    rows = pajson.read_json(
        pa.BufferReader(arrow_bytes(block)),
        read_options=pajson.ReadOptions(use_threads=False, block_size=len(block) + 1),
        parse_options=pajson.ParseOptions(explicit_schema=pa.schema([*kinds.items()])),
    )
    if rows.num_rows != n_lines or {*rows.column_names} != {*theirs} or len(theirs) > MAX_COLUMNS:
        raise ValueError("lines differ in their keys, or one is no object")
    for key in theirs:
        values = rows.column(key)
        floats = pa.types.is_floating(values.type)
        if pa.types.is_nested(values.type) or (key in kinds and values.null_count):
            raise ValueError("a value is missing, or is made of others")
        # Python knows no Inf, and pyarrow no numbers without bounds.
        if floats and pc.all(pc.is_finite(values)).as_py() is False:
            raise ValueError("a number is not finite")
    return rows
