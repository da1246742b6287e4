"""Present mode: one screen of 1024 x 768, the key p, rows that move."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, at_rest, open_page, settled, sound
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# What a room must see, each within the window.
SEEN = """() => [...document.querySelectorAll('.ranks li, .js-plotly-plot .main-svg,'
  + ' .st-key-cold_text textarea, .st-key-cold_present button')]
  .map(e => e.getBoundingClientRect()).filter(r => r.width)
  .filter(r => r.bottom > innerHeight || r.right > innerWidth || r.top < 0).length"""
# How much of the page is below the window.
SCROLLS = """() => { const main = document.querySelector('[data-testid="stMain"]');
  return main.scrollHeight - main.clientHeight }"""


def ranks(tab: "Page") -> list[str]:
    settled(tab)
    return [" ".join(row.split()) for row in tab.locator(".ranks li").all_inner_texts()]


def test_all_of_it_on_one_screen(served: Server, visit: Visit) -> None:
    tab = visit("light", 1024, 768)
    open_page(tab, served, "cold-start")
    tab.keyboard.press("p")
    tab.wait_for_url("**present=1**")
    tab.locator(".ranks li").nth(11).wait_for()
    at_rest(tab)
    assert tab.evaluate(SEEN) == 0
    assert tab.evaluate(SCROLLS) <= 0
    assert not tab.get_by_test_id("stSidebar").is_visible()
    assert tab.get_by_text("parameters changed").is_visible()
    stars = "t => t.marker && t.marker.symbol === 'star'"
    plot = "document.querySelector('.st-key-cold_map .js-plotly-plot')"
    assert tab.evaluate(f"() => {plot}._fullData.filter({stars}).length") == 2

    before = ranks(tab)
    tab.locator('[class*="st-key-cold_remove_"] button').first.click()
    tab.get_by_text("Likes (8)").wait_for()
    after = ranks(tab)
    assert after != before
    assert any("↑" in row or "↓" in row for row in after)
    shared = visit("dark", 1024, 768)
    shared.goto(tab.url)
    shared.locator(".ranks li").nth(11).wait_for()
    assert [row.split(" ", 1)[1] for row in ranks(shared)] == [
        row.split("↑ new")[-1].split("↑")[-1].split("↓")[-1].strip().split(" ", 1)[1]
        for row in after
    ]
    tab.keyboard.press("p")
    tab.get_by_text("What if the model did without").wait_for()
    sound(tab, served)
