"""A table that is read a block of rows at a time, its columns gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from micrec_core.data.arrow_columns import column_array
from micrec_core.data.budget import Budget
from micrec_core.data.schema import Schema
from micrec_core.data.sources import open_regular, pieces
from micrec_core.data.text_table import Table, join_arrays
from micrec_core.errors import DataError

# Rows that are coded at once: fewer have more words in common with others, which are to be joined.
_ROWS = 1 << 21


def read_blocks(
    path: Path, budget: Budget, table: Callable[[Iterator[bytes]], Table]
) -> Table | None:
    """What ``table`` makes of a file's whole lines; None, and nothing spent, where it refuses them.

    Whoever is quick steps aside so for who is thorough: what is wrong is said there.
    """
    spent = budget.left
    try:
        with open_regular(path) as stream:
            return table(_whole_lines(pieces(stream, path, budget)))
    except (DataError, OSError, ValueError, RecursionError):  # pyarrow's are ValueErrors too
        budget.left = spent
        return None


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines, each with its end."""
    rest = b""
    for piece in pieces:
        lines, end, rest = (rest + piece).rpartition(b"\n")
        if end:
            yield lines + end
    if rest:
        yield rest + b"\n"


class Gathered:
    """Columns of all blocks, as `Table` holds them.

    Parameters
    ----------
    wanted : ours -> the file's, the columns of each block
    file : its name, for messages
    """

    def __init__(self, wanted: Mapping[str, str], file: str, schema: Schema) -> None:
        self._wanted, self._file, self._schema = wanted, file, schema
        self._blocks: list[pa.Table] = []
        self._waiting = self.n_rows = 0
        self._parts: dict[str, list[pa.Array]] = {ours: [] for ours in wanted}

    def add(self, rows: pa.Table) -> None:
        """Take the next rows."""
        self._blocks.append(rows)
        self._waiting += rows.num_rows
        self.n_rows += rows.num_rows
        if self._waiting >= _ROWS:
            self._code()

    def columns(self) -> dict[str, pa.Array]:
        """All that was taken; nothing is left."""
        if self._waiting:
            self._code()
        return {ours: join_arrays(self._parts.pop(ours)) for ours in self._wanted}

    def _code(self) -> None:
        rows = pa.concat_tables(self._blocks)
        self._blocks, self._waiting = [], 0
        for ours, theirs in self._wanted.items():
            column = column_array(rows.column(theirs), ours, self._file, self._schema)
            self._parts[ours].append(column)
            rows = rows.drop_columns([theirs])
