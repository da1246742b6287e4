"""The pages of the app, in the order of the menu."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from micrec_core.bundled import PAGES
from micrec_core.modalities.registry import USUAL, listed


@dataclass(frozen=True)
class Entry:
    """A page: its words in the menu, its icon and what it answers."""

    title: str
    icon: str
    question: str

    @property
    def url_path(self) -> str:
        """Its address."""
        return self.title.lower().replace(" ", "-")

    @property
    def file(self) -> str:
        """Its script below ``pages/``, without the suffix."""
        return self.url_path.replace("-", "_")


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Explore": (
        Entry("Overview", ":material/home:", "What is this run?"),
        Entry(
            "Alignment",
            ":material/join_inner:",
            "Is the same person at the same place in every domain?",
        ),
        Entry(
            "Modalities",
            ":material/tune:",
            f"What do {listed(USUAL)} weigh, for whom, and does it matter?",
        ),
    ),
    "Try": (
        Entry(
            "Cold start",
            ":material/person_add:",
            "What does someone get whom the model never saw?",
        ),
        Entry("New item", ":material/add_box:", "Who would get an item that nobody took yet?"),
        Entry("Recommendations", ":material/recommend:", "What does a known user get, and why?"),
    ),
    "Defend": (
        Entry("Low degree", ":material/stairs:", "Are items with few interactions served?"),
        Entry("Ablations", ":material/science:", "What is each mechanism worth?"),
    ),
    "Make": (
        Entry("Retrain", ":material/model_training:", "How does a training go, live?"),
        Entry("Runs", ":material/folder_open:", "Which runs are there, and what of them is kept?"),
        Entry("Data", ":material/table:", "Are my own tables usable?"),
    ),
}


def entry(url_path: str) -> Entry:
    """The page at this address."""
    return next(e for group in SECTIONS.values() for e in group if e.url_path == url_path)


def _home() -> None:
    """The bare address: Overview, under an address of its own like every other page."""
    st.switch_page(page_file("overview"), query_params=unbound())


def unbound() -> dict[str, list[str]]:
    """What the address holds that no widget has taken yet; bound values follow by themselves."""
    free = [k for k in st.query_params if k not in st.session_state]
    return {k: st.query_params.get_all(k) for k in free}


def pages() -> dict[str, list[Page]]:
    """What ``st.navigation`` takes."""
    out = {
        section: [
            st.Page(
                page_file(e.url_path), title=e.title, icon=e.icon, url_path=e.url_path,
                help=e.question,
            )
            for e in group
        ]
        for section, group in SECTIONS.items()
    }  # fmt: skip
    home = st.Page(_home, title="MICRec Explorer", url_path="", default=True, visibility="hidden")
    return {"": [home], **out}


def is_home(page: Page) -> bool:
    """Whether this is the bare address, which shows nothing itself."""
    return page.url_path == ""


def page_file(url_path: str) -> Path:
    """The script of the page at this address."""
    return PAGES / f"{entry(url_path).file}.py"


def link(url_path: str, label: str, **query: str) -> None:
    """A link to another page of the app; run, pair and user stay, being bound in the sidebar.

    ``query`` presets what is chosen on that page.
    """
    st.page_link(
        page_file(url_path), label=label, icon=entry(url_path).icon, query_params=query or None
    )
