"""A table in memory: text columns, and the place in the file that each row came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from micrec_core.data.schema import MAX_COLUMNS, Schema, quote
from micrec_core.data.vocabulary import Sample, are_values, guesses, is_matrix, options
from micrec_core.data.write import constant
from micrec_core.errors import DataError

# A longer name of a column is not offered to be typed.
_TYPED = 60
# So many problems of one kind are told at once, where all are asked for.
MANY = 5


class RowError(DataError):
    """What is wrong with one row of a table.

    Attributes
    ----------
    row : from 0; of text that is not parsed yet, the line from 1 that it begins on
    column : which is at fault, where one is
    others : what else is wrong in the same way, up to ``MANY`` in all
    """

    def __init__(self, sentence: str, row: int, column: str = "") -> None:
        super().__init__(sentence)
        self.row, self.column = row, column
        self.others: tuple[RowError, ...] = ()


@dataclass(frozen=True)
class Table:
    """Text columns of one table; a missing value is an empty string.

    Attributes
    ----------
    name : the file's name, for messages
    columns : column name -> large_string array [n_rows]; only columns the schema knows. From
        parquet, flat JSON Lines and plain text, the schema's ``coded`` ones are dictionary arrays
        of large_string; from the first two, numbers are arrays of integers or of finite float64
    n_rows : int
    unused : column names of the file that the schema does not know
    place : row -> ``interactions.csv, line 7``; dear, so only called to word a refusal
    notes : sentences on how the file was read, where that is not as its name says
    decimal : the mark of fractions in its texts
    names : of all columns, as the file calls them
    """

    name: str
    columns: dict[str, pa.Array]
    n_rows: int
    unused: tuple[str, ...]
    place: Callable[[int], str]
    notes: tuple[str, ...] = ()
    decimal: str = "."
    names: tuple[str, ...] = ()

    def refuse(self, row: int, problem: str, column: str = "") -> RowError:
        """The error that names the file and line of ``row``."""
        return RowError(f"{self.place(row)}: {problem}", row, column)

    def without(self, row: int) -> Table:
        """The table without one row; the others keep their places in the file."""
        keep = pa.array(np.delete(np.arange(self.n_rows), row))
        columns = {name: values.take(keep) for name, values in self.columns.items()}

        def place(left: int) -> str:
            return self.place(left + (left >= row))

        return replace(self, columns=columns, n_rows=self.n_rows - 1, place=place)

    def has(self, column: str) -> bool:
        return column in self.columns

    def text(self, column: str) -> pa.Array:
        """A column, or empty strings where the table lacks it."""
        return self.columns[column] if self.has(column) else constant("", self.n_rows)


@dataclass(frozen=True)
class Coded:
    """A column as codes into its distinct values.

    Attributes
    ----------
    codes : int32 [n_rows]
    values : large_string array [n_distinct]
    """

    codes: NDArray[np.int32]
    values: pa.LargeStringArray

    def rows(self, rows: slice) -> pa.LargeStringArray:
        """The values of some rows."""
        return self.values.take(pa.array(self.codes[rows]))

    def words(self) -> NDArray[np.object_]:
        """The distinct values as str objects [n_distinct]."""
        return self.values.to_numpy(zero_copy_only=False)


def encode(array: pa.LargeStringArray | pa.DictionaryArray) -> Coded:
    """Codes and distinct values, in order of first appearance."""
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = np.asarray(coded.indices, dtype=np.int32)
    if coded is not array:
        return Coded(codes, coded.dictionary)
    # A dictionary that was read may have any order, and values that no row has.
    first = np.full(len(coded.dictionary), len(codes), np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    order = np.argsort(first)[: int((first < len(codes)).sum())]
    renumbered = np.empty(len(first), np.int32)
    renumbered[order] = np.arange(len(order))
    return Coded(renumbered[codes], coded.dictionary.take(pa.array(order)))


def join_arrays(parts: Sequence[pa.Array]) -> pa.Array:
    """Parts of one column below each other, as ``Table`` holds it."""
    kinds = {part.type for part in parts}
    if len(kinds) > 1:  # whole numbers in one part, a missing one in another; codes and texts
        parts = [part.cast(pa.large_string()) for part in parts]
    if pa.types.is_dictionary(parts[0].type):
        parts = pa.chunked_array(parts).unify_dictionaries().chunks
    return pa.concat_arrays(parts)


def join_tables(tables: Sequence[Table], name: str = "") -> Table:
    """Tables of one kind below each other; a column one of them lacks is empty there."""
    if len(tables) == 1:
        return tables[0]
    ends = list(accumulate(t.n_rows for t in tables))

    def place(row: int) -> str:
        k = bisect_right(ends, row)
        return tables[k].place(row - (ends[k - 1] if k else 0))

    names = list(dict.fromkeys(c for t in tables for c in t.columns))
    columns = {c: join_arrays([t.text(c) for t in tables]) for c in names}
    unused = tuple(dict.fromkeys(c for t in tables for c in t.unused))
    notes = tuple(dict.fromkeys(note for t in tables for note in t.notes))
    called = name or " and ".join(t.name for t in tables)
    theirs = tuple(dict.fromkeys(name for t in tables for name in t.names))
    return Table(called, columns, ends[-1], unused, place, notes, tables[0].decimal, theirs)


def check_header(
    where: str, names: Sequence[str], schema: Schema, sample: Sample | None = None
) -> None:
    """Refuse a header with a column twice or without a required one, and offer what is like it.

    Parameters
    ----------
    sample : gives some values a column, for guesses

    Raises
    ------
    DataError
        Names ``where`` (file and, for text, line), the column and the probable misspelling.
    """
    if len(names) > MAX_COLUMNS:
        raise DataError(
            f"{where}: there are {len(names):,} columns; leave at most {MAX_COLUMNS:,} of them"
        )
    twice = repeated(name for name in names if name.strip())
    if twice is not None:
        raise DataError(f"{where}: the column {quote(twice)} is there twice; remove or rename one")
    missing = [c for c in schema.required if c not in names]
    if not missing:
        return
    found = {o: n for o, n in guesses(schema, names, sample).items() if _can_be_typed(n)}
    if are_values(names, schema, sample):
        raise DataError(
            f"{where}: there are values ({_some(names)}) where the names of columns are to be; put "
            f"names above them, such as {', '.join(schema.required)}"
        )
    if "item_id" in missing and "item_id" not in found and is_matrix(names, schema, sample):
        raise DataError(
            f"{where}: there is a column for each item ({_some(names)}); write a row for each "
            f"interaction, as melt does ({', '.join(schema.required)} are needed)"
        )
    if missing[0] in found:
        mend = f"rename {quote(found[missing[0]])}, which looks like it, or say {options(found)}"
    else:
        one = (
            ", with one word in all rows if there is one domain," if missing[0] == "domain" else ","
        )
        mend = f"add it{one} or say which it is by --map {missing[0]}=NAME"
    raise DataError(
        f"{where}: there is no column '{missing[0]}' among {_some(names)}; {mend}"
        f" ({', '.join(schema.required)} are needed)"
    )


def repeated(names: Iterable[str]) -> str | None:
    """The first name that was there before, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _can_be_typed(name: str) -> bool:
    return len(name) <= _TYPED and name.isprintable()


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(quote(n) for n in names[:8])
    return shown + (", ..." if len(names) > 8 else "")
