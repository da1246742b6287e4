"""Separated text (csv, tsv, RecBole's atomic files) to a table.

The fast path is pyarrow's parser, which knows no lines. Only when it refuses, or a later check
does, is the text read again by Python's csv module, which counts them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pacsv

from micrec_core.data.schema import MAX_TEXT, Schema, quote
from micrec_core.data.sources import line_at
from micrec_core.data.text_table import Table, check_header
from micrec_core.errors import DataError

_ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")
_ATOMIC_TITLES = ("item_title", "movie_title", "item_name", "name")
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}


def read_delimited(
    data: bytes,
    name: str,
    schema: Schema,
    delimiter: str,
    *,
    quoted: bool = True,
    rename: Callable[[str, Sequence[str]], list[str]] | None = None,
) -> Table:
    """Parse separated text.

    Parameters
    ----------
    data : the whole file
    name : the file's name, for messages
    schema : the columns looked for; others are left out and listed in ``Table.unused``
    delimiter : one character
    quoted : whether double quotes enclose fields (RFC 4180)
    rename : (place, header) -> column names, for headers that carry types

    Raises
    ------
    DataError
        Names the line and what is wrong on it.
    """
    text = _Text(data, name, delimiter, quoted)
    line, header = text.header()
    where = f"{name}, line {line}"
    _check_separator(where, header, delimiter)
    names = rename(where, header) if rename else header
    check_header(where, names, schema)
    wanted = {n: h for n, h in zip(names, header, strict=True) if n in schema.columns}
    if quoted and b'"' in data:
        # pyarrow takes a quote that is never closed, or closed mid-field, for a very long field.
        text.diagnose(len(header))
    try:
        parsed = pacsv.read_csv(
            pa.BufferReader(data),
            # A record must fit in a block; small blocks are what lets pyarrow work in parallel.
            read_options=pacsv.ReadOptions(block_size=max(1 << 20, min(len(data), 1 << 24))),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted and b'"' in data,
            ),
            convert_options=pacsv.ConvertOptions(
                include_columns=list(wanted.values()),
                column_types={h: pa.large_string() for h in wanted.values()},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowException as error:
        text.diagnose(len(header))
        reason = str(error).splitlines()[0]
        raise DataError(f"{name} cannot be parsed ({reason}); save it again") from error
    columns = {n: parsed.column(h).combine_chunks() for n, h in wanted.items()}
    if parsed.num_rows == 0:
        raise DataError(f"{where}: there is a header but no row below it; add rows")
    return Table(name, columns, parsed.num_rows, schema.unused(names), text.place)


@dataclass(frozen=True)
class _Text:
    """A file as ``read_delimited`` takes it, read by lines."""

    data: bytes
    name: str
    delimiter: str
    quoted: bool

    def records(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(line the record starts on, fields) of every record that is not blank."""
        text = io.TextIOWrapper(io.BytesIO(self.data), "utf-8", errors="replace", newline="")
        reader = csv.reader(
            text,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            strict=strict,
        )
        last = 0
        try:
            for fields in reader:
                if fields:
                    yield last + 1, fields
                last = reader.line_num
        except csv.Error as error:
            raise DataError(f"{self.name}, line {last + 1}: {_problem(str(error))}") from error

    def header(self) -> tuple[int, list[str]]:
        """The first record."""
        for line, fields in self.records():
            return line, fields
        raise DataError(f"{self.name} is empty; write a header and rows into it")

    def diagnose(self, width: int) -> None:
        """Read the text slowly and refuse the first line that is wrong; return if none is."""
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = line_at(self.data, error.start)
            raise DataError(
                f"{self.name}, line {line}: the text is not UTF-8; save it as UTF-8"
            ) from error
        quote_it = "put a field that holds the separator in double quotes"
        for line, fields in self.records(strict=True):
            if len(fields) != width:
                raise DataError(
                    f"{self.name}, line {line}: there are {len(fields)} fields where the header "
                    f"has {width}; {quote_it if self.quoted else 'mend it'}"
                )

    def place(self, row: int) -> str:
        """The line of a row."""
        for k, (line, _) in enumerate(self.records()):
            if k == row + 1:  # the header is record 0
                return f"{self.name}, line {line}"
        raise DataError(
            f"{self.name}: row {row + 1} has no line; the file changed while it was read"
        )


def _problem(said: str) -> str:
    """What Python's csv module says of a line, and the mend."""
    if "field larger" in said:
        return f"a field is longer than {MAX_TEXT:,} characters; shorten it or close its quote"
    if "unexpected end" in said:
        return "a double quote opens here and is never closed; close it"
    if "expected after" in said:
        return "there is text after a closing double quote; double the quotes inside a field"
    return f"the line cannot be parsed ({said}); write it anew"


def _check_separator(where: str, header: Sequence[str], delimiter: str) -> None:
    if len(header) > 1:
        return
    found = [s for s in _SEPARATORS if s != delimiter and s in header[0]]
    if found:
        raise DataError(
            f"{where}: the columns are separated by {_SEPARATORS[found[0]]}; "
            f"separate them by {_SEPARATORS[delimiter]}"
        )


def atomic_names(where: str, header: Sequence[str]) -> list[str]:
    """``user_id``, ... of RecBole's ``user_id:token``, ...; its usual words for a title are taken.

    Raises
    ------
    DataError
        A field has no type, or one that RecBole does not know.
    """
    names = []
    for field in header:
        name, colon, kind = field.rpartition(":")
        if not colon or kind not in _ATOMIC_TYPES:
            raise DataError(
                f"{where}: the column {quote(field)} has no type; "
                f"write NAME:TYPE with a type out of {', '.join(_ATOMIC_TYPES)}"
            )
        names.append(name)
    if "title" not in names:
        found = next((n for n in names if n in _ATOMIC_TITLES), None)
        names = ["title" if n == found else n for n in names]
    return names
