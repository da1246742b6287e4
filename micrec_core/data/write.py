"""A table to a file, a block of rows at a time."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

TEXT = pa.large_string()


@contextmanager
def table_writer(
    stem: Path, columns: Mapping[str, pa.DataType], suffix: str
) -> Iterator[Callable[[Sequence[pa.Array]], None]]:
    """What adds rows, an array a column, to a new file: ``.csv``, ``.csv.gz`` or ``.parquet``.

    Fields of csv are quoted only where they need it; a compressed file bears no name and time.
    """
    path = stem.with_name(stem.name + suffix)
    if suffix == ".parquet":
        schema = pa.schema(list(columns.items()))
        with pq.ParquetWriter(path, schema, compression="zstd") as parquet:
            yield lambda arrays: parquet.write_table(pa.Table.from_arrays(arrays, schema=schema))
        return
    with ExitStack() as files:
        file: BinaryIO = files.enter_context(path.open("wb"))
        if suffix.endswith(".gz"):
            packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
            file = cast(BinaryIO, files.enter_context(packed))
        text = files.enter_context(io.TextIOWrapper(file, "utf-8", newline=""))
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        yield lambda arrays: writer.writerows(zip(*(a.to_pylist() for a in arrays), strict=True))


def constant(value: str, n: int) -> pa.LargeStringArray:
    """A column that says the same in each of ``n`` rows."""
    return pa.repeat(pa.scalar(value, TEXT), n)
