"""What long work tells whoever watches it, and how a notebook or a terminal draws that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

# Told (what, done, of how many) now and then; 0 of 0 where nobody knows.
Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


class Bars:
    """Progress by tqdm: a bar for what can be counted, a line for every other stage.

    Parameters
    ----------
    watched : draw in a terminal or a notebook alone, and nothing into a log
    """

    def __init__(self, stream: TextIO | None = None, *, watched: bool = False) -> None:
        self.stream = stream
        self._disable = None if watched else False  # what tqdm calls it
        self._stage = ""
        self._bar: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        from tqdm.auto import tqdm

        if what != self._stage:
            self.close()
            shape = "{desc}" if not total else None
            self._bar = tqdm(
                desc=what, total=total or None, file=self.stream, bar_format=shape,
                disable=self._disable,
            )  # fmt: skip
            self._stage = what
        if self._bar is not None and total:
            self._bar.n = done
            self._bar.refresh()

    def close(self) -> None:
        """End the bar that is being drawn."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
