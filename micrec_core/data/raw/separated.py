"""Raw files of separated columns: with a header, or without one where the order is known."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from micrec_core.data.delimited import (
    ABOVE,
    SEP_LINE,
    atomic_names,
    known_names,
    lines_above,
    refuse_separator,
    understood,
)
from micrec_core.data.raw import texts
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines, decoded
from micrec_core.data.raw.moments import moment, number
from micrec_core.data.schema import ITEMS, LIST_MARK, Schema, quote
from micrec_core.data.text_table import check_header
from micrec_core.data.vocabulary import synonym

_INTER = Schema("interactions", ("user_id", "item_id"), ("rating", "timestamp", "split"))
_ITEM = Schema("items", ("item_id", "title"), ("description",))
_ABSENT = math.nan
# How a column of a split is filled: MMRec numbers the parts.
SPLITS = {"0": 0.0, "1": 1.0, "2": 2.0, "train": 0.0, "valid": 1.0, "val": 1.0, "test": 2.0}


@dataclass(frozen=True)
class Separated:
    """A format whose lines are columns.

    Attributes
    ----------
    separator : between columns, one character or several
    reviews, products : names of the columns of files without a header, ours where we use them;
        empty where there is a header
    named : ours -> what a header calls it, beside ours and what the vocabulary knows
    also : columns kept as they are though they are read as one of ours too
    typed : whether headers must carry RecBole's types; where not, they may
    quoted : whether double quotes enclose fields
    """

    label: str
    separator: str = ","
    reviews: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    typed: bool = False
    quoted: bool = True
    also: tuple[str, ...] = ()

    def interactions(self, lines: Lines) -> Callable[[bytes], Interaction]:
        """What turns a line into (user id, item id, rating, time) and perhaps the split."""
        split, names = self._columns(lines, _INTER, self.reviews)
        user, item = names.index("user_id"), names.index("item_id")
        rating, time, part = (_place(names, c) for c in ("rating", "timestamp", "split"))
        decimal = lines.dialect.decimal or ("," if self._separator(lines) == ";" else ".")

        def parse(line: bytes) -> Interaction:
            fields = split(line)
            found = (
                fields[user],
                fields[item],
                number(fields[rating], "rating", decimal) if rating >= 0 else _ABSENT,
                moment(fields[time], "timestamp") if time >= 0 else _ABSENT,
            )
            return found if part < 0 else (*found, _part(fields[part]))

        return parse

    def items(self, lines: Lines) -> Callable[[bytes], Item]:
        """What turns a line into (item id, title, description, further columns)."""
        split, names = self._columns(lines, _ITEM, self.products)
        kept = self._further(lines, names)
        lines.further = tuple(kept)
        item, title = names.index("item_id"), names.index("title")
        about = _place(names, "description")

        def parse(line: bytes) -> Item:
            fields = split(line)
            said = fields[about] if about >= 0 else ""
            return (
                fields[item],
                texts.title(fields[title]),
                texts.description(said),
                *(texts.value("", fields[place].split(mark)) for place, mark in kept.values()),
            )

        return parse

    def _further(self, lines: Lines, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Name of a further column -> its place, and what is between its values."""
        out = {}
        for place, (ours, theirs) in enumerate(zip(names, lines.header, strict=True)):
            seq = theirs in lines.sequences
            if (ours not in ITEMS.columns or theirs in self.also) and theirs not in ITEMS.columns:
                out[theirs] = (place, " " if seq else LIST_MARK)
        return dict(islice(out.items(), ITEMS.further))

    def _columns(
        self, lines: Lines, schema: Schema, known: Sequence[str]
    ) -> tuple[Callable[[bytes], list[str]], list[str]]:
        """What splits a line, and the names of its columns as ours."""
        separator = self._separator(lines)
        if known and not _is_header(lines.peek(), separator, known):
            lines.header = tuple(known)
            names = self._ours(lines.dialect.renamed(lines.name, known, schema), schema)
            return self._splitter(lines, separator, len(names)), names
        first = next(iter(lines))
        where = f"{lines.name}, line {lines.number}"
        try:
            header = [name.strip() for name in self._splitter(lines, separator, 0)(first)]
        except BadLine as error:
            raise lines.refuse(str(error)) from error
        if len(header) == 1:
            self._refuse_lines_above(lines, where, header[0], separator, schema)
        refuse_separator(where, header, separator)
        if self.typed or any(":token" in name for name in header):
            lines.sequences = {
                name.partition(":")[0] for name in header if name.endswith(":token_seq")
            }
            header = atomic_names(where, header)
        lines.header = tuple(header)
        names = self._ours(lines.dialect.renamed(where, header, schema), schema)
        names = understood(names, schema)
        for ours in schema.optional:
            meant = None if ours in names else synonym(ours, schema.unused(names))
            if meant is not None:
                names[names.index(meant)] = ours
        split = self._splitter(lines, separator, len(names))

        def sample() -> dict[str, list[str]]:
            rows = [split(line) for line in islice(lines, 200)]
            return {name: [row[k] for row in rows] for k, name in enumerate(names)}

        check_header(where, names, schema, sample)
        return split, names

    def _refuse_lines_above(
        self, lines: Lines, where: str, first: str, separator: str, schema: Schema
    ) -> None:
        """Refuse a comment or a title above the names of the columns; takes lines."""
        for line in islice(lines, ABOVE):
            fields = line.decode("utf-8", errors="replace").strip().split(separator)
            if known_names(fields, schema) > 1:
                raise lines_above(where, first, lines.number)

    def _separator(self, lines: Lines) -> str:
        """Between columns: as was said, or the semicolons that Excel writes where a comma is the
        decimal mark.
        """
        if lines.dialect.separator or self.separator != "," or not self.quoted:
            return lines.dialect.separator or self.separator
        if not lines.separator:
            if said := SEP_LINE.match(lines.peek()):
                next(iter(lines))
            first = lines.peek()
            excel = b"," not in first and b";" in first
            lines.separator = said[1].decode("latin-1") if said else ";" if excel else ","
        return lines.separator

    def _ours(self, names: list[str], schema: Schema) -> list[str]:
        for ours, theirs in self.named.items():
            if ours in schema.columns and ours not in names and theirs in names:
                names[names.index(theirs)] = ours
        return names

    def _splitter(self, lines: Lines, separator: str, width: int) -> Callable[[bytes], list[str]]:
        """Fields of a line; with ``width`` 0, however many."""

        def split(line: bytes) -> list[str]:
            if self.quoted and b'"' in line and len(separator) == 1:
                while line.count(b'"') % 2:  # a field goes on over the end of the line
                    more = next(iter(lines), None)
                    if more is None:
                        raise BadLine("a double quote opens here and is never closed; close it")
                    line += more
                fields = next(csv.reader([decoded(line)], delimiter=separator), [])
            else:
                fields = decoded(line).rstrip("\r\n").split(separator)
            if width and len(fields) != width:
                raise BadLine(
                    f"there are {len(fields)} fields where {'the header' if width else 'it'} has "
                    f"{width}; separate them by {_SPOKEN.get(separator, quote(separator))}"
                )
            return fields

        return split


_SPOKEN = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def _place(names: Sequence[str], column: str) -> int:
    return names.index(column) if column in names else -1


def _is_header(line: bytes, separator: str, known: Sequence[str]) -> bool:
    """Whether a first line names columns, where the files may have no header: it tells of users or
    items and holds no number where ratings and times are.
    """
    fields = line.decode("utf-8", "replace").rstrip("\r\n").split(separator)
    found = understood(
        fields, Schema("", tuple(c for c in ("user_id", "item_id") if c in known), ())
    )
    return bool({"user_id", "item_id"} & set(found))


def _part(text: str) -> float:
    try:
        return SPLITS[text.strip().lower().removesuffix(".0")]
    except KeyError:
        raise BadLine(f"the split is {quote(text)}; write 0, 1, 2 or train, valid, test") from None
