"""Whether an answer of a model is a description: refusals and nonsense are told apart from it."""

from __future__ import annotations

import re
import zlib

from micrec_core.data.raw.texts import DESCRIPTION_LIMIT, description

SHORTEST = 20
_REFUSAL = re.compile(
    r"\b(i('| a)?m sorry|i (can('|no)t|cannot|am unable|am not able|do(n't| not) have)|as an ai"
    r"|as a language model|unable to (help|describe|determine)|not enough information"
    r"|no information|cannot (determine|be determined|assist|help)|please provide)\b",
    re.IGNORECASE,
)
# Headings, lists, fences and emphasis of Markdown; what they mark stays.
_MARKUP = re.compile(r"^\s{0,3}(#{1,6}|[-*+]|\d+[.)]|>)\s+|`{3}\w*|`|\*{1,3}|_{2,3}", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|https?://\S+")
_THOUGHT = re.compile(r"<think(ing)?>.*?(</think(ing)?>|$)", re.DOTALL | re.IGNORECASE)


def plain(answer: str) -> str:
    """An answer without markup, links and what a model thought aloud, on one line."""
    head = answer[: 8 * DESCRIPTION_LIMIT]
    return description(_MARKUP.sub("", _LINK.sub(r"\1", _THOUGHT.sub("", head)))).strip(" \"'")


def fault(answer: str, asked: str) -> str:
    """Why an answer is not taken for a description, in a few words; empty where it is.

    Parameters
    ----------
    answer : as ``plain`` leaves it
    asked : what the model was given of the item
    """
    if not answer:
        return "empty"
    if re.fullmatch(r"unknown\W*", answer, re.IGNORECASE):
        return "unknown to the model"
    # A description may mention any of these further on; a refusal begins with them.
    if _REFUSAL.search(answer.replace("\u2019", "'")[:160]):
        return "a refusal"
    if answer[0] in "=+-@":
        return "begins as a formula does"
    if len(answer) < SHORTEST:
        return "too short"
    if sum(c.isalpha() or c.isspace() for c in answer) < 0.7 * len(answer):
        return "hardly any words"
    if _repeats(answer):
        return "says the same again and again"
    if answer.casefold() in " ".join(asked.split()).casefold():
        return "only what it was given"
    return ""


def _repeats(text: str) -> bool:
    """Texts of people shrink to a half by zlib, those of a model that loops to a tenth."""
    data = text.encode("utf-8", "replace")
    return len(data) >= 200 and len(zlib.compress(data, 9)) < 0.25 * len(data)
