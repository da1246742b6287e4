"""How much JSON may hold once it is unpacked: a few bytes may be a lot of memory."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MOST_BYTES = 64 * 2**20
# What is read of every run wherever runs are listed: run.json and manifest.json.
MOST_LISTED = 2**20
# Each value costs some tens of bytes, however short it is written.
MOST_VALUES = 5_000_000
MOST_DEPTH = 32


def parse_json(content: bytes) -> Any:
    """The value of a JSON text within the limits.

    Raises
    ------
    ValueError, RecursionError
        It is no JSON (NaN and infinity are none), or holds more or is nested deeper than it may.
    """
    if sum(map(content.count, (b",", b":", b"[", b"{"))) > MOST_VALUES:
        raise ValueError("too many values")
    value = json.loads(content, parse_constant=_no_number)
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return value
    raise ValueError("nested too deeply")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
