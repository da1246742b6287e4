"""A quick reader held to the thorough one that it steps aside for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from micrec_core.data import gathered
from micrec_core.data.arrow_columns import NUMERIC
from micrec_core.data.budget import Budget
from micrec_core.data.text_table import Table


def both_read(
    quickly: Callable[[Budget], Table | None], thoroughly: Callable[[], Table]
) -> tuple[Table, Table] | None:
    """What both read, the same; None where the quick one stepped aside, and spent nothing."""
    budget = Budget()
    quick = quickly(budget)
    assert quick is not None or budget.left == budget.most
    if quick is None:
        return None
    strict = thoroughly()
    assert said(quick) == said(strict)
    for what in ("n_rows", "unused", "notes", "decimal", "names"):
        assert getattr(quick, what) == getattr(strict, what), what
    return quick, strict


def in_small_pieces(patch: pytest.MonkeyPatch) -> None:
    """Have files come in pieces that end within lines, and within characters."""
    whole = gathered.pieces

    def small(*given: Any) -> Iterator[bytes]:
        return (p[k : k + 97] for p in whole(*given) for k in range(0, len(p), 97))

    patch.setattr(gathered, "pieces", small)


def said(table: Table) -> dict[str, list[object]]:
    """Columns as texts and numbers, whatever they are kept as."""
    out: dict[str, list[object]] = {}
    for name, column in table.columns.items():
        values = column.cast(pa.large_string()).to_pylist()
        out[name] = [_number(v) for v in values] if name in NUMERIC else values
    return out


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text
