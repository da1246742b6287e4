"""Checking somebody's own tables from the Data page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from micrec_core.errors import DataError
from micrec_core.figures.data import degree_counts, degree_curves, described_table
from micrec_core.jobs.checking import Limits, check_capped
from micrec_core.ui.access import owner, require
from micrec_core.ui.places import any_folder, named_folder
from micrec_core.ui.state import Checked, Size, session
from micrec_core.ui.uploads import drop, keep_upload
from micrec_core.ui.widgets import cells, chart, plain, problem, show_table

_SEPARATORS = {
    "By the name": "", "Comma": "comma", "Semicolon": "semicolon", "Tab": "tab", "Bar": "bar",
}  # fmt: skip
_DECIMALS = {"Point": "", "Comma": ","}


@dataclass(frozen=True)
class Summary:
    """What a check found: ``described`` is ``data.describe``'s answer, degrees are per label."""

    path: Path
    described: dict[str, Any]
    user_degrees: dict[str, NDArray[np.int64]]
    item_degrees: dict[str, NDArray[np.int64]]


def choose_dialect() -> list[str]:
    """Controls for how tables are written where that is not as this app writes them.

    Returns
    -------
    options of the command ``check``
    """
    with st.expander("Columns have other names, or the text other marks", icon=":material/edit:"):
        names = st.text_input(
            "Names of columns",
            key="data_names",
            placeholder="user_id=uid, item_id=asin",
            help="Ours = theirs, with commas between. A refusal says which may be meant.",
        )
        left, middle, right = cells(3, 160)
        separator = left.selectbox("Separator", list(_SEPARATORS), key="data_separator")
        encoding = middle.text_input("Encoding", key="data_encoding", placeholder="UTF-8")
        decimal = right.selectbox("Decimal mark", list(_DECIMALS), key="data_decimal")
        st.caption("What is given here is kept in dataset.toml once the check passes.")
    given = [f"--map={w.strip().removeprefix('--map ')}" for w in names.split(",") if w.strip()]
    marks = {
        "separator": _SEPARATORS[separator],
        "encoding": encoding.strip(),
        "decimal": _DECIMALS[decimal],
    }
    return [*given, *(f"--{name}={mark}" for name, mark in marks.items() if mark)]


def check_folder(said: str, drop_unknown: bool = False, written: Sequence[str] = ()) -> Summary:
    """Check the dataset in a folder that the visitor names; DataError is the refusal.

    ``written`` : what ``choose_dialect`` says; kept in the folder, so not on a server of others
    """
    require("bring")
    if written and not any_folder():
        raise DataError(
            "names and marks are kept in a dataset's folder, and this server's folders stay as "
            "they are; upload the tables, or leave the names and marks out"
        )
    return _check(named_folder(said), drop_unknown, written)


def _check(folder: Path, drop_unknown: bool = False, written: Sequence[str] = ()) -> Summary:
    """Have a dataset read and described; it can then be trained on."""
    words = ["--no-pictures", "--unknown-items", "drop" if drop_unknown else "error", *written]
    described = check_capped(folder, words, Limits.of_this_server())
    size = Size(len(described["domains"]), described["n_interactions"])
    session().dataset = Checked(folder, size)
    return Summary(folder, described, _degrees(described, "user"), _degrees(described, "item"))


def _degrees(described: dict[str, Any], kind: str) -> dict[str, NDArray[np.int64]]:
    """Domain label -> the degree of each user or item."""
    degrees = {}
    for domain in described["domains"]:
        degree, count = np.asarray(domain["degrees"][kind], np.int64).T
        degrees[domain["label"] or domain["name"]] = np.repeat(degree, count)
    return degrees


def check_upload(files: Sequence[Any], written: Sequence[str] = ()) -> Summary:
    """Keep the uploaded tables for this visitor and check them."""
    require("bring")
    folder = keep_upload(files, owner())
    try:
        return _check(folder, written=written)
    except DataError:
        drop(folder)
        raise


def show_summary(summary: Summary) -> None:
    """Counts, overlap, what is missing and how skewed it is."""
    described = summary.described
    if described["refusal"]:
        problem(described["refusal"])
    else:
        st.success(f"**{plain(described['name'])}** is usable.", icon=":material/check_circle:")
    if described["synthetic"]:
        st.badge("sample data (synthetic)", icon=":material/science:", color="orange")
    counts = {"n_users": "Users", "n_items": "Items", "n_interactions": "Interactions"}
    if len(described["domains"]) > 1:
        counts["n_overlap"] = "Users in two domains"
    for column, (name, label) in zip(cells(len(counts), 160), counts.items(), strict=True):
        column.metric(label, f"{described[name]:,}", border=True)
    show_table(described_table(described["domains"]))
    labels = {d["name"]: d["label"] or d["name"] for d in described["domains"]}
    for pair in described["overlap"]:
        a, b = plain(labels[pair["a"]]), plain(labels[pair["b"]])
        st.markdown(
            f"**{pair['n_users']:,}** people are known in both {a} and {b}: "
            f"{pair['share_of_a']:.0%} of the users of {a}, {pair['share_of_b']:.0%} of {b}."
        )
    for note in described["notes"]:
        st.caption(plain(note))
    left, right = cells(2, 380)
    for column, degrees, kind in (
        (left, summary.user_degrees, "user"),
        (right, summary.item_degrees, "item"),
    ):
        with column:
            chart(
                degree_curves(degrees, f"Interactions per {kind}"),
                degree_counts(degrees, f"{kind}s"),
                f"data_{kind}",
                alt=f"Share of {kind}s with at least so many interactions, per domain",
            )
