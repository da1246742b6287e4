"""What the columns of a run's tables hold, by name: held to at writing and at reading.

A column has one meaning in all tables, so that a chart that was made for one is right for another.
A text that is stored once and meant a million times is counted a million times before it is
unpacked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from micrec_core.data.parquet_pages import Group, open_parquet, page_sizes
from micrec_core.names import FURTHER_COLUMNS, GENERATED_COLUMNS

# What a table may hold, once it is unpacked.
_MOST_BYTES = 4 * 2**30
# And for each byte of the file, beyond what any may hold: a value that comes again and again takes
# hardly any. A real table takes some ten times its file.
_MOST_TIMES, _SMALL = 256, 16 * 2**20
# Bytes of a row, at least: of a text its place and its reference in pandas.
_TEXT_BYTES = 12
_MOST_COLUMNS = 1000
_MOST_ROWS = 200_000_000
_MOST_GROUPS = 1000

# No count and no measure is near it.
LARGEST = 1e15

TEXT = {
    *("model", "variant", "protocol", "domain", "cohort", "metric", "bin", "method"),
    *("a", "b", "item_id", "user_id", "id", "title", "description", "entity", "side"),
    *GENERATED_COLUMNS,
    FURTHER_COLUMNS,
}
COUNTS = {
    *("seed", "n", "k", "n_items", "n_positives", "degree", "hits", "epoch", "row"),
    *("degree_a", "degree_b"),
}
MEASURES = {
    *("mean", "low", "high", "diff", "diff_low", "diff_high", "p_holm", "value", "random"),
    *("share", "recall", "coverage", "mean_popularity", "intra_list_similarity"),
    *("x", "y", "moment", "strength", "seconds", "n_parameters"),
}
_MEASURED = re.compile(r"(w|share|coherence|drop|alone)_.+|[a-z]+@\d+")


def hold_table(table: pa.Table) -> None:
    """Hold the columns of a table to what they are; texts and counts are always there.

    Raises
    ------
    ValueError
        A column is of another kind, or holds what is out of its range.
    """
    if not table.num_rows:  # and so no type to speak of
        return
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if name in TEXT:
            # A protocol may know of no cohorts.
            fits = _is_text(kind) and (not column.null_count or name == "cohort")
        elif name in COUNTS:
            fits = pa.types.is_integer(kind) and not column.null_count and _within(column, -1)
        elif name in MEASURES or _MEASURED.fullmatch(name):
            fits = pa.types.is_null(kind) or (_is_number(kind) and _within(column, -LARGEST))
        elif name.startswith("has_"):
            fits = pa.types.is_boolean(kind) and not column.null_count
        elif name == "thumbnail":
            fits = pa.types.is_null(kind) or _is_bytes(kind)
        else:
            fits = (
                pa.types.is_null(kind) or pa.types.is_boolean(kind) or _is_text(kind)
                or (_is_number(kind) and _within(column, -LARGEST))
            )  # fmt: skip
        if not fits:
            raise ValueError(f"its column '{name[:60]}' holds what such a column cannot hold")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _within(column: pa.ChunkedArray, low: float) -> bool:
    """Whether all there is lies between ``low`` and ``LARGEST``; NaN and nothing do."""
    bounds = pc.min_max(column, skip_nulls=True).as_py()
    if bounds["min"] is None:
        return True
    least, most = (np.nan_to_num(bounds[end], posinf=np.inf, neginf=-np.inf) for end in bounds)
    return bool(low <= least and most <= LARGEST)


def parse_parquet(
    stream: BinaryIO, columns: Sequence[str] | None, needed: Sequence[str]
) -> pa.Table:
    """A Parquet table, or some of its columns, within the limits.

    Raises
    ------
    ValueError, pa.ArrowException, OSError
        It is damaged, or holds more than it may.
    KeyError
        It lacks one of ``columns`` or of the ``needed`` ones, which is named.
    """
    file, about = open_parquet(stream)
    schema = file.schema_arrow
    missing = sorted({*needed, *(columns or ())} - set(schema.names))
    if missing:
        raise KeyError(missing[0])
    groups = about.groups
    if len(schema) > _MOST_COLUMNS or len(groups) > _MOST_GROUPS:
        raise ValueError("too large a table")
    read = [schema.field(name).type for name in columns or schema.names]
    most = min(_MOST_BYTES, _SMALL + _MOST_TIMES * stream.seek(0, os.SEEK_END))
    rows = sum(_rows(group) for group in groups)
    if (
        max(rows, about.n_rows) > _MOST_ROWS
        or len(set(schema.names)) < len(schema.names)
        or any(map(pa.types.is_nested, read))
        or sum(group.n_bytes for group in groups) > most
        or rows * sum(map(_width, read)) > most
        or sum(size for _, size in page_sizes(stream, about)) > most
    ):
        raise ValueError("too large a table")
    packed = [field.name for field in schema if _is_text(field.type) or _is_bytes(field.type)]
    # Read by its dictionary, a column takes what it takes on disk.
    largest = max((group.n_bytes for group in groups), default=0)
    if rows * largest > most:
        stream.seek(0)
        file = pq.ParquetFile(stream, read_dictionary=packed)
    table = file.read(columns=list(columns) if columns else None)
    if sum(_unpacked(column) for column in table.columns) > most:
        raise ValueError("too large a table")
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.name, plain)
    return table


def _rows(group: Group) -> int:
    """Rows of a part of a table, whichever column says that there are most."""
    return max(group.n_rows, *(chunk.n_values for chunk in group.chunks), 0)


def _width(kind: pa.DataType) -> int:
    """Bytes that a value of a column takes at least, once it is read."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # of no fixed width
        return _TEXT_BYTES


def _unpacked(column: pa.ChunkedArray) -> int:
    """Bytes of a column without its dictionary."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).fill_null(0).to_numpy()
        counts = np.bincount(chunk.indices.drop_null().to_numpy(), minlength=len(lengths))
        total += int(counts @ lengths.astype(np.int64))
    return total
