"""Datasets that are kept under a name: the list, and keeping one more."""

from __future__ import annotations

import re

import streamlit as st

from micrec_core.bundled import from_home
from micrec_core.data.schema import counted
from micrec_core.errors import MicrecError
from micrec_core.ui import uploads
from micrec_core.ui.access import owner, require
from micrec_core.ui.own_tables import Seen, keep
from micrec_core.ui.places import data_folders
from micrec_core.ui.state import one_click
from micrec_core.ui.widgets import named, plain

_SAID, _WRONG = "data_said", "data_wrong"


def show_kept() -> str | None:
    """The list, with what can be done; the folder of the one that the visitor wants to look at."""
    found = uploads.kept()
    if not found:
        return None
    st.header("Kept datasets", anchor=False)
    wanted = None
    for one in found:
        name = one.folder.name
        with st.container(horizontal=True, vertical_alignment="center"):
            n = one.domains
            st.markdown(
                f"**{plain(name)}** · {counted(n, 'domain')}, {one.users:,} users, "
                f"{one.items:,} items, {one.interactions:,} interactions · {plain(one.kept[:10])}",
                width="stretch",
            )
            if st.button(named("Check", name), key=f"data_look_{name}"):
                wanted = str(from_home(one.folder))
            if one.may_go(owner()):
                with st.popover(named("Delete", name), icon=":material/delete:"):
                    st.markdown(f"**{plain(name)}** is gone then for everybody on this server.")
                    st.button(named("Delete it", name), on_click=_delete, args=(name,))
    return wanted


@one_click
def _delete(name: str) -> None:
    try:
        require("bring")
        uploads.delete(name, owner())
        st.session_state[_SAID] = f"Dataset '{name}' is deleted."
    except MicrecError as error:
        st.session_state[_WRONG] = str(error)


def keep_box(seen: Seen) -> bool:
    """Keep an upload under a name; whether it was."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the dataset", _slug(str((seen.about or {}).get("name", ""))), max_chars=64,
            key=f"data_name_{seen.folder.name[:8]}",
        )  # fmt: skip
        asked = st.button("Keep it", icon=":material/save:", type="primary", key="data_keep")
    st.caption(
        f"Kept in {plain(from_home(data_folders()[0]))}, it is there for whoever may train on this "
        f"server, until you delete it; not kept, it goes after {uploads.KEEP_DAYS:g} days."
    )
    if not asked:
        return False
    keep(seen, name.strip())
    st.session_state[_SAID] = f"Dataset '{name.strip()}' is kept."
    return True


def _slug(name: str) -> str:
    """A name that a dataset may have; empty of an upload that says none."""
    name = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")[:64]
    return "" if re.fullmatch(r"[0-9a-f]{32}", name) else name
