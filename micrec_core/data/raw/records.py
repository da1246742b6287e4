"""Raw files with a record on each line: a JSON object, or the Python literal of some old data."""

from __future__ import annotations

import ast
import json
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from micrec_core.data.dialect import Dialect
from micrec_core.data.json_lines import object_on
from micrec_core.data.raw import texts
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines, decoded
from micrec_core.data.raw.moments import moment
from micrec_core.data.raw.separated import Separated
from micrec_core.data.schema import listed, quote


@dataclass(frozen=True)
class Keys:
    """What a version of the data calls things; of two names the first that has a value counts.

    Attributes
    ----------
    rating, time : empty where there is none
    literals : whether lines may be Python literals
    columns : name of a further column -> keys that it is read from
    ratings : the columns of the edition with ratings alone, which is csv, in their order where
        that has no header; empty where there is no such edition
    """

    label: str
    user: str
    reviewed: tuple[str, ...]
    rating: str
    time: str
    product: str
    descriptions: tuple[str, ...]
    literals: bool = False
    titles: tuple[str, ...] = ("title",)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ratings: tuple[str, ...] = ()

    def interactions(self, lines: Lines) -> Callable[[bytes], Interaction | list[Interaction]]:
        """What turns a line of reviews into (user id, item id, rating, time)."""
        if _are_columns(lines.peek(), len(self.ratings)):
            return Separated(self.label, reviews=self.ratings).interactions(lines)
        keys = self._mapped(lines.dialect)

        def parse(line: bytes) -> Interaction | list[Interaction]:
            record = keys._record(line)
            if record is None:
                return []
            return (
                keys._id(record, "reviews", keys.user),
                keys._id(record, "reviews", *keys.reviewed),
                keys._number(record, keys.rating) if keys.rating else math.nan,
                keys._time(record),
            )

        return parse

    def items(self, lines: Lines) -> Callable[[bytes], Item | list[Item]]:
        """What turns a line of products into (item id, title, description, further columns)."""
        if _are_columns(lines.peek()):
            return Separated(self.label).items(lines)
        keys = self._mapped(lines.dialect)
        lines.further = tuple(keys.columns)

        def parse(line: bytes) -> Item | list[Item]:
            record = keys._record(line)
            if record is None:
                return []
            if keys.user in record:  # or a review's title would be taken for the product's
                raise BadLine(
                    f"the line has a {quote(keys.user)}, as reviews have; "
                    f"give metadata of {keys.label}"
                )
            return (
                keys._id(record, "metadata", keys.product),
                next(filter(None, (texts.title(record.get(key)) for key in keys.titles)), ""),
                texts.description(*(record.get(key) for key in keys.descriptions)),
                *(
                    texts.value(column, *(record.get(name) for name in names))
                    for column, names in keys.columns.items()
                ),
            )

        return parse

    def _mapped(self, dialect: Dialect) -> Keys:
        """With the names that were given in the place of its own."""
        given = dialect.columns
        item = given.get("item_id", ())
        return replace(
            self,
            user=given.get("user_id", (self.user,))[0],
            reviewed=item or self.reviewed,
            product=item[-1] if item else self.product,
            rating=given.get("rating", (self.rating,))[0],
            time=given.get("timestamp", (self.time,))[0],
            titles=given.get("title", self.titles),
            descriptions=given.get("description", self.descriptions),
        )

    def _record(self, line: bytes) -> dict[str, Any] | None:
        """The record on a line; None of a line with a bracket of the array around all alone."""
        text = decoded(line)
        try:
            return object_on(text, _json_or_literal if self.literals else _json)
        except ValueError as error:
            kind = "a JSON object or a Python dict" if self.literals else "a JSON object"
            said = str(error) or f"the line is not {kind}; write one on each line"
        if not self.literals and isinstance(_literal(text), dict):
            said = (
                "the line is a Python dict, not JSON; write it as JSON, or read the file as "
                "amazon2014 if it is of that edition"
            )
        raise BadLine(said)

    def _id(self, record: dict[str, Any], kind: str, *keys: str) -> str:
        for key in keys:
            value = record.get(key)
            if type(value) is str and value:
                return value
            if type(value) is int:
                return str(value)
        if not any(key in record for key in keys):
            raise self._missing(record, keys[0], kind)
        found = quote(next(record[key] for key in keys if key in record))
        raise BadLine(f"{quote(keys[0])} is {found}; write an id as text")

    def _number(self, record: dict[str, Any], key: str) -> float:
        value = record.get(key)
        # Not isinstance: True is no rating.
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is int and abs(value) < 1 << 63:
            return float(value)
        if key not in record:
            raise self._missing(record, key, "reviews")
        raise BadLine(f"{quote(key)} is {quote(value)}; write a finite number")

    def _time(self, record: dict[str, Any]) -> float:
        value = record.get(self.time)
        if type(value) is str and value.strip():
            return moment(value, quote(self.time))
        return self._number(record, self.time)

    def _missing(self, record: dict[str, Any], key: str, kind: str) -> BadLine:
        return BadLine(
            f"there is no {quote(key)} among {listed(record, len(record))}; "
            f"give {kind} of {self.label}"
        )


def _are_columns(line: bytes, least: int = 3) -> bool:
    """Whether the first line is of columns and no record, as of the edition with ratings alone."""
    return not {*b"{["} & {*line} and line.count(b",") + 1 >= max(least, 3)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json_or_literal(text: str) -> Any:
    value = _json(text)
    return _literal(text) if value is None else value


def _literal(text: str) -> Any:
    """The value of a Python literal, of which nothing is run; None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of a backslash before a slash
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
