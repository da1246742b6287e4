"""Tables that leave for a spreadsheet: what it would run as a formula is made text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# A spreadsheet skips a tab, a line break or an apostrophe before a formula; it knows wide signs.
_BEGIN = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def harmless(value: object) -> object:
    """``value`` with a ' before it if it is a text that begins as formulas do, and no number."""
    if not isinstance(value, str):
        return value
    # A bare carriage return is not quoted, and what follows it would begin a row of its own.
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if not value.startswith(_BEGIN):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all its texts ``harmless``, those of its header too."""
    texts = [k for k, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    out = table.copy(deep=False)
    for k in texts:
        out.isetitem(k, table.iloc[:, k].astype(object).map(harmless))
    return out.set_axis([harmless(name) for name in table.columns], axis=1)


def csv_text(table: pd.DataFrame, *, exact: bool = False) -> str:
    """The table as CSV without its index; ``exact`` leaves texts as they are, for programs."""
    return str((table if exact else without_formulas(table)).to_csv(index=False))


@dataclass(frozen=True)
class CsvFolder:
    """A folder that tables are written into as CSV; ``exact`` as ``csv_text`` takes it."""

    path: Path
    exact: bool = False

    def write(self, stem: str, table: pd.DataFrame) -> None:
        """Write ``STEM.csv``."""
        text = csv_text(table, exact=self.exact)
        (self.path / f"{stem}.csv").write_text(text, encoding="utf-8", newline="")
