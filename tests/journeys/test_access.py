"""The keyboard and who listens: what changes is said, and the focus stays where it was."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


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
