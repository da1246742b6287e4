"""Separated text (csv, tsv, RecBole's atomic files) to a table.

The fast path is pyarrow's parser, which knows no lines. Only when it refuses, or a later check
does, is the text read again by Python's csv module, which counts them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pacsv

from micrec_core.data.schema import MAX_TEXT, Schema, quote
from micrec_core.data.sources import line_at
from micrec_core.data.tables import Table, check_header
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
    line, header = _header(data, name, delimiter, quoted)
    where = f"{name}, line {line}"
    _check_separator(where, header, delimiter)
    names = rename(where, header) if rename else header
    check_header(where, names, schema)
    wanted = {n: h for n, h in zip(names, header, strict=True) if n in schema.columns}
    if quoted and b'"' in data:
        # pyarrow takes a quote that is never closed, or closed mid-field, for a very long field.
        _diagnose(data, name, len(header), delimiter, quoted)
    try:
        parsed = pacsv.read_csv(
            pa.BufferReader(data),
            read_options=pacsv.ReadOptions(block_size=_block_size(data)),
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
        _diagnose(data, name, len(header), delimiter, quoted)
        reason = str(error).splitlines()[0]
        raise DataError(f"{name} cannot be parsed ({reason}); save it again") from error
    columns = {n: parsed.column(h).combine_chunks() for n, h in wanted.items()}
    if parsed.num_rows == 0:
        raise DataError(f"{name}, line {line}: there is a header but no row below it; add rows")

    def place(row: int) -> str:
        return f"{name}, line {_line_of(data, name, row, delimiter, quoted)}"

    unused = tuple(n for n in names if n not in schema.columns)
    return Table(name, columns, parsed.num_rows, unused, place)


def _block_size(data: bytes) -> int:
    # A record must fit in a block; small blocks are what lets pyarrow work in parallel.
    return max(1 << 20, min(len(data), 1 << 24))


def _records(
    data: bytes, name: str, delimiter: str, quoted: bool, *, strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """(line the record starts on, fields) of every record that is not blank."""
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="replace", newline="")
    reader = csv.reader(
        text,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=strict,
    )
    last = 0
    try:
        for fields in reader:
            if fields:
                yield last + 1, fields
            last = reader.line_num
    except csv.Error as error:
        where = f"{name}, line {last + 1}"
        if "field larger" in str(error):
            raise DataError(f"{where}: {_too_long()}") from error
        if "unexpected end" in str(error):
            problem = "a double quote opens here and is never closed; close it"
        elif "expected after" in str(error):
            problem = "there is text after a closing double quote; double the quotes inside a field"
        else:
            problem = f"the line cannot be parsed ({error}); write it anew"
        raise DataError(f"{where}: {problem}") from error


def _too_long() -> str:
    return f"a field is longer than {MAX_TEXT:,} characters; shorten it or close its quote"


def _header(data: bytes, name: str, delimiter: str, quoted: bool) -> tuple[int, list[str]]:
    for line, fields in _records(data, name, delimiter, quoted):
        return line, fields
    raise DataError(f"{name} is empty; write a header and rows into it")


def _check_separator(where: str, header: Sequence[str], delimiter: str) -> None:
    if len(header) > 1:
        return
    found = [s for s in _SEPARATORS if s != delimiter and s in header[0]]
    if found:
        raise DataError(
            f"{where}: the columns are separated by {_SEPARATORS[found[0]]}; "
            f"separate them by {_SEPARATORS[delimiter]}"
        )


def _diagnose(data: bytes, name: str, width: int, delimiter: str, quoted: bool) -> None:
    """Read the text slowly and refuse the first line that is wrong; return if none is."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, line {line_at(data, error.start)}: the text is not UTF-8; save it as UTF-8"
        ) from error
    for line, fields in _records(data, name, delimiter, quoted, strict=True):
        if len(fields) != width:
            mend = "put a field that holds the separator in double quotes" if quoted else "mend it"
            raise DataError(
                f"{name}, line {line}: there are {len(fields)} fields where the header has "
                f"{width}; {mend}"
            )


def _line_of(data: bytes, name: str, row: int, delimiter: str, quoted: bool) -> int:
    for k, (line, _) in enumerate(_records(data, name, delimiter, quoted)):
        if k == row + 1:  # the header is record 0
            return line
    raise DataError(f"{name}: row {row + 1} has no line; the file changed while it was read")


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
