"""Runs as the app sees them: where they lie, opened once, their tables kept in memory.

Everything cached here is keyed by the run's hash and read-only: callers never change a frame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.bundled import RUNS, home
from micrec_core.errors import RunError
from micrec_core.names import CATALOGUE, FILM, LAYOUTS, ONE_DOMAIN, SNAPSHOT_USERS, model_label
from micrec_core.protocols import MASKS
from micrec_core.runs import Run, RunListing, list_runs, open_run
from micrec_core.runs.files import flat
from micrec_core.ui.once import known

# Rows of a catalogue that are kept ready.
_ROWS = 5_000
_SNAPSHOT = re.compile(r"snapshots/epoch_(\d+)\.safetensors")


def runs_folder() -> Path:
    """Where trained runs are kept: ``MICREC_RUNS``, else ``runs`` in the app's own folder."""
    return Path(os.environ.get("MICREC_RUNS") or home() / "runs").expanduser()


def bundled_folder() -> Path:
    """Where the run that comes with the app lies (``MICREC_BUNDLED`` is for tests)."""
    return Path(os.environ.get("MICREC_BUNDLED") or RUNS).expanduser()


def listings() -> dict[str, RunListing]:
    """Every run by name, own runs first; an own run hides a bundled one of the same name."""
    return {listing.name: listing for listing in list_runs(runs_folder(), bundled_folder())}


def is_comparison(listing: RunListing) -> bool:
    """Whether a listed run holds tables of several trainings instead of a model."""
    return listing.info is not None and listing.info.is_comparison


@dataclass(frozen=True)
class Opened:
    """A run as a page uses it.

    Attributes
    ----------
    run : the verified run
    info : what run.json says
    labels : domain -> words shown, in the dataset's order
    pair : the two domains looked at; the same one twice where a run has a single domain
    """

    run: Run
    info: Mapping[str, Any]
    labels: Mapping[str, str]
    pair: tuple[str, str]

    @property
    def is_comparison(self) -> bool:
        """Whether this holds the tables of several trainings, and no model to ask."""
        return self.run.info.is_comparison

    @property
    def one_domain(self) -> bool:
        """Whether there is no other domain that anything could be carried to."""
        return len(self.labels) < 2

    @property
    def masked(self) -> str:
        """What the test lists of all its figures leave out, in a sentence."""
        return MASKS[self.info["mask"]]

    @property
    def in_common(self) -> str:
        """How a sentence that names the domains ends: who is in several, or that there is one."""
        if self.one_domain:
            return f". {ONE_DOMAIN}"
        people = self.info["dataset"]["n_overlap"]
        return f"; {people:,} people are known in more than one domain."

    @property
    def synthetic(self) -> bool:
        """Whether the data is made up."""
        return bool(self.info["dataset"].get("synthetic"))

    @property
    def seed(self) -> int | None:
        """The seed this run was trained with."""
        return self.info.get("seed")

    @property
    def pair_labels(self) -> dict[str, str]:
        """The pair's domains -> words shown."""
        return {d: self.labels[d] for d in dict.fromkeys(self.pair)}

    def frame(self, relative: str) -> pd.DataFrame | None:
        """A table of the run, or None where it has none; shared, never to be changed."""
        return _frame(self.run.key, relative, self.run) if self.run.has(relative) else None

    @cached_property
    def catalogue(self) -> _Catalogue:
        """The items; see ``catalogue`` and ``item``."""
        return _catalogue(self.run.key, self.run)

    def history(self) -> pd.DataFrame:
        """What was measured each epoch; shared, never to be changed."""
        return _history(self.run.key, self.run)

    def place(self, domain: str) -> int:
        """The domain's place in the pair, which decides its colour."""
        return self.pair.index(domain) if domain in self.pair else 0


def open_listed(listing: RunListing, pair: tuple[str, str] | None = None) -> Opened:
    """Open and verify a listed run (once per content); RunError says what is wrong with it."""
    if listing.problem:
        raise RunError(listing.problem)
    path = Path(listing.path)
    run = _open(str(path), (path / "manifest.json").stat().st_mtime_ns)
    info = run.info.model_dump()
    if not info["dataset"] or not info["dataset"]["domains"]:
        raise RunError(f"Run '{run.name}' does not say what data it was trained on: train it anew.")
    labels = {d["name"]: d["label"] or d["name"] for d in info["dataset"]["domains"]}
    names = list(labels)
    if pair is None or not set(pair) <= set(names):
        pair = (names[0], names[1] if len(names) > 1 else names[0])
    return Opened(run, info, labels, pair)


@st.cache_resource(max_entries=6, show_spinner="Opening the run")
def _open(path: str, stamp: int) -> Run:
    return open_run(Path(path))


@st.cache_resource(max_entries=60, show_spinner=False)
def _frame(key: str, relative: str, _run: Run) -> pd.DataFrame:
    return known(_run.frame(relative), f"{key} {relative}")


@st.cache_resource(max_entries=24, show_spinner=False)
def _tensors(key: str, relative: str, _run: Run) -> dict[str, Any]:
    return known(dict(_run.tensors(relative)), f"{key} {relative}")


@st.cache_resource(max_entries=12, show_spinner=False)
def _history(key: str, _run: Run) -> pd.DataFrame:
    return known(_run.history(), f"{key} history")


def snapshot_epochs(opened: Opened) -> list[int]:
    """Epochs of which both the vectors and a 2-D layout of the pair looked at were kept."""
    if not (opened.run.has(SNAPSHOT_USERS) and opened.run.has(LAYOUTS)):
        return []
    # A run of many domains keeps the users of one pair of them.
    if not set(layouts(opened)["domain"].unique()) <= {*opened.pair, "a", "b"}:
        return []
    kept = {int(m[1]) for f in opened.run.files if (m := _SNAPSHOT.fullmatch(f))}
    return sorted(kept & {int(e) for e in layouts(opened)["epoch"].unique()})


def mapped_pair(opened: Opened) -> list[str]:
    """Labels of the two domains that the run kept maps of people for, none where it kept none."""
    if not opened.run.has(LAYOUTS):
        return []
    kept = set(layouts(opened)["domain"].unique())
    return [label for domain, label in opened.labels.items() if domain in kept]


def snapshot_users(opened: Opened) -> pd.DataFrame:
    """row, user_id, degree_a, degree_b of the users whose vectors were kept."""
    return _frame(opened.run.key, SNAPSHOT_USERS, opened.run).astype({"user_id": str})


def layouts(opened: Opened) -> pd.DataFrame:
    """epoch, method, domain, row, x, y of the kept users.

    Raises
    ------
    RunError
        Somebody has more than one place in a map.
    """
    return _layouts(opened.run.key, opened.run)


@st.cache_resource(max_entries=24, show_spinner=False)
def _layouts(key: str, _run: Run) -> pd.DataFrame:
    frame = _frame(key, LAYOUTS, _run)
    one = ["epoch", "method", "domain", "row"]
    again = frame[frame.duplicated(one)]
    if len(again):
        where = ", ".join(f"{name} {again[name].iloc[0]}" for name in one)
        raise RunError(
            f"Run '{_run.name}' has a layouts.parquet that places somebody twice ({where}): copy "
            "the run again or train it anew."
        )
    return frame


def film(opened: Opened, method: str) -> pd.DataFrame | None:
    """moment, domain, row, x, y of all kept users at moments of the training.

    None where none was kept, as of many people or by an earlier version, or not by this method.
    """
    kept = opened.frame(FILM)
    if kept is None:
        return None
    part = kept[(kept["method"] == method) & kept["domain"].isin(opened.pair)]
    rows = set(snapshot_users(opened)["row"])
    sides = part.groupby(["moment", "domain"])["row"].agg(["size", "nunique"])
    whole = (sides == len(rows)).all(axis=None) and set(part["row"]) == rows
    return part if whole and len(sides) == 2 * part["moment"].nunique() > 0 else None


def snapshot(opened: Opened, epoch: int) -> dict[str, Any]:
    """Vectors ``a`` and ``b`` [n, D] of the kept users at one epoch."""
    file = f"snapshots/epoch_{epoch:04d}.safetensors"
    return _tensors(opened.run.key, file, opened.run)


@dataclass(frozen=True)
class _Catalogue:
    """Items to show, where each stands, whether any has a picture, and the rows looked at."""

    frame: pd.DataFrame
    of_domain: dict[str, pd.DataFrame]
    places: dict[tuple[str, str], int]
    pictured: bool
    rows: dict[int, pd.Series]

    def row(self, place: int) -> pd.Series:
        if place not in self.rows:
            if len(self.rows) >= _ROWS:
                self.rows.clear()
            self.rows[place] = self.frame.iloc[place]
        return self.rows[place]


@st.cache_resource(max_entries=4, show_spinner=False)
def _catalogue(key: str, _run: Run) -> _Catalogue:
    frame = _run.frame(CATALOGUE).reset_index(drop=True)
    keys = zip(frame["domain"].astype(str), frame["item_id"].astype(str), strict=True)
    places = {pair: place for place, pair in enumerate(keys)}
    domains = {str(name): rows for name, rows in frame.groupby("domain", observed=True)}
    pictured = "thumbnail" in frame and bool(frame["thumbnail"].notna().any())
    return _Catalogue(frame, known(domains, f"{key} {CATALOGUE}"), places, pictured, {})


def catalogue(opened: Opened, domain: str | None = None) -> pd.DataFrame:
    """Items to show, of one domain or of all."""
    held = opened.catalogue
    return held.frame if domain is None else held.of_domain.get(domain, held.frame[:0])


def item(opened: Opened, domain: str, item_id: str) -> pd.Series | None:
    """One item of the catalogue, or None where it is unknown; shared, never to be changed."""
    place = opened.catalogue.places.get((domain, str(item_id)))
    return None if place is None else opened.catalogue.row(place)


def report(opened: Opened) -> bytes:
    """The self-contained HTML report of the run."""
    from micrec_core.report.html import html_report

    kept = set(snapshot_epochs(opened))
    return html_report(
        opened.info,
        opened.frame,
        opened.history(),
        (lambda epoch: snapshot(opened, epoch)) if kept else None,
    ).encode()


def facts(opened: Opened) -> pd.DataFrame:
    """How the run was made: seed, device, settings, versions, timings and notes, one row each."""
    info = opened.info
    named = {
        **{
            k: info[k]
            for k in ("created", "finished", "seed", "split", "mask", "device", "n_parameters")
        },
        **{f"encoder of {k}": v for k, v in info["encoders"].items()},
        **{f"setting {k}": v for k, v in flat(info["config"]).items()},
        **{f"version of {k}": v for k, v in info["versions"].items()},
        **{f"seconds, {k}": round(v, 1) for k, v in info["timings"].items()},
        **{
            f"CPU seconds, {model_label(k)}": f"{v['solving']:.1f} to solve, "
            f"{v['answering']:.1f} to answer"
            for k, v in info["baselines"].items()
        },
        **{f"left out, {model_label(k)}": v for k, v in info["left_out"].items()},
        **{f"note {i}": note for i, note in enumerate(info["dataset"]["notes"], start=1)},
    }
    return pd.DataFrame({"fact": list(named), "value": [str(v) for v in named.values()]})
