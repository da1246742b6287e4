"""MIND: what people clicked among the news that they were shown.

Source: Wu et al. (2020), "MIND: a large-scale dataset for news recommendation". No file has a
header; ``behaviors.tsv`` has an impression's number, the user, the time, the user's history and the
news shown, ``N1-1`` where it was clicked; ``news.tsv`` has the news' id, category, subcategory,
title and abstract first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from micrec_core.data.raw import texts
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines, decoded
from micrec_core.data.raw.moments import moment

label = "MIND"


def interactions(lines: Lines) -> Callable[[bytes], list[Interaction]]:
    """What turns an impression into (user id, item id, nothing, time) of each click; the history,
    of which no time is known, is clicked no later than the impression.
    """

    def parse(line: bytes) -> list[Interaction]:
        fields = _fields(line, 5, "impression, user, time, history and news shown")
        time = moment(fields[2], "the time")
        shown = [word.rpartition("-") for word in fields[4].split()]
        if any(mark not in ("0", "1") for _, _, mark in shown):
            raise BadLine("the news shown do not end in -0 or -1; give behaviors with clicks")
        clicked = [*fields[3].split(), *(news for news, _, mark in shown if mark == "1")]
        return [(fields[1], news, math.nan, time) for news in dict.fromkeys(clicked)]

    return parse


def items(lines: Lines) -> Callable[[bytes], Item]:
    """What turns a line into (item id, title, abstract, path of category and subcategory)."""
    lines.further = ("category",)

    def parse(line: bytes) -> Item:
        fields = _fields(line, 5, "id, category, subcategory, title and abstract")
        path = texts.value("category", fields[1:3])
        return fields[0], texts.title(fields[3]), texts.description(fields[4]), path

    return parse


def _fields(line: bytes, width: int, what: str) -> list[str]:
    fields = decoded(line).rstrip("\r\n").split("\t")
    if len(fields) < width:
        raise BadLine(
            f"there are {len(fields)} fields where {what} are to be; separate them by tabs"
        )
    return fields
