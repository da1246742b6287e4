"""Attributes as features: one-hot values, levels of paths, and binned amounts.

Of each column an item's terms have length 1 together, so that no column outweighs another by its
number of values: a value is a term, a path one for each of its levels, the deeper the heavier, and
an amount lies between the two nearest of the column's quantiles and counts for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.further_columns import levels, number, parse
from micrec_core.data.schema import PATH_MARK
from micrec_core.errors import ConfigError
from micrec_core.modalities.base import State
from micrec_core.modalities.terms import Terms

_KNOTS = 8
# Between what somebody says by "3..8", as many amounts are taken for it.
_WITHIN = 9
_IS, _AROUND = "=", "~"


class Columns(Terms):
    """Attributes by the columns of the item table (``data.further_columns``)."""

    kind: ClassVar[str] = "columns"
    modality = "attributes"
    spec = "columns"

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, str] = {}
        self._knots: dict[str, list[float]] = {}

    @property
    def label(self) -> str:
        return f"columns of the item table ({', '.join(self._kinds) or 'none'})"

    @property
    def kinds(self) -> dict[str, str]:
        """Column -> what it holds."""
        return self._kinds

    @property
    def knots(self) -> dict[str, list[float]]:
        """Column of amounts -> its quantiles, ascending."""
        return self._knots

    def values(self, column: str) -> list[str]:
        """What can be said of a column: its values or paths."""
        head = f"{column}{_IS}"
        return [term.removeprefix(head) for term in self.terms if term.startswith(head)]

    def fit(self, inputs: Sequence[str | None]) -> Columns:
        """Learn the columns and what each holds, then as every encoder of terms."""
        said = [entry for text in inputs if text for entry in parse(text)]
        self._kinds = {column: kind for column, kind, _ in said}
        self._knots = {}
        for column in (c for c, kind in self._kinds.items() if kind == "number"):
            amounts = [number(value) for c, _, value in said if c == column]
            known = [amount for amount in amounts if amount is not None]
            quantiles = np.quantile(known or [0.0], np.linspace(0, 1, _KNOTS)).tolist()
            self._knots[column] = sorted({float(f"{amount:.6g}") for amount in quantiles})
        super().fit(inputs)
        return self

    def weigh(self, text: str) -> dict[str, float]:
        """Terms of the lines ``column:kind=value``; of a column that is not known, none."""
        out: dict[str, float] = {}
        entries = [e for e in parse(text) if e[0] in self._kinds]
        for column, lines in groupby(sorted(entries, key=lambda e: e[0]), key=lambda e: e[0]):
            terms: dict[str, float] = {}
            for _, _, value in lines:
                for term, weight in self._terms_of(column, value).items():
                    terms[term] = max(weight, terms.get(term, 0.0))
            length = float(np.sqrt(sum(w * w for w in terms.values()))) or 1.0
            out |= {term: weight / length for term, weight in terms.items()}
        return out

    def in_words(self, terms: Sequence[str]) -> str:
        """``same brand (Acme); both in Grocery > Tea; price alike``."""
        said: dict[str, list[str]] = {}
        for term in terms:
            mark = _IS if _IS in term else _AROUND
            column, _, value = term.partition(mark)
            said.setdefault(column, []).append(value)
        return "; ".join(self._said(column, values) for column, values in said.items())

    def state(self) -> State:
        meta, arrays = super().state()
        return meta | {"kinds": self._kinds, "knots": self._knots}, arrays

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> Columns:
        out = super().from_state(meta, arrays, device=device)
        assert isinstance(out, Columns)
        out._kinds = {str(column): str(kind) for column, kind in dict(meta["kinds"]).items()}
        out._knots = {str(c): sorted(map(float, k)) for c, k in dict(meta["knots"]).items()}
        return out

    def _terms_of(self, column: str, value: str) -> dict[str, float]:
        kind = self._kinds[column]
        if kind == "number":
            return self._around(column, value)
        if kind == "path":
            steps = levels(value)
            return {f"{column}{_IS}{step}": (k + 1) / len(steps) for k, step in enumerate(steps)}
        return {f"{column}{_IS}{value}": 1.0}

    def _around(self, column: str, value: str) -> dict[str, float]:
        """The quantiles around an amount or the amounts of a range, by how near they are."""
        ends = [number(end) for end in value.split("..")]
        knots = np.array(self._knots[column])
        if len(ends) > 2 or None in ends:
            raise ConfigError(f"'{value}' is no {column}; write an amount, or a range as 3..8")
        amounts = np.linspace(float(ends[0] or 0), float(ends[-1] or 0), _WITHIN)
        hats = [np.interp(amounts, knots, row).mean() for row in np.eye(len(knots))]
        return {f"{column}{_AROUND}{k:g}": float(h) for k, h in zip(knots, hats, strict=True) if h}

    def _said(self, column: str, values: list[str]) -> str:
        word, kind = column.replace("_", " "), self._kinds[column]
        if kind == "number":
            return f"{word} alike"
        if kind == "path":
            return f"both in {max(values, key=lambda path: path.count(PATH_MARK))}"
        if kind == "list":
            return f"{word} in common ({', '.join(values[:3])})"
        return f"same {word} ({values[0]})"
