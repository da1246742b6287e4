"""The words that titles are told apart by: of letters, three at least."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{3,}")


def words_in(text: object) -> set[str]:
    """The words of a text, in small letters."""
    return set(_WORD.findall(str(text).lower()))
