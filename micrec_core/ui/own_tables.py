"""Checking somebody's own tables from the Data page, and what the check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from micrec_core.errors import ConfigError, DataError
from micrec_core.figures.data import degree_counts, degree_curves, described_table
from micrec_core.jobs.checking import Limits, check_capped, said_within
from micrec_core.ui import uploads
from micrec_core.ui.access import owner, require
from micrec_core.ui.mends import for_page
from micrec_core.ui.places import any_folder, named_folder
from micrec_core.ui.state import Checked, Size, session
from micrec_core.ui.widgets import cells, chart, filled, plain, problem, show_table

DROP = "--unknown-items=drop"


@dataclass(frozen=True)
class Seen:
    """What the last check of a dataset said.

    Attributes
    ----------
    tables : first rows of each (``data.preview``)
    dialect : how they are read (``Dialect.told``)
    problems : what is wrong (``data.problems.Problem``), none where ``about`` is there
    about : ``data.describe``'s answer, None where something is wrong
    drop : whether interactions with unknown items are left out
    """

    folder: Path
    tables: list[dict[str, Any]]
    dialect: dict[str, Any]
    problems: list[dict[str, Any]]
    about: dict[str, Any] | None
    drop: bool

    @property
    def uploaded(self) -> bool:
        """Whether it is an upload that is not kept yet, and may be changed."""
        return uploads.is_upload(self.folder)


def look(folder: Path, written: Sequence[str] = ()) -> Seen:
    """Have a dataset read; if nothing is wrong it can then be trained on.

    Parameters
    ----------
    written : options of the command ``check``, as ``table_controls`` gives them; how tables are
        written is remembered in the folder, so not in those of a server of others

    Raises
    ------
    DataError
        It took more than it may, or its folder would have to be changed.
    """
    require("bring")
    if [w for w in written if w != DROP] and not (uploads.is_upload(folder) or any_folder()):
        raise DataError(
            "how tables are written is kept in a dataset's folder, and this server's folders stay "
            "as they are; upload the tables, or leave it as it was"
        )
    place = st.empty()
    try:
        limits = Limits.of_this_server()
        told = check_capped(folder, ["--all", *written], limits, place.text)
    finally:
        place.empty()
    about, drop = told["about"], DROP in written
    if about:
        size = Size(len(about["domains"]), about["n_interactions"], uploads.says(about))
        session().dataset = Checked(folder, size, drop)
    return Seen(folder, drop=drop, **{key: told[key] for key in _TOLD})


_TOLD = ("tables", "dialect", "problems", "about")


def look_at_folder(said: str) -> Seen:
    """Check the dataset in a folder that the visitor names; DataError as ``look``."""
    require("bring")
    return look(named_folder(said))


def look_at_upload(files: Sequence[Any]) -> Seen:
    """Take in what the visitor uploads, as theirs, and check it; DataError where it is refused."""
    require("bring")
    folder = uploads.keep_upload(files, owner())
    try:
        return look(folder)
    except (ConfigError, DataError):
        uploads.drop(folder)
        raise


def mend(seen: Seen, words: Sequence[str], written: Sequence[str]) -> None:
    """Change rows of an upload; ``words`` and ``written`` are options of the command ``mend``."""
    require("bring")
    if not seen.uploaded:
        raise DataError("only an upload can be changed here; change the files of the folder")
    written = [word for word in written if word != DROP]
    said_within(["mend", str(seen.folder), *words, *written], Limits.of_this_server())


def keep(seen: Seen, name: str) -> None:
    """Keep a checked upload under a name, for all who may train here."""
    require("bring")
    if seen.about is None:
        raise DataError("something is wrong with these tables; mend it first")
    brought = uploads.keep(seen.folder, name, owner(), seen.about, seen.drop)
    session().dataset = Checked(brought.folder, Size(brought.domains, brought.interactions,
                                                     brought.says), seen.drop)  # fmt: skip


def _degrees(described: dict[str, Any], kind: str) -> dict[str, NDArray[np.int64]]:
    """Domain label -> the degree of each user or item."""
    degrees = {}
    for domain in described["domains"]:
        degree, count = np.asarray(domain["degrees"][kind], np.int64).T
        degrees[domain["label"] or domain["name"]] = np.repeat(degree, count)
    return degrees


def show_summary(described: dict[str, Any]) -> None:
    """Counts, overlap, what is missing and how skewed it is."""
    if described["refusal"]:
        problem(for_page(described["refusal"]))
    else:
        st.success(
            f"**{plain(for_page(described['name']))}** is usable.", icon=":material/check_circle:"
        )
    if described["synthetic"]:
        st.badge("sample data (synthetic)", icon=":material/science:", color="orange")
    counts = {"n_users": "Users", "n_items": "Items", "n_interactions": "Interactions"}
    if len(described["domains"]) > 1:
        counts["n_overlap"] = "Users in two domains"
    for column, (name, label) in zip(
        filled(len(counts), 160, "own_counts"), counts.items(), strict=True
    ):
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
        st.caption(plain(for_page(note)))
    left, right = cells(2, 380)
    for column, degrees, kind in (
        (left, _degrees(described, "user"), "user"),
        (right, _degrees(described, "item"), "item"),
    ):
        with column:
            chart(
                degree_curves(degrees, f"Interactions per {kind}"),
                degree_counts(degrees, f"{kind}s"),
                f"data_{kind}",
                alt=f"Share of {kind}s with at least so many interactions, per domain",
            )
