"""Lists and settings as they are typed: ``a,b``, ``0,1,2``, ``0.2,0.5``, ``KEY=VALUE``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from micrec_core.errors import ConfigError


def words(text: str) -> tuple[str, ...]:
    """The words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas; ConfigError otherwise."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise ConfigError(f"'{text}' is not a list of whole numbers such as 0,1,2") from None


def shares_of(text: str) -> tuple[float, ...]:
    """Numbers between commas, fractions too; ConfigError otherwise."""
    try:
        return tuple(float(word) for word in words(text))
    except ValueError:
        raise ConfigError(f"'{text}' is not a list of shares such as 0.2,0.5") from None


def sizes(text: str) -> int | tuple[int, int] | None:
    """One whole number, two, or None for nothing; ConfigError otherwise."""
    found = numbers(text)
    if len(found) > 2:
        raise ConfigError(f"--items takes one number or two, and '{text}' has {len(found)}")
    return None if not found else found[0] if len(found) == 1 else (found[0], found[1])


def named(word: str, form: str) -> tuple[str, str]:
    """Both sides of ``NAME=...``; ConfigError, which shows the form, otherwise."""
    name, equals, rest = word.partition("=")
    if not equals or not rest:
        raise ConfigError(f"'{word}' is not of the form {form}; write it so")
    return name, rest


def changes(given: Sequence[str] | None) -> list[tuple[str, Any]]:
    """Key and value of each ``KEY=VALUE``; ConfigError otherwise."""
    found = []
    for change in given or ():
        key, equals, text = change.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set takes KEY=VALUE, and '{change}' is not of that form")
        found.append((key.strip(), _value(text)))
    return found


def _value(text: str) -> Any:
    """A number, true, false or null as JSON has them; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
