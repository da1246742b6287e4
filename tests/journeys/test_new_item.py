"""Make an item up: a word changed and a picture blanked move its ranks."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, settled, sound, widget

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def reached(tab: "Page") -> str:
    """How many would get it, known in its domain."""
    settled(tab)
    return tab.get_by_test_id("stMetricValue").first.inner_text()


def test_a_word_and_a_picture_less(served: Server, tab: "Page") -> None:
    open_page(tab, served, "new-item")
    before = reached(tab)
    assert " of " in before
    title = widget(tab, "ni_title").locator("input")
    title.fill("Moroccan Chocolate Bar")
    title.press("Enter")
    tab.wait_for_function(
        "was => document.querySelector('[data-testid=stMetricValue]').innerText !== was",
        arg=before,
    )
    between = reached(tab)
    tab.get_by_role("button", name="Blank the picture").click()
    tab.get_by_role("button", name="Blank the picture").wait_for(state="detached")
    assert reached(tab) != between
    tab.get_by_text("0 of ").first.wait_for()
    sound(tab, served)
