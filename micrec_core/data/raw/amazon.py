"""Amazon Reviews of 2014, 2018 and 2023: a review or a product on each line.

Sources: the pages of the data, of McAuley et al. (2015), "Image-based recommendations on styles and
substitutes"; Ni et al. (2019), "Justifying recommendations using distantly-labeled reviews and
fine-grained aspects"; Hou et al. (2024), "Bridging language and items for retrieval and
recommendation".

    2023 reviews   user_id, parent_asin (asin is one variant of it), rating, timestamp (ms)
         products  parent_asin, title, description [texts], features [texts], images [...]
    2018 reviews   reviewerID, asin, overall, unixReviewTime (s)
         products  asin, title, description [texts], feature [texts], imageURLHighRes [...]
    2014 reviews   reviewerID, asin, overall, unixReviewTime (s)
         products  asin, title, description (text), imUrl; lines are Python literals, not JSON

Where the pictures are to be had is left out: nothing is downloaded.
"""

from __future__ import annotations

import ast
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from micrec_core.data.raw import texts
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines, decoded
from micrec_core.data.schema import listed, quote


@dataclass(frozen=True)
class Keys:
    """What a version of the data calls things; of two names the first that has a value counts.

    Attributes
    ----------
    literals : whether lines may be Python literals
    """

    label: str
    user: str
    reviewed: tuple[str, ...]
    rating: str
    time: str
    product: str
    descriptions: tuple[str, ...]
    literals: bool = False

    def interactions(self, lines: Lines) -> Callable[[bytes], Interaction]:
        """What turns a line of reviews into (user id, item id, rating, time)."""

        def parse(line: bytes) -> Interaction:
            record = self._record(line)
            return (
                self._id(record, "reviews", self.user),
                self._id(record, "reviews", *self.reviewed),
                self._number(record, self.rating),
                self._number(record, self.time),
            )

        return parse

    def items(self, lines: Lines) -> Callable[[bytes], Item]:
        """What turns a line of products into (item id, title, description)."""

        def parse(line: bytes) -> Item:
            record = self._record(line)
            if self.user in record:  # or a review's title would be taken for the product's
                raise BadLine(
                    f"the line has a {quote(self.user)}, as reviews have; "
                    f"give metadata of {self.label}"
                )
            return (
                self._id(record, "metadata", self.product),
                texts.title(record.get("title")),
                texts.description(*(record.get(key) for key in self.descriptions)),
            )

        return parse

    def _record(self, line: bytes) -> dict[str, Any]:
        text = decoded(line)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = _literal(text) if self.literals else None
        if not isinstance(value, dict):
            kind = "a JSON object or a Python dict" if self.literals else "a JSON object"
            raise BadLine(f"the line is not {kind}; write one on each line")
        return value

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

    def _missing(self, record: dict[str, Any], key: str, kind: str) -> BadLine:
        return BadLine(
            f"there is no {quote(key)} among {listed(record, len(record))}; "
            f"give {kind} of {self.label}"
        )


def _literal(text: str) -> Any:
    """The value of a Python literal, of which nothing is run; None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of a backslash before a slash
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


AMAZON_2023 = Keys(
    "Amazon Reviews 2023",
    user="user_id",
    reviewed=("parent_asin", "asin"),
    rating="rating",
    time="timestamp",
    product="parent_asin",
    descriptions=("description", "features"),
)
AMAZON_2018 = Keys(
    "Amazon Reviews 2018",
    user="reviewerID",
    reviewed=("asin",),
    rating="overall",
    time="unixReviewTime",
    product="asin",
    descriptions=("description", "feature"),
)
AMAZON_2014 = replace(
    AMAZON_2018, label="Amazon Reviews 2014", descriptions=("description",), literals=True
)
