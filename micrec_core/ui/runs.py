"""The Runs page: all runs in one table, and what is done with one of them."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import streamlit as st

from micrec_core.errors import MicrecError, RunError
from micrec_core.figures.picking import pick
from micrec_core.jobs.checking import Limits, said_within
from micrec_core.names import SUMMARY, model_label
from micrec_core.runs import RunListing, open_run
from micrec_core.runs.archive import Note, coming, note, notes, pack, remove
from micrec_core.ui.access import require
from micrec_core.ui.library import listings, open_listed, runs_folder
from micrec_core.ui.state import one_click
from micrec_core.ui.widgets import named, plain, problem

_UPLOAD = 500  # MB
_TAGS, _TEXT = 10, 2000


def table() -> pd.DataFrame:
    """A row for each run that is listed."""
    said = notes(runs_folder())
    rows = [_row(name, found, said.get(name, Note())) for name, found in listings().items()]
    return pd.DataFrame(rows)


def _row(name: str, found: RunListing, said: Note) -> dict[str, object]:
    info = found.info
    data = info.dataset if info else None
    stamp = (found.path / "run.json").stat().st_mtime_ns if info else 0
    return {
        "run": name,
        "status": found.status,
        "model": model_label(info.model) if info else "",
        "variant": info.variant if info else "",
        "data": data.name if data else "",
        "domains": ", ".join(d.label or d.name for d in data.domains) if data else "",
        "seed": info.seed if info else None,
        "ndcg@20": _quality(str(found.path), stamp, found) if not found.problem else None,
        "made": info.created if info else None,
        "tags": list(said.tags),
        "note": said.words,
    }


@st.cache_data(max_entries=200, show_spinner=False)
def _quality(path: str, stamp: int, _found: RunListing) -> float | None:
    """NDCG@20 of known users, the mean over the domains; None where it was not measured."""
    try:
        frame = open_listed(_found).frame(SUMMARY)
        if frame is None or _found.info is None:
            return None
        rows = pick(frame, protocol="known", cohort="all", metric="ndcg@20")
        if "model" in rows:
            rows = pick(rows, model=_found.info.model)
        return float(rows["mean"].mean()) if len(rows) else None
    except (MicrecError, KeyError):
        return None


def show(runs: pd.DataFrame) -> str | None:
    """The table, to be sorted and searched, and the name of the run chosen below it.

    Chosen by name: a row is another run once one is trained, deleted or hidden by a tag.
    """
    tags = sorted({tag for some in runs["tags"] for tag in some})
    wanted = st.pills("Tags", tags, selection_mode="multi", key="runs_tags") if tags else []
    if wanted:
        runs = runs[[set(wanted) <= set(some) for some in runs["tags"]]].reset_index(drop=True)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        runs,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={
            "run": text("Run", pinned=True), "status": "Status", "model": "Model",
            "variant": "Variant", "data": "Data", "domains": "Domains", "seed": "Seed",
            "ndcg@20": number("NDCG@20", format="%.3f", help="Known users, mean over the domains"),
            "made": st.column_config.DatetimeColumn("Made"),
            "tags": st.column_config.ListColumn("Tags"), "note": "Note",
        },
    )  # fmt: skip
    return _choose(list(runs["run"]))


def _choose(names: list[str]) -> str | None:
    """One of the runs in the table, at first the one that is open."""
    if not names:
        st.caption("No run has all of these tags.")
        return None
    if st.session_state.get("runs_chosen") not in names:
        here = st.session_state.get("run")
        st.session_state["runs_chosen"] = here if here in names else names[0]
    return str(st.selectbox("Run to open, note, hand on or delete", names, key="runs_chosen"))


def act_on(name: str) -> None:
    """What can be done with one run: open it, note something, hand it on, delete it."""
    found = listings().get(name)
    if found is None:
        return
    own = found.path.parent == runs_folder()
    st.header(plain(name), anchor=False)
    if found.problem:
        problem(found.problem)
    with st.container(horizontal=True, vertical_alignment="center"):
        whole = found.problem is None
        st.button("Open", icon=":material/visibility:", type="primary", on_click=_open,
                  args=(name,), disabled=not whole)  # fmt: skip
        if not found.problem:
            st.download_button(
                named("Download", f"{name} as a zip"),
                lambda: _zip(found.path),
                file_name=f"{name}.zip",
                mime="application/zip",
                icon=":material/download:",
                on_click="ignore",
            )
        if own:
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(
                    f"**{plain(name)}** and its files are gone for everybody on this server."
                )
                st.button("Delete it", key="runs_delete", on_click=_delete, args=(name,))
        else:
            st.caption("This run comes with the app: it cannot be deleted.")
    _note(name)


def _open(name: str) -> None:
    st.session_state["run"] = name
    st.session_state["runs_said"] = f"Run '{name}' is open on every page."


@one_click
def _delete(name: str) -> None:
    try:
        require("accept")
        remove(runs_folder(), name)
        st.session_state["runs_said"] = f"Run '{name}' is deleted."
    except MicrecError as error:
        st.session_state["runs_wrong"] = str(error)


def _zip(path: Path) -> bytes:
    out = io.BytesIO()
    pack(open_run(path), out)
    return out.getvalue()


def _note(name: str) -> None:
    said = notes(runs_folder()).get(name, Note())
    with st.form(f"runs_note_{name}", border=False):
        text = st.text_area("Note", said.words, max_chars=_TEXT, height=80)
        tags = st.multiselect(
            "Tags", list(said.tags), list(said.tags), accept_new_options=True,
            max_selections=_TAGS, placeholder="type one, press Enter",
        )  # fmt: skip
        if st.form_submit_button("Keep", icon=":material/save:"):
            _keep(name, Note(text.strip(), tuple(tags)))
            st.rerun()


def _keep(name: str, said: Note) -> None:
    try:
        require("accept")
        note(runs_folder(), name, said)
    except MicrecError as error:
        st.session_state["runs_wrong"] = str(error)


def take_in() -> None:
    """Import a zip that a Runs page made."""
    st.header("Import a run", anchor=False)
    file = st.file_uploader("A run as a zip", ["zip"], key="runs_zip", max_upload_size=_UPLOAD)
    name = st.text_input("Name", key="runs_name", max_chars=64, placeholder="as it was called")
    if st.button("Import", icon=":material/upload:", disabled=file is None) and file is not None:
        try:
            require("accept")
            called = _taken_in(file.getvalue(), name.strip())
        except MicrecError as error:
            problem(str(error))
            return
        st.session_state["runs_said"] = f"Run '{called}' is here and whole."
        st.rerun()


def _taken_in(content: bytes, name: str) -> str:
    """Take a zip in by a process of its own, with limits; what the run is called."""
    folder = runs_folder().absolute()
    try:
        with coming(folder) as place:
            zipped = Path(place) / "run.zip"
            zipped.write_bytes(content)
            words = ["take-in", str(zipped), f"--runs={folder}", f"--name={name}"]
            told = said_within(words, Limits.of_this_server(), "The run", "files or tables")
    except OSError as error:
        raise RunError(f"The zip cannot be kept ({error.strerror}): try later.") from None
    return str(told["name"])
