"""Make somebody up: in three clicks, by a sentence, by a picture; change them and share them."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import ROOT, Server, open_page, settled, sound, widget
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CARD = '[data-testid="stText"]'


def begin(tab: "Page", server: Server) -> None:
    open_page(tab, server, "cold-start")
    tab.get_by_role("button", name="Start over").click()
    tab.get_by_text("Nobody made up yet").wait_for()
    settled(tab)


def lists_in_both_domains(tab: "Page") -> list[str]:
    """The titles of both lists; each begins with its place."""
    tab.locator(CARD, has_text="1. ").nth(1).wait_for()
    settled(tab)
    titles = [t for t in tab.locator(CARD).all_inner_texts() if t.split(".")[0].isdigit()]
    assert sum(t.startswith("1. ") for t in titles) == 2
    assert sum(t.startswith("5. ") for t in titles) == 2
    assert "0 of " in tab.get_by_text("parameters changed").first.inner_text()
    return titles


def like(tab: "Page") -> None:
    before = tab.get_by_role("button", name="Liked").count()
    tab.get_by_role("button", name=re.compile("^Like ")).first.click()
    tab.get_by_role("button", name="Liked").nth(before).wait_for()
    settled(tab)


def test_three_clicks_then_one_like_less(served: Server, tab: "Page", visit: Visit) -> None:
    begin(tab, served)
    widget(tab, "cold_add").get_by_text("Add items", exact=True).click()
    like(tab)
    like(tab)
    before = lists_in_both_domains(tab)
    tab.get_by_text("Likes (2)").wait_for()

    widget(tab, "cold_add").get_by_role("button", name="Liked").first.click()
    tab.get_by_text("Likes (1)").wait_for()
    after = lists_in_both_domains(tab)
    assert after != before
    said = tab.locator('[data-testid="stMain"]').inner_text()
    assert "new" in said or "arrow_" in said, "places that moved are marked"

    shared = visit()
    shared.goto(tab.url)
    shared.get_by_text("Likes (1)").wait_for()
    assert lists_in_both_domains(shared) == after, "the address must bring the user along"

    tab.get_by_role("tab", name="On the map").click()
    tab.wait_for_function(
        "() => { const plot = document.querySelector('.st-key-cold_map .js-plotly-plot');"
        " return plot && plot._fullData.filter(t => t.marker && t.marker.symbol === 'star')"
        ".length === 2 }"
    )
    sound(tab, served)


def test_a_sentence_alone(served: Server, tab: "Page") -> None:
    begin(tab, served)
    box = widget(tab, "cold_text").locator("textarea")
    box.fill("dark roast coffee, hand-made cups")
    box.press("Control+Enter")
    first = lists_in_both_domains(tab)
    box.fill("a pan for pancakes")
    box.press("Control+Enter")
    tab.wait_for_function(
        f"first => [...document.querySelectorAll('{CARD}')].map(e => e.innerText)"
        ".filter(t => /^[0-9]+[.] /.test(t)).join('|') !== first",
        arg="|".join(first),
    )
    assert lists_in_both_domains(tab) != first
    sound(tab, served)


def test_a_picture_alone(served: Server, tab: "Page") -> None:
    pictures = sorted((ROOT / "sample_data" / "images").iterdir())
    begin(tab, served)
    chooser = tab.locator('[data-testid="stFileUploader"] input[type="file"]')
    chooser.set_input_files(pictures[0])
    lists_in_both_domains(tab)
    tab.get_by_alt_text("The picture you gave").wait_for()
    sound(tab, served)


def test_what_is_no_picture_is_refused(served: Server, tab: "Page") -> None:
    begin(tab, served)
    chooser = tab.locator('[data-testid="stFileUploader"] input[type="file"]')
    chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    tab.get_by_test_id("stAlert").wait_for()
    sound(tab, served)


def test_a_made_up_user_in_the_address_is_checked(served: Server, tab: "Page") -> None:
    open_page(tab, served, "cold-start", "?like=nowhere~x&like=food~nothing&like=%3Cb%3E&says=tea")
    tab.get_by_text("Likes (0)").wait_for()
    lists_in_both_domains(tab)
    sound(tab, served)
