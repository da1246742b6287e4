"""The Data page below its tabs: what a check found, mends, and what then can be done with it."""

from __future__ import annotations

import streamlit as st

from micrec_core.ui import table_controls as controls
from micrec_core.ui import uploads
from micrec_core.ui.kept import keep_box
from micrec_core.ui.navigation import link
from micrec_core.ui.own_tables import Seen, look, mend, show_summary

SEEN = "data_seen"


def first_look(seen: Seen) -> None:
    """Keep what the first check of a dataset found for the rest of the page."""
    st.session_state[SEEN] = seen
    controls.preset(seen)


def show(seen: Seen) -> None:
    """What a check found; MicrecError where a mend is refused."""
    if not controls.are_named(seen):
        if chosen := controls.choose_tables(seen):
            uploads.assign(seen.folder, chosen)
            with st.spinner("Reading and checking"):
                first_look(look(seen.folder))
            st.rerun()
        return
    again = controls.show_problems(seen) if seen.problems else False
    changes = controls.mended_rows(seen) if seen.problems else []
    with st.expander("How the tables are written, and what their columns mean",
                     expanded=bool(seen.problems), icon=":material/table_edit:"):  # fmt: skip
        written = controls.table_controls(seen)
        bare = controls.one_domain(seen)
        domain = st.text_input("Name of the domain", "shop", max_chars=64) if bare else ""
        again |= st.button("Read them so", type="primary", icon=":material/fact_check:")
    if again or changes:
        with st.spinner("Reading and checking"):
            if changes:
                mend(seen, changes, written)
            if bare:
                controls.give_domain(seen, bare, domain.strip())
            st.session_state[SEEN] = look(seen.folder, written)
        st.rerun()
    if seen.about:
        if seen.uploaded and keep_box(seen):
            st.session_state.pop(SEEN)
            st.rerun()
        show_summary(seen.about)
        if not seen.about["refusal"]:
            link("retrain", "Train on this data")
