"""Rules at the end of a list, as shops need them: leave out, or only these, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from micrec_core.ui.library import Opened, catalogue


@dataclass(frozen=True)
class Rules:
    """Words that items must not, and must, have in title or description; any of the words."""

    never: str = ""
    only: str = ""

    def __bool__(self) -> bool:
        return bool(self.never.split() or self.only.split())

    def excluded(self, items: pd.DataFrame) -> list[str]:
        """Ids of the items that the rules leave out."""
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
        return [str(i) for i in items.loc[out, "item_id"]]


def choose_rules() -> Rules:
    """The fields, in the address."""
    with st.expander("Rules of the shop", icon=":material/rule:"):
        never = st.text_input("Never items with one of these words", key="cold_never",
                              bind="query-params", max_chars=200)  # fmt: skip
        only = st.text_input("Only items with one of these words", key="cold_only",
                             bind="query-params", max_chars=200)  # fmt: skip
    return Rules(never, only)


def left_out(opened: Opened, domain: str, rules: Rules) -> list[str]:
    """Ids of a domain's items that the rules leave out."""
    return rules.excluded(catalogue(opened, domain)) if rules else []
