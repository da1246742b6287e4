"""What long work tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable

# Told (what, done, of how many) now and then; 0 of 0 where nobody knows.
Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""
