"""How the tables of a dataset are written where that is not as this project writes them.

``dataset.toml`` holds it, so that all who read the dataset read it alike:

    [tables]
    separator = ";"
    encoding = "cp1252"
    decimal = ","
    [tables.columns]
    user_id = "uid"
    item_id = ["asin", "parent_asin"]   # whichever a table has
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from micrec_core.data.schema import INTERACTIONS, ITEMS, RELATIONS, Schema, listed, nearest, quote
from micrec_core.data.vocabulary import RECBOLE_FIELDS
from micrec_core.errors import ConfigError, DataError

COLUMNS = tuple(dict.fromkeys((*INTERACTIONS.columns, *ITEMS.columns, *RELATIONS.columns)))
# Separators by the names that options have for them.
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": " "}
_NAMED = {**SEPARATORS, "\\t": "\t"}


def separator_name(mark: str) -> str:
    """What the option ``--separator`` calls a mark; the mark itself where it has no name."""
    return next((name for name, known in SEPARATORS.items() if known == mark), mark)


@dataclass(frozen=True)
class Dialect:
    """Names of columns and marks of separated text, each with its usual value as default.

    Attributes
    ----------
    columns : ours -> theirs, any of which a table may have
    separator : one character; empty for what the file's name says
    encoding : of text; empty for UTF-8
    decimal : ``.`` or ``,``; empty for a point, and a comma where fields end in semicolons

    Raises
    ------
    ConfigError
        A name, an encoding or a mark is not known.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    separator: str = ""
    encoding: str = ""
    decimal: str = ""

    def __post_init__(self) -> None:
        for ours in self.columns:
            if ours not in COLUMNS:
                close = nearest(ours, COLUMNS)
                mend = f"write {close}" if close else f"use {', '.join(COLUMNS)}"
                raise ConfigError(f"there is no column {quote(ours)} to map to; {mend}")
        if len(self.separator) > 1 or self.separator in ('"', "\n", "\r"):
            raise ConfigError(
                f"the separator is {quote(self.separator)}; give one character or "
                f"{', '.join(SEPARATORS)}"
            )
        if self.decimal not in ("", ".", ","):
            raise ConfigError(f"the decimal mark is {quote(self.decimal)}; give . or ,")
        try:
            codecs.lookup(self.encoding or "utf-8")
        except (LookupError, ValueError):
            raise ConfigError(
                f"there is no encoding {quote(self.encoding)}; give one such as cp1252 or utf-16"
            ) from None

    def __bool__(self) -> bool:
        return bool(self.columns or self.separator or self.encoding or self.decimal)

    @staticmethod
    def of(
        columns: Sequence[str] = (), separator: str = "", encoding: str = "", decimal: str = ""
    ) -> Dialect:
        """From words as they are typed: ``OURS=THEIRS``, RecBole's names of fields for ours too.

        Raises
        ------
        ConfigError
            A word is not of that form, or names nothing known.
        """
        found: dict[str, tuple[str, ...]] = {}
        for word in columns:
            ours, equals, theirs = word.partition("=")
            if not equals or not ours.strip() or not theirs.strip():
                raise ConfigError(
                    f"{quote(word)} is not of the form OURS=THEIRS; write --map user_id=uid"
                )
            ours = RECBOLE_FIELDS.get(ours.strip(), ours.strip())
            found[ours] = (*found.get(ours, ()), theirs.strip())
        return Dialect(found, _NAMED.get(separator, separator), encoding, decimal)

    def renamed(self, where: str, names: Sequence[str], schema: Schema) -> list[str]:
        """The names of a table's columns as we call them.

        Raises
        ------
        DataError
            A table has one of ours and what is to be called so.
        """
        out = list(names)
        for ours, theirs in self.columns.items():
            there = next((name for name in theirs if name in names), None)
            if there is None or ours not in schema.columns or there == ours:
                continue
            if ours in names:
                raise DataError(
                    f"{where}: there is a column {quote(ours)} beside {quote(there)}, which is to "
                    f"be read as it; leave --map {ours}={there} out or rename the first"
                )
            out[list(names).index(there)] = ours
        return out

    def refuse_unmatched(self, there: Collection[str]) -> None:
        """Refuse names that stand for nothing.

        Parameters
        ----------
        there : names of the columns of all tables, as they are in the files

        Raises
        ------
        DataError
            A name given is of no column of any table.
        """
        for ours, theirs in self.columns.items():
            for name in theirs:
                if name not in there:
                    close = nearest(name, sorted(there))
                    mend = f"write {quote(close)}" if close else "leave it out"
                    raise DataError(
                        f"--map {ours}={name}: no table has a column {quote(name)} (there are "
                        f"{listed(sorted(there), len(there), 12)}); {mend}"
                    )

    def told(self) -> dict[str, Any]:
        """What ``dataset.toml`` would say, without defaults."""
        marks = {"separator": self.separator, "encoding": self.encoding, "decimal": self.decimal}
        columns = {k: v[0] if len(v) == 1 else list(v) for k, v in self.columns.items()}
        return {k: v for k, v in marks.items() if v} | ({"columns": columns} if columns else {})


PLAIN = Dialect()
