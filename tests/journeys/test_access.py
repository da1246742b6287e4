"""Every page for who cannot see, or not well: axe-core finds nothing grave in theme or content."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.journeys.app import PAGES, Server, open_page, settled
from tests.journeys.conftest import Visit
from tests.journeys.screenshots import drawn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Streamlit's own menu puts its sections' <div> into a list; neither theme nor content of ours.
NOT_OURS = [["[data-testid='stSidebarNav']"]]
BUTTONS = """() => [...document.querySelectorAll('[data-testid="stMain"] .stButton button')]
  .filter(b => b.offsetParent).map(b => b.innerText.replace(/\\s+/g, ' ').trim())"""
LEVELS = """() => [...document.querySelectorAll('[data-testid="stMain"] :is(h1,h2,h3,h4,h5,h6)')]
  .map(h => Number(h.tagName[1]))"""


def grave(tab: "Page") -> list[tuple[str, str]]:
    """What axe-core calls serious or critical, and the headings that leave a level out."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    found: dict[str, Any] = axe.Axe().run(tab, context={"exclude": NOT_OURS}).response
    return [
        (broken["id"], str([node["target"] for node in broken["nodes"]][:3]))
        for broken in found["violations"]
        if broken["impact"] in ("serious", "critical") or broken["id"] == "heading-order"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page(served: Server, visit: Visit, page: str) -> None:
    tab = visit("light", 1280, 900)
    open_page(tab, served, page)
    drawn(tab)
    assert grave(tab) == []
    levels = tab.evaluate(LEVELS)
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    names = tab.evaluate(BUTTONS)
    assert len(set(names)) == len(names), names
    tab.emulate_media(color_scheme="dark")
    settled(tab)
    drawn(tab)
    assert grave(tab) == []


def test_a_new_list_is_said_and_the_focus_stays(served: Server, tab: "Page") -> None:
    open_page(tab, served, "cold-start")
    said = tab.locator('[data-testid="stMain"] [role="status"]')
    before = said.inner_text()
    assert before.startswith("New lists. Food: ")
    button = tab.locator('[class*="st-key-cold_remove_"] button').first
    button.focus()
    tab.keyboard.press("Enter")
    tab.get_by_text("Likes (8)").wait_for()
    settled(tab)
    assert said.inner_text() != before
    tab.wait_for_function(
        "() => document.activeElement.closest('[class*=st-key-cold_remove_]') !== null"
    )
