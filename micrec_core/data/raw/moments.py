"""Times of raw files, as seconds since 1970 or whatever unit a number is of."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache

from micrec_core.data.raw.lines import BadLine
from micrec_core.data.schema import quote

# Beside ISO 8601: Goodreads ("Sun Jul 30 07:44:10 -0700 2017"), MIND ("11/11/2019 9:05:58 AM").
_PATTERNS = ("%a %b %d %H:%M:%S %z %Y", "%m/%d/%Y %I:%M:%S %p")


def moment(text: str, column: str) -> float:
    """A number as it is; a date as seconds since 1970, in UTC where it names no zone.

    Raises
    ------
    BadLine
        It is neither.
    """
    try:
        value = float(text)
    except ValueError:
        value = _date(text)
    if not math.isfinite(value):
        raise BadLine(f"{column} is {quote(text)}; write seconds since 1970 or a date")
    return value


@lru_cache(maxsize=1 << 16)
def _date(text: str) -> float:
    plain = text.strip().removesuffix(" UTC").removesuffix(" GMT")
    found = None
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        for pattern in _PATTERNS:
            try:
                found = datetime.strptime(plain, pattern)
                break
            except ValueError:
                continue
    if found is None:
        return math.nan
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def number(text: str, column: str, decimal: str = ".") -> float:
    """A finite number; BadLine otherwise."""
    try:
        value = float(text if decimal == "." else text.replace(decimal, "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        comma = "," in text and decimal == "."
        mend = ", or say --decimal , if that is its mark" if comma else ""
        raise BadLine(f"{column} is {quote(text)}; write a finite number{mend}")
    return value
