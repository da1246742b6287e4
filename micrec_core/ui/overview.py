"""The findings of the Overview page as cards, each with its evidence a click away."""

from __future__ import annotations

import streamlit as st

from micrec_core.figures.findings import TABLES, Finding, Findings, how_tested
from micrec_core.ui.glossary import words
from micrec_core.ui.library import Opened
from micrec_core.ui.navigation import link
from micrec_core.ui.widgets import filled, missing, plain


def show_findings(opened: Opened) -> None:
    """A card a finding, and below them what the single mechanisms are worth."""
    cards, mechanisms, _ = _findings(opened.run.key, opened)
    if not cards:
        missing(opened.run.path, "findings", "metrics/")
        return
    st.header("What was found", anchor=False, help=words("NDCG", "Recall", "interval"))
    st.caption(plain(how_tested(opened.info["left_out"], opened.info["mask"])))
    row = filled(len(cards), 250, "findings", border=True)
    for cell, finding in zip(row, cards, strict=True):
        with cell:
            st.markdown(f"**{plain(finding.title)}**")
            for line in finding.lines:
                st.caption(plain(line))
            link(finding.page, finding.link, **finding.query)
    if mechanisms is not None:
        st.markdown(f"**Switched off one by one.** {plain(mechanisms.title)}")
        link(mechanisms.page, mechanisms.link)


@st.cache_resource(max_entries=8, show_spinner=False)
def _findings(key: str, _opened: Opened) -> tuple[list[Finding], Finding | None, str]:
    tables = {name: _opened.frame(name) for name in TABLES}
    found = Findings(tables, _opened.labels, _opened.seed, _opened.info["variant"])
    return found.every(), found.mechanisms(), found.more_than_all()


def more_than_all(opened: Opened) -> str:
    """What it means where going without one modality costs more than without all, if it does."""
    return _findings(opened.run.key, opened)[2]
