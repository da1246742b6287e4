"""The guided tour: six steps through the pages, addressed by ``?tour=1`` to ``?tour=6``."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st
from streamlit.navigation.page import Page

from micrec_core.ui.navigation import page_file, unbound
from micrec_core.ui.sidebar import opened_or_none


@dataclass(frozen=True)
class Step:
    """A stop of the tour: its page, what to say there, and the page state it presets.

    ``alone`` : what to say of a run of one domain, where that is another thing
    """

    page: str
    say: str
    preset: dict[str, str] = field(default_factory=dict)
    alone: str = ""


STEPS = (
    Step(
        "overview",
        "This is one trained model. Each card says what was found, with its interval and how many "
        "it was measured on, and leads to the evidence.",
    ),
    Step(
        "alignment",
        "The same people, drawn once per domain. Coloured by the distance between a person's two "
        "vectors: compare left (before) with right (after).",
        {"al_colour": "Pair distance"},
        "This run has one domain, so nobody is drawn twice and there is nothing to align. Its "
        "items have a map all the same: draw a lasso, or click one.",
    ),
    Step(
        "modalities",
        "What each modality weighs. Where one is missing, the others have all of the weight; "
        "further down is what leaving one out costs, which is another question.",
    ),
    Step(
        "cold-start",
        "Somebody the model never saw. Take back one of the likes, or add one, and "
        "watch the places move in every domain. No parameter changes.",
    ),
    Step(
        "low-degree",
        "Items that hardly anyone has taken yet: the left of each chart. Hatched bars have too few "
        "items to lean on.",
    ),
    Step(
        "ablations",
        "What each mechanism is worth: the same model trained without it. Left of the dotted line, "
        "doing without hurts.",
    ),
)


_ARRIVED = "micrec_arrived"


def _place() -> int | None:
    """The step in the address, from 1; None where there is no tour or no such step."""
    said = st.query_params.get("tour", "")
    place = int(said) if said.isascii() and said.isdigit() and len(said) < 3 else 0
    return place if 1 <= place <= len(STEPS) else None


def _query(place: int) -> dict[str, str]:
    return {"tour": str(place), **STEPS[place - 1].preset}


def lead(page: Page) -> None:
    """On arrival, go to the page of the address's step where another one was opened.

    Only on arrival: later on, the menu and the browser's own Back must lead where they say.
    """
    place = _place()
    arriving = _ARRIVED not in st.session_state
    st.session_state[_ARRIVED] = True
    if arriving and place is not None and STEPS[place - 1].page != page.url_path:
        query = {**unbound(), **_query(place)}
        st.switch_page(page_file(STEPS[place - 1].page), query_params=query)


def banner(page: Page) -> None:
    """What to say at this step, and the way on and back; nothing on another step's page."""
    place = _place()
    if place is None or STEPS[place - 1].page != page.url_path:
        return
    step, this = STEPS[place - 1], opened_or_none()
    say = step.alone if step.alone and this is not None and this.one_domain else step.say
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/tour: **Tour, {place} of {len(STEPS)}.** {say}",
            width="stretch",
        )
        if place > 1:
            _step_link(place - 1, "Back", ":material/arrow_back:")
        if place < len(STEPS):
            _step_link(place + 1, "Next", ":material/arrow_forward:")
        st.button("End", icon=":material/close:", type="tertiary", on_click=_end)


def _end() -> None:
    del st.query_params["tour"]


def start_button() -> None:
    """The way to the first step, on its own page: a link to it would not change the address."""
    if _place() is None:
        st.button("Take the tour (six steps)", icon=":material/tour:", on_click=_begin)


def _begin() -> None:
    st.query_params["tour"] = "1"


def _step_link(place: int, label: str, icon: str) -> None:
    file = page_file(STEPS[place - 1].page)
    st.page_link(file, label=label, icon=icon, query_params=_query(place))
