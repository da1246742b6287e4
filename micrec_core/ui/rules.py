"""Rules at the end of a list, as shops need them: leave out, or only these, and what they cost.

By words, and by any column of the item table: a category, a brand, a price, what is in stock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from micrec_core.data.further_columns import number, parse, values_of
from micrec_core.names import FURTHER_COLUMNS
from micrec_core.ui.library import Opened, catalogue
from micrec_core.ui.once import once

# Values of a column that are offered, the commonest.
_MOST = 200
Amounts = tuple[float, float]


@dataclass(frozen=True)
class Column:
    """What a column of the item table says of a domain's items.

    Attributes
    ----------
    values : of each item that says something, by its place in the catalogue
    amounts : the same where it is of amounts; then there are no ``values``
    """

    values: Mapping[int, frozenset[str]] = field(default_factory=dict)
    amounts: Mapping[int, float] = field(default_factory=dict)

    def has(self, wanted: frozenset[str] | Amounts) -> set[int]:
        """Places of the items that have one of the values, or an amount from .. to."""
        if isinstance(wanted, frozenset):
            return {place for place, own in self.values.items() if own & wanted}
        return {p for p, amount in self.amounts.items() if wanted[0] <= amount <= wanted[1]}


def columns_of(items: pd.DataFrame) -> dict[str, Column]:
    """The columns of a domain's items, by name; none where the run keeps none."""
    if FURTHER_COLUMNS not in items:
        return {}
    values: dict[str, dict[int, frozenset[str]]] = {}
    amounts: dict[str, dict[int, float]] = {}
    for place, text in enumerate(items[FURTHER_COLUMNS].fillna("").astype(str)):
        for column, kind, value in parse(text):
            if kind == "number":
                if (amount := number(value)) is not None:
                    amounts.setdefault(column, {})[place] = amount
                continue
            said = frozenset(values_of(kind, value))
            here = values.setdefault(column, {})
            here[place] = here.get(place, frozenset()) | said
    return {c: Column(values=v) for c, v in values.items()} | {
        c: Column(amounts=a) for c, a in amounts.items()
    }


@dataclass(frozen=True)
class Rules:
    """Words that items must not, and must, have in title or description, any of the words; and of
    columns the values, or from which amount to which, that they must have.
    """

    never: str = ""
    only: str = ""
    columns: Mapping[str, frozenset[str] | Amounts] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.never.split() or self.only.split() or self.columns)

    def excluded(self, items: pd.DataFrame) -> list[str]:
        """Ids of the items that the rules leave out; a column that a domain lacks rules nothing."""
        text = items["title"].fillna("").astype(str)
        if "description" in items:
            text = text + " " + items["description"].fillna("").astype(str)
        out = pd.Series(False, index=items.index)
        for word in self.never.split():
            out |= text.str.contains(word, case=False, regex=False)
        if self.only.split():
            keep = pd.Series(False, index=items.index)
            for word in self.only.split():
                keep |= text.str.contains(word, case=False, regex=False)
            out |= ~keep
        there = once(columns_of, items) if self.columns else {}
        for column in set(self.columns) & set(there):
            having = there[column].has(self.columns[column])
            out |= ~np.isin(np.arange(len(items)), list(having))
        return [str(i) for i in items.loc[out, "item_id"]]


def choose_rules(opened: Opened) -> Rules:
    """The fields, in the address."""
    with st.expander("Rules of the shop", icon=":material/rule:"):
        never = st.text_input("Never items with one of these words", key="cold_never",
                              bind="query-params", max_chars=200)  # fmt: skip
        only = st.text_input("Only items with one of these words", key="cold_only",
                             bind="query-params", max_chars=200)  # fmt: skip
        return Rules(never, only, _choose_columns(opened))


def _choose_columns(opened: Opened) -> dict[str, frozenset[str] | Amounts]:
    found = [once(columns_of, catalogue(opened, domain)) for domain in opened.labels]
    chosen: dict[str, frozenset[str] | Amounts] = {}
    for column in dict.fromkeys(name for columns in found for name in columns):
        parts = [columns[column] for columns in found if column in columns]
        label, key = f"Only {column.replace('_', ' ')}", f"cold_rule_{column}"
        amounts = [amount for part in parts for amount in part.amounts.values()]
        if amounts:
            whole = (min(amounts), max(amounts))
            if whole[0] < whole[1]:
                low, high = st.slider(f"{label} from .. to", *whole, whole, key=key)
                chosen |= {column: (low, high)} if (low, high) != whole else {}
            continue
        counts = Counter(value for part in parts for own in part.values.values() for value in own)
        values = sorted(value for value, _ in counts.most_common(_MOST))
        if wanted := st.multiselect(label, values, key=key, bind="query-params"):
            chosen[column] = frozenset(wanted)
    return chosen


def left_out(opened: Opened, domain: str, rules: Rules) -> list[str]:
    """Ids of a domain's items that the rules leave out."""
    return rules.excluded(catalogue(opened, domain)) if rules else []
