"""Which columns a table has, how long a field may be, and how a value is quoted in a message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Python's own csv module stops at this length, and no catalogue text comes near it.
MAX_TEXT = 131_072
MAX_ID = 512
MAX_DOMAIN = 64
MAX_TITLE = 10_000
MAX_PATH = 1_024
# Unpacked; a table beyond this is a decompression bomb or a job for `prepare`.
MAX_TABLE_BYTES = 8 << 30
# As many as a spreadsheet can have.
MAX_COLUMNS = 16_384
# Between the values of a column that holds several, and between the levels of a path.
LIST_MARK = "|"
PATH_MARK = " > "
# What is told of a pair of domains is told of each pair.
MAX_DOMAINS = 100


@dataclass(frozen=True)
class Schema:
    """Columns of one kind of table.

    Attributes
    ----------
    stem : the file name without its suffix
    coded : columns that may be kept as codes into their distinct values, where there are too many
        rows to keep a text for each
    further : how many columns of other names are kept beside them, as text
    """

    stem: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    coded: tuple[str, ...] = ()
    further: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return self.required + self.optional

    def unused(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that are none of its columns."""
        return tuple(name for name in names if name not in self.columns)

    def kept(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that are its columns, and the first further ones that have a name."""
        given = list(names)
        others = [name for name in self.unused(given) if name.strip()]
        return (*(c for c in self.columns if c in given), *others[: self.further])


INTERACTIONS = Schema(
    "interactions",
    ("user_id", "item_id", "domain"),
    ("timestamp", "rating", "position", "split"),
    coded=("user_id", "item_id", "domain", "split"),
)
ITEMS = Schema("items", ("item_id", "domain", "title"), ("description", "image"), further=64)
RELATIONS = Schema("relations", ("head", "relation", "tail"), ())


def quote(value: object, limit: int = 40) -> str:
    """A value for a message: one line, printable, shortened, in single quotes."""
    text = str(value)
    shown = text[:limit] + ("…" if len(text) > limit else "")
    return (
        "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    ) + "'"


def listed(values: Iterable[object], total: int, limit: int = 5) -> str:
    """The first ``limit`` values for a message, and a dash of "..." where there are more."""
    shown = [quote(v) for _, v in zip(range(limit), values, strict=False)]
    return ", ".join(shown) + (", ..." if total > len(shown) else "")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that ``word`` was probably meant to be."""
    lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(word.strip().lower(), list(lower), n=1, cutoff=0.7)
    return lower[found[0]] if found else None


def counted(n: int, word: str) -> str:
    """``1 row``, ``2 rows``, ``1,200 rows``."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
