"""Titles and descriptions as they stand in web shops, made plain."""

from __future__ import annotations

import html
import re
from typing import Any

from micrec_core.data.schema import LIST_MARK, PATH_MARK

# Characters. Encoders read far less of a title, and hardly more of a description.
TITLE_LIMIT = 500
DESCRIPTION_LIMIT = 2_000
# Before cleaning, so that a text of megabytes costs no more than its beginning.
_RAW_LIMIT = 8 * DESCRIPTION_LIMIT
# Of one value of a further column.
_VALUE_LIMIT = 200
_AMOUNT = re.compile(r"\d[\d,]*(?:\.\d+)?")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_HALF = re.compile("[\ud800-\udfff]")
# A product page's script that was taken for a title, in some thousands of lines of the 2018 files.
_SCRIPT = "getTime"


def title(value: Any) -> str:
    """A title on one line; an empty string where there is none or it is a page's script."""
    if not isinstance(value, str) or _SCRIPT in value:
        return ""
    return _cut(_plain(value[:_RAW_LIMIT]), TITLE_LIMIT)


def description(*values: Any) -> str:
    """The first of the values (a text, or a list of texts to be joined) that says something.

    HTML tags and entities are resolved, white space becomes single spaces, and the text is cut at
    ``DESCRIPTION_LIMIT`` characters.
    """
    for value in values:
        parts = value if isinstance(value, list | tuple) else [value]
        joined = " ".join(p[:_RAW_LIMIT] for p in parts[:1000] if isinstance(p, str))[:_RAW_LIMIT]
        if plain := _cut(_plain(joined, tags=True), DESCRIPTION_LIMIT):
            return plain
    return ""


def value(column: str, *values: Any) -> str:
    """The first of the values that says something, as ``items`` has it in a further column: lists
    with bars between their values, a ``category`` as a path or paths, a ``price`` as its number.
    """
    for said in values:
        if column == "price":
            found = _AMOUNT.search(str(said)) if said is not None and len(str(said)) < 40 else None
            plain = found[0].replace(",", "") if found else ""
        elif column == "category":
            plain = _paths(said)
        else:
            parts = said if isinstance(said, list | tuple) else [said]
            plain = LIST_MARK.join(filter(None, map(_value, parts[:100])))
        if plain:
            return plain[:DESCRIPTION_LIMIT]
    return ""


def _paths(said: Any) -> str:
    levels = said if isinstance(said, list | tuple) else [said]
    if any(isinstance(level, list | tuple) for level in levels):
        return LIST_MARK.join(filter(None, map(_paths, levels[:100])))
    return PATH_MARK.join(filter(None, map(_value, levels[:100])))


def _value(said: Any) -> str:
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return ""
    return _cut(_plain(str(said)[:_RAW_LIMIT], tags=True), _VALUE_LIMIT).replace(LIST_MARK, "/")


def whole_characters(text: str) -> str:
    """Halves of a surrogate pair joined; U+FFFD for a half that stands alone."""
    if _HALF.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(text: str, tags: bool = False) -> str:
    text = whole_characters(html.unescape(text) if "&" in text else text)
    if tags and "<" in text:
        text = _TAG.sub(" ", text)
    return _BLANK.sub(" ", text).strip()


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, ending with a whole word where words are of usual length."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    words = head if text[limit] == " " else head.rpartition(" ")[0]
    return words.rstrip() if len(words) > limit // 2 else head
