"""Separated text (csv, tsv, RecBole's atomic files) to a table.

The fast path is pyarrow's parser, which knows no lines. Only when it refuses, or a later check
does, is the text read again by Python's csv module, which counts them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from micrec_core.data.dialect import PLAIN, Dialect, separator_name
from micrec_core.data.schema import LIST_MARK, MAX_TEXT, Schema, counted, quote
from micrec_core.data.sources import ATOMIC, BOM, NOT_UTF8, arrow_bytes, delimiter_of, line_at
from micrec_core.data.text_table import MANY, RowError, Table, check_header
from micrec_core.data.vocabulary import synonym
from micrec_core.errors import DataError

_ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
# What Excel writes above the header where the separator is not the one of the country.
SEP_LINE = re.compile(rb"sep=(.)\r?\n")
_SAMPLE = 200
# Of so many records one may be the names of columns, below comments or a title.
ABOVE = 20
# Bytes that are looked through at once.
_PIECE = 1 << 22


def read_delimited(
    data: bytes,
    name: str,
    schema: Schema,
    delimiter: str,
    *,
    quoted: bool = True,
    atomic: bool = False,
    dialect: Dialect = PLAIN,
) -> Table:
    """Parse separated text.

    Parameters
    ----------
    data : the whole file
    name : the file's name, for messages
    schema : the columns looked for; others are left out and listed in ``Table.unused``
    delimiter : one character, as the file's name says; where the header shows that Excel wrote
        semicolons, those
    quoted : whether double quotes enclose fields (RFC 4180)
    atomic : whether the header carries RecBole's types
    dialect : names of columns, and a separator in the place of ``delimiter``

    Raises
    ------
    DataError
        Names the line and what is wrong on it.
    """
    text, notes = text_of(data, name, delimiter, quoted=quoted, dialect=dialect)
    data, delimiter = text.data, text.delimiter
    line, header = text.header()
    where = f"{name}, line {line}"
    theirs = [field.strip() for field in header]
    if not atomic and {*schema.required} - {*dialect.renamed(where, theirs, schema)}:
        text.refuse_lines_above(schema)
    refuse_separator(where, header, delimiter)
    theirs = atomic_names(where, header) if atomic else theirs
    names = dialect.renamed(where, theirs, schema)
    names = understood(names, schema) if atomic else names
    check_header(where, names, schema, lambda: text.sample(names))
    kept = schema.kept(names)
    wanted = {n: h for n, h in zip(names, header, strict=True) if n in kept}
    several = quoted and b'"' in data and not plainly_quoted(data, delimiter)
    if several:
        # pyarrow takes a quote that is never closed, or closed mid-field, for a very long field.
        text.diagnose(len(header))
    try:
        parsed = _parsed(text, list(wanted.values()), several)
    except pa.ArrowException as error:
        text.diagnose(len(header))
        reason = str(error).splitlines()[0]
        raise DataError(f"{name} cannot be parsed ({reason}); save it again") from error
    n_rows, columns = parsed.num_rows, {}
    for n, h in wanted.items():  # each is let go once it is in one piece
        columns[n] = parsed.column(h).combine_chunks()
        parsed = parsed.drop_columns([h])
    if atomic:
        columns |= _lists({n: h for n, h in wanted.items() if n not in schema.columns}, columns)
    if n_rows == 0:
        raise DataError(f"{where}: there is a header but no row below it; add rows")
    decimal = dialect.decimal or ("," if delimiter == ";" else ".")
    return Table(
        name, columns, n_rows, schema.unused(names), text.place, tuple(notes), decimal,
        tuple(theirs),
    )  # fmt: skip


def _parsed(text: Text, columns: list[str], several: bool) -> pa.Table:
    """Some columns as texts; ``several``: whether a field may go over lines."""
    return pacsv.read_csv(
        pa.BufferReader(arrow_bytes(text.data)),
        # A record must fit in a block; small blocks are what lets pyarrow work in parallel.
        read_options=pacsv.ReadOptions(block_size=max(1 << 20, min(len(text.data), 1 << 24))),
        parse_options=pacsv.ParseOptions(
            delimiter=text.delimiter,
            quote_char='"' if text.quoted else False,
            newlines_in_values=several,
        ),
        convert_options=as_texts(columns, pa.large_string()),
    )


def as_texts(columns: list[str], kind: pa.DataType) -> pacsv.ConvertOptions:
    """Of all columns these alone, as texts of a kind, in which nothing stands for nothing."""
    return pacsv.ConvertOptions(
        include_columns=columns,
        column_types=dict.fromkeys(columns, kind),
        strings_can_be_null=False,
    )


def text_of(
    data: bytes, name: str, delimiter: str, *, quoted: bool = True, dialect: Dialect = PLAIN
) -> tuple[Text, list[str]]:
    """A file to be read by lines, as ``read_delimited`` takes it, and notes on how it is read."""
    data, delimiter, notes = _without_extras(data, name, dialect.separator or delimiter)
    text = Text(data, name, delimiter, quoted)
    if quoted and not dialect.separator and delimiter == "," and len(text.header()[1]) == 1:
        text, more = _as_excel(text)
        notes += more
    return text, notes


def text_at(data: bytes, path: Path, dialect: Dialect) -> tuple[Text, bool]:
    """As ``text_of`` by what a file's name says, and whether it is one of RecBole's."""
    atomic = path.suffix in ATOMIC
    delimiter = "\t" if atomic else delimiter_of(path)
    text, _ = text_of(data, path.name, delimiter, quoted=not atomic, dialect=dialect)
    return text, atomic


def _lists(wanted: Mapping[str, str], columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """RecBole's sequences of words with bars between them; ``wanted``: ours -> the typed name."""
    several = [name for name, typed in wanted.items() if typed.endswith(":token_seq")]
    return {name: pc.replace_substring(columns[name], " ", LIST_MARK) for name in several}


def _without_extras(data: bytes, name: str, delimiter: str) -> tuple[bytes, str, list[str]]:
    """Without what Excel and joining files bring in, as empty lines, so that lines keep their
    numbers: ``sep=;``, byte order marks at the start of lines, and the header once more.
    """
    notes = []
    if said := SEP_LINE.match(data):
        delimiter, data = said[1].decode("latin-1"), b"\n" + data[said.end() :]
    if b"\n" + BOM in data:
        data = data.replace(b"\n" + BOM, b"\n")
    header = data.lstrip(b"\r\n").split(b"\n", 1)[0]
    again = b"\n" + header + b"\n"
    body = data.find(header) + len(header)
    if header.strip() and (n := data.count(again, body)):
        while again in data[body:]:
            data = data[:body] + data[body:].replace(again, b"\n\n")
        notes.append(f"Left out {counted(n, 'line')} of {name} that repeat its header.")
    return data, delimiter, notes


def _as_excel(text: Text) -> tuple[Text, list[str]]:
    """Separated by semicolons, where that gives several columns: what Excel calls csv in countries
    with a decimal comma.
    """
    other = replace(text, delimiter=";")
    if len(other.header()[1]) < 2:
        return text, []
    return other, [f"The columns of {text.name} are separated by semicolons."]


@dataclass(frozen=True)
class Text:
    """A file as ``read_delimited`` takes it, read by records of a line or more."""

    data: bytes
    name: str
    delimiter: str
    quoted: bool

    def records(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(line the record starts on, fields) of every record that is not blank."""
        for first, _, fields in self.spans(strict=strict):
            yield first, fields

    def spans(self, *, strict: bool = False) -> Iterator[tuple[int, int, list[str]]]:
        """(first line, last line, fields) of every record that is not blank."""
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
                    yield last + 1, reader.line_num, fields
                last = reader.line_num
        except csv.Error as error:
            raise DataError(f"{self.name}, line {last + 1}: {_problem(str(error))}") from error

    def sample(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Some values of each column."""
        rows = [fields for _, fields in islice(self.records(), 1, _SAMPLE)]
        return {n: [r[k] for r in rows if k < len(r)] for k, n in enumerate(names)}

    def header(self) -> tuple[int, list[str]]:
        """The first record."""
        for line, fields in self.records():
            return line, fields
        raise DataError(f"{self.name} is empty; write a header and rows into it")

    def refuse_lines_above(self, schema: Schema) -> None:
        """Refuse a comment or a title above the names of the columns.

        Raises
        ------
        DataError
            The first record names no column and one of the next does.
        """
        records = islice(self.records(), ABOVE)
        line, first = next(records, (0, []))
        if known_names(first, schema) < 2:
            for below, fields in records:
                if known_names(fields, schema) > 1:
                    said = self.delimiter.join(first)
                    raise lines_above(f"{self.name}, line {line}", said, below)

    def diagnose(self, width: int) -> None:
        """Read the text slowly and refuse the first line that is wrong; return if none is."""
        try:
            self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = line_at(self.data, error.start)
            raise DataError(f"{self.name}, line {line}: {NOT_UTF8}") from error
        crooked = self.crooked(width)
        if first := next(crooked, None):
            first.others = tuple(islice(crooked, MANY - 1))
            raise first

    def crooked(self, width: int) -> Iterator[RowError]:
        """What is wrong with each record that has not ``width`` fields."""
        for line, fields in self.records(strict=True):
            if len(fields) != width:
                yield RowError(
                    f"{self.name}, line {line}: there {'is' if len(fields) == 1 else 'are'} "
                    f"{counted(len(fields), 'field')} where the header has {width}; "
                    f"{self._straightened(fields, width)}",
                    line,
                )

    def _straightened(self, fields: Sequence[str], width: int) -> str:
        """How a record with too many fields, or too few, is mended."""
        if len(fields) == width + 1 and not fields[width]:
            return "take the separator from its end, or end the header with one too"
        if len(fields) == 1 and width > 2:
            return (
                "remove the line if it is no row, or write a separator for each field that is "
                "missing"
            )
        if len(fields) < width:
            return "write a separator for each field that is missing, though it be empty"
        if self.quoted:
            return "put a field that holds the separator in double quotes"
        return "take the separator out of the field that holds it"

    def rewritten(self, changes: Mapping[int, Sequence[str] | None]) -> bytes:
        """The file with some records written anew, or as empty lines; all others stay in place.

        Parameters
        ----------
        changes : first line of a record -> its fields, None for a record that goes
        """
        lines = self.data.splitlines(keepends=True)
        for first, last, _ in self.spans():
            if first in changes:
                fields = changes[first]
                lines[first - 1 : last] = [b"\n"] * (last - first + 1)
                lines[first - 1] = (self._written(fields) if fields else b"") + b"\n"
        return b"".join(lines)

    def _written(self, fields: Sequence[str]) -> bytes:
        if not self.quoted:
            return self.delimiter.join(fields).encode()
        out = io.StringIO()
        csv.writer(out, delimiter=self.delimiter, lineterminator="").writerow(fields)
        return out.getvalue().encode()

    def place(self, row: int) -> str:
        """The line of a row."""
        for k, (line, _) in enumerate(self.records()):
            if k == row + 1:  # the header is record 0
                return f"{self.name}, line {line}"
        raise DataError(
            f"{self.name}: row {row + 1} has no line; the file changed while it was read"
        )


def plainly_quoted(data: bytes, delimiter: str) -> bool:
    """Whether double quotes stand around whole fields of one line alone, none within a field: then
    no parser can take one for another.
    """
    ends = [*delimiter.encode(), *b"\r\n"]
    start = 0 if len(ends) == 3 else -1
    while 0 <= start < len(data):
        last = len(data) - start <= _PIECE
        stop = len(data) if last else data.rfind(b"\n", start, start + _PIECE) + 1
        if stop <= start or not _whole_fields(data[start:stop], ends):
            return False
        start = stop
    return start >= 0


def _whole_fields(lines: bytes, ends: Sequence[int]) -> bool:
    """``plainly_quoted`` of some lines; ``ends``: what may stand before and after a field."""
    text = np.frombuffer(b"\n" + lines + b"\n", np.uint8)
    marks = (text == ord('"')) | (text == ord("\n"))
    if b"\r" in lines:
        marks |= text == ord("\r")
    at = np.flatnonzero(marks)
    quotes = np.flatnonzero(text[at] == ord('"'))
    if len(quotes) % 2:
        return False
    opening, closing = at[quotes[::2]], at[quotes[1::2]]
    fits = np.zeros(256, bool)
    fits[ends] = True
    if not (fits[text[opening - 1]].all() and fits[text[closing + 1]].all()):
        return False
    return bool((quotes[1::2] == quotes[::2] + 1).all())  # no line ends between


def _problem(said: str) -> str:
    """What Python's csv module says of a line, and the mend."""
    if "field larger" in said:
        return f"a field is longer than {MAX_TEXT:,} characters; shorten it or close its quote"
    if "unexpected end" in said:
        return "a double quote opens here and is never closed; close it"
    if "expected after" in said:
        return "there is text after a closing double quote; double the quotes inside a field"
    return f"the line cannot be parsed ({said}); write it anew"


def refuse_separator(where: str, header: Sequence[str], delimiter: str) -> None:
    """Refuse a header that is one field, in which another separator stands.

    Raises
    ------
    DataError
        Names both separators.
    """
    if len(header) > 1:
        return
    if "::" in header[0]:
        raise DataError(
            f"{where}: the columns are separated by pairs of colons; separate them by "
            f"{_SEPARATORS.get(delimiter, quote(delimiter))}, or read such files by prepare "
            "movielens1m"
        )
    found = next((s for s in _SEPARATORS if s != delimiter and s in header[0]), None)
    if found is None and len(header[0].split()) > 1:
        found = " "
    if found:
        raise DataError(
            f"{where}: the columns are separated by {_SEPARATORS.get(found, 'spaces')}; separate "
            f"them by {_SEPARATORS.get(delimiter, quote(delimiter))}, or say --separator "
            f"{separator_name(found)}"
        )


def lines_above(where: str, said: str, below: int) -> DataError:
    """The error that names a line above the names of the columns, which are in line ``below``."""
    return DataError(
        f"{where}: there is {quote(said)} where the names of the columns are to be, which are in "
        f"line {below}; remove the lines above them"
    )


def known_names(fields: Sequence[str], schema: Schema) -> int:
    """How many of a table's required columns are named by fields, by our words or others'."""
    return sum(synonym(column, fields) is not None for column in schema.required)


def understood(names: Sequence[str], schema: Schema) -> list[str]:
    """The names of RecBole's fields, which a dataset may choose, as ours where we lack one."""
    out = list(names)
    for column in schema.required:
        if column not in out and (found := synonym(column, schema.unused(out))):
            out[out.index(found)] = column
    return out


def atomic_names(where: str, header: Sequence[str]) -> list[str]:
    """``user_id``, ... of RecBole's ``user_id:token``, ...

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
                f"write NAME:TYPE with a type out of {', '.join(_ATOMIC_TYPES)}, or read files "
                "of MMRec by prepare mmrec"
            )
        names.append(name)
    return names
