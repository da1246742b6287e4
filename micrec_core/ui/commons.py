"""What people or items that were selected in a map have in common, against all the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from scipy.sparse import csr_matrix

from micrec_core.data.further_columns import parse, values_of
from micrec_core.evaluation.set_apart import mean_differences, terms_of, word_shares
from micrec_core.names import CATALOGUE, FURTHER_COLUMNS
from micrec_core.titles import words_in
from micrec_core.ui import library, serve
from micrec_core.ui.library import Opened
from micrec_core.ui.widgets import show_table, table_and_csv

_SHOWN = 12
_SAID = {"here": "Selected", "rest": "The rest", "difference": "Difference", "low": "from",
         "high": "to"}  # fmt: skip


@dataclass(frozen=True)
class _Words:
    """The commonest words, and which row has which."""

    names: list[str]
    has: csr_matrix


def _terms(
    opened: Opened, domain: str, ids: Iterable[str], titles: Iterable[str]
) -> list[set[str]]:
    """Words of items' titles, and what columns of the item table say of them."""
    said: dict[str, str] = {}
    if opened.run.has(CATALOGUE):
        items = library.catalogue(opened, domain)
        if FURTHER_COLUMNS in items:
            said = dict(zip(items["item_id"].astype(str), items[FURTHER_COLUMNS], strict=True))
    return [
        words_in(title)
        | {
            f"{column.replace('_', ' ')}: {value}"
            for column, kind, text in parse(said.get(str(item_id), ""))
            if kind != "number"
            for value in values_of(kind, text)
        }
        for item_id, title in zip(ids, titles, strict=True)
    ]


@st.cache_resource(max_entries=6, show_spinner=False)
def _words_of_items(
    key: str, domains: tuple[str, ...], _items: pd.DataFrame, _opened: Opened
) -> _Words:
    found: dict[int, set[str]] = {}
    for domain, rows in _items.groupby("domain", sort=False):
        terms = _terms(_opened, str(domain), rows["item_id"], rows["title"])
        found |= dict(zip(rows.index, terms, strict=True))
    return _Words(*terms_of(found[row] for row in _items.index))


@st.cache_resource(max_entries=6, show_spinner="Reading what they took")
def _words_of_people(key: str, pair: tuple[str, str], _opened: Opened) -> _Words:
    """Words of the titles of what each of the kept people took, in either domain."""
    model = serve.recommender(_opened)
    ids = library.snapshot_users(_opened)["user_id"]
    names, of_items = terms_of(
        terms for d in pair for terms in _terms(_opened, d, model.item_ids(d), model.titles(d))
    )
    took = np.split(np.arange(of_items.shape[0]), [len(model.titles(pair[0]))])
    held = sum(model.taken(d, ids) @ of_items[rows] for d, rows in zip(pair, took, strict=True))
    return _Words(names, csr_matrix(held > 0))


def of_items(opened: Opened, items: pd.DataFrame, selected: tuple[str, ...]) -> None:
    """Of selected items: how well they are known, of which domain, words of their titles."""
    chosen = items["key"].isin(set(selected)).to_numpy()
    numbers = {"Interactions": items["degree"]}
    for domain, label in list(opened.pair_labels.items())[:1]:
        if not opened.one_domain:
            numbers[f"Share in {label}"] = (items["domain"] == domain).astype(float)
    found = _words_of_items(opened.run.key, opened.pair, items, opened)
    words = word_shares(found.names, found.has, chosen)
    _show("al_items", pd.DataFrame(numbers), words, chosen, "items", "Word of the title, or column")


def of_people(opened: Opened, points: pd.DataFrame, selected: tuple[str, ...]) -> None:
    """Of selected people: how much they took where, how far apart, words of what they took.

    ``points``: user_id, degree_a, degree_b, distance, by the rows of the kept users.
    """
    chosen = points["user_id"].isin(set(selected)).to_numpy()
    a, b = opened.pair_labels.values()
    numbers = pd.DataFrame(
        {
            f"Interactions in {a}": points["degree_a"],
            f"Interactions in {b}": points["degree_b"],
            f"Share of them in {a}": points["degree_a"]
            / (points["degree_a"] + points["degree_b"]).clip(lower=1),
            "Distance of their two vectors": points["distance"],
        }
    )
    words = pd.DataFrame()
    if opened.run.has("serving.json"):
        found = _words_of_people(opened.run.key, opened.pair, opened)
        words = word_shares(found.names, found.has, chosen)
    _show("al_people", numbers, words, chosen, "people", "Word of what they took, or column")


def _show(
    key: str, numbers: pd.DataFrame, words: pd.DataFrame, chosen: np.ndarray, who: str, word: str
) -> None:
    if chosen.sum() < 2:
        return
    st.subheader(f"What the {chosen.sum():,} selected {who} have in common", anchor=False)
    if chosen.all():
        st.caption(f"All {who} are selected: there are no others to hold them against.")
        return
    means = mean_differences(numbers, chosen)
    show_table(means, {"what": "Mean of", **_columns("%.3f")})
    if len(words):
        shown = words.head(_SHOWN)
        shown = shown.assign(**{share: 100 * shown[share] for share in _SAID})
        show_table(shown, {"what": word, **_columns("%.1f %%")})
    else:
        st.caption("No word is told apart: they are few, or much like the rest.")
    st.caption(
        "Intervals of the difference hold 95 % together for a table, however many words are looked "
        "at; words that may be as common among the rest are left out."
    )
    whole = pd.concat([part for part in (means, words) if len(part)])
    table_and_csv(whole, f"{key}_common", about=f"what the selected {who} have in common")


def _columns(form: str) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {name: number(label, format=form) for name, label in _SAID.items()} | {"n": None}
