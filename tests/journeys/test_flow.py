"""The fold-in, drawn: step by step and played, to the score of the list; still for who asks."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, settled, sound

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def open_flow(tab: "Page", server: Server) -> None:
    open_page(tab, server, "cold-start")
    tab.get_by_role("tab", name="Step by step").click()
    tab.locator(".flow svg").wait_for()
    settled(tab)


def test_it_grows_to_the_score_of_the_first_item(served: Server, tab: "Page") -> None:
    open_flow(tab, served)
    said = tab.locator(".flow .said")
    assert said.inner_text().startswith("Beginning: 9 likes")
    tab.locator(".flow").get_by_role("button", name="Step", exact=True).click()
    assert said.inner_text().startswith("1. Templates, summed")
    tab.locator(".flow").get_by_role("button", name="All").click()
    total = tab.locator(".flow svg text", has_text="score ").text_content() or ""
    score = total.split()[-1]
    card = tab.get_by_test_id("stCaptionContainer").filter(has_text="score ").first.inner_text()
    assert f"score {float(score):.2f} = " in card
    star = tab.locator(".flow .star")
    assert star.is_visible() and "translate(" in (star.get_attribute("style") or "")
    hints = tab.locator(".flow svg rect title").evaluate_all("all => all.map(e => e.textContent)")
    assert any("Interactions: +" in hint for hint in hints)
    sound(tab, served)


def test_it_stands_still_for_who_asks_for_less_motion(served: Server, tab: "Page") -> None:
    tab.emulate_media(reduced_motion="reduce")
    open_flow(tab, served)
    assert "That is the score of" in tab.locator(".flow .said").inner_text()
    assert tab.evaluate("() => document.querySelector('.flow').getAnimations({subtree: true})"
                        ".length") == 0  # fmt: skip
