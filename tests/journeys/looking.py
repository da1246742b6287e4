"""What the journeys over every kind of run read from a page, and how they look at it."""

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tests.journeys.app import Server, settled, sound, widget
from tests.journeys.test_looks import CUT, OVERLAPS, WIDE, seen

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SIZES = ((1280, 900), (1024, 768))
TALLEST = 3000
CARD = '[data-testid="stText"]'
# Words of two domains that are false of one or three, and of pictures where there are none.
FALSE_OF = {
    1: re.compile(r"other domain|both domains|both shops|known in both", re.I),
    3: re.compile(r"both shops|the other domain\b|items of both domains", re.I),
}
PICTURES = re.compile(r"picture", re.I)


def look(tab: "Page", server: Server, name: str, tall: bool = True) -> None:
    """Hold the page against what every page must show, in each size, light and dark.

    ``tall`` : a window as high as the page. Pictures go to ``MICREC_JOURNEY_PICTURES``.
    """
    folder = os.environ.get("MICREC_JOURNEY_PICTURES")
    before = tab.viewport_size
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            seen(tab, width, height, scheme)
            if tall:
                whole = tab.evaluate(
                    "() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight"
                )
                seen(tab, width, max(height, min(int(whole), TALLEST)), scheme)
            if folder:
                tab.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png")
            assert tab.evaluate(WIDE) <= 0, (name, width)
            assert tab.evaluate(CUT) == [], (name, width)
            assert tab.evaluate(OVERLAPS) == [], (name, width)
            sound(tab, server)
    seen(tab, before["width"], before["height"])


def said(tab: "Page") -> str:
    """All words of the page without its menu."""
    return str(tab.get_by_test_id("stMain").inner_text())


def true_of(tab: "Page", n_domains: int, pictures: bool) -> None:
    """Nothing is said that is false of a run of so many domains, with pictures or without."""
    words = said(tab)
    if n_domains in FALSE_OF:
        found = FALSE_OF[n_domains].findall(words)
        assert not found, found
    if not pictures:
        lines = [line for line in words.splitlines() if PICTURES.search(line)]
        assert not lines, lines


def titles(tab: "Page", n_domains: int) -> list[str]:
    """Titles of the lists, one a domain; each begins with its place."""
    tab.locator(CARD, has_text="1. ").nth(n_domains - 1).wait_for()
    settled(tab)
    found = [t for t in tab.locator(CARD).all_inner_texts() if t.split(".")[0].isdigit()]
    assert sum(t.startswith("1. ") for t in found) == n_domains
    return found


def scores(tab: "Page") -> list[str]:
    """What the cards say of the scores, in their order."""
    settled(tab)
    return [t for t in tab.get_by_test_id("stCaptionContainer").all_inner_texts()
            if t.startswith("score ")]  # fmt: skip


def table_of(tab: "Page", key: str) -> pd.DataFrame:
    """The numbers behind a chart, as the page gives them away."""
    widget(tab, f"{key}-table").scroll_into_view_if_needed()
    button = widget(tab, f"{key}-csv").get_by_role("button")
    if not button.count():
        widget(tab, f"{key}-table").locator("summary").click()
    button.wait_for()
    settled(tab)
    with tab.expect_download() as download:
        button.click()
    text = download.value.path().read_bytes()
    return pd.read_csv(io.BytesIO(text), keep_default_na=False, na_values=[""])


def cells(tab: "Page", within: "Locator | None" = None) -> list[list[str]]:
    """Rows of the first table, as a screen reader has them."""
    rows = (within or tab).get_by_test_id("stDataFrame").first.locator("canvas tbody tr")
    rows.first.wait_for(state="attached")
    return [row.locator("td").all_text_contents() for row in rows.all()]


def fill(tab: "Page", key: str, words: str) -> None:
    """Write into the field with this key and be done."""
    box = widget(tab, key).locator("input, textarea").first
    box.scroll_into_view_if_needed()
    box.fill(words)
    box.press("Control+Enter")
    if box.evaluate("box => box.tagName") == "INPUT":
        box.press("Enter")
    tab.wait_for_timeout(400)
    settled(tab)
