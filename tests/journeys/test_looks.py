"""Every page in light and dark, on a desk, a tablet and a phone: nothing overlaps or is cut off.

On a desk axe-core finds nothing grave either, for who cannot see, or not well.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.journeys.app import PAGES, Server, at_rest, open_page, sound
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}
# Words of a chart that are seen and lie on each other, and ticks of one line that touch.
OVERLAPS = """() => {
  const found = [];
  for (const plot of document.querySelectorAll('[data-testid="stMain"] .js-plotly-plot')) {
    const words = [...plot.querySelectorAll(
      '.xtick text, .ytick text, .annotation-text, .legendtext, .xtitle, .ytitle, .x2title')]
      .filter(e => e.checkVisibility())
      .map(e => [e.textContent, e.getBoundingClientRect()]).filter(([t, r]) => t && r.width);
    words.forEach(([a, p], i) => words.slice(i + 1).forEach(([b, q]) => {
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 2 && high > 3) found.push(`${a} | ${b}`);
    }));
    const ticks = [...plot.querySelectorAll('.xtick text')]
      .filter(e => e.checkVisibility())
      .map(e => [e.textContent, e.getBoundingClientRect()]).filter(([t, r]) => t && r.width);
    ticks.forEach(([a, p], i) => ticks.slice(i + 1).forEach(([b, q]) => {
      const apart = Math.max(p.left, q.left) - Math.min(p.right, q.right);
      if (p.top === q.top && p.bottom === q.bottom && apart < 3) found.push(`${a} touches ${b}`);
    }));
  }
  return found;
}"""
# Charts and pictures without words for who cannot see.
SILENT = """() => [...document.querySelectorAll('[data-testid="stMain"] img')]
  .filter(i => !i.alt).map(i => i.src.slice(0, 80))"""
SILENT_CHARTS = """() => [...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
  .filter(c => !c.matches('[aria-label]') && !c.querySelector('[aria-label]')
    && !c.closest('[aria-label]')).length"""
# The page itself must not scroll sideways; tables and tabs inside it may.
WIDE = """() => { const main = document.querySelector('[data-testid="stMain"]');
  return main.scrollWidth - main.clientWidth }"""
# A box that scrolls by itself and is nearly as tall as the window catches the wheel.
TRAPS = """() => [...document.querySelectorAll('[data-testid="stMain"] *')].filter(e => {
  const style = getComputedStyle(e);
  return /auto|scroll/.test(style.overflowY) && e.scrollHeight > e.clientHeight + 4
    && e.clientHeight > 0.75 * innerHeight && e.clientWidth > 200;
}).map(e => e.dataset.testid || e.className.toString().slice(0, 60))"""

# Streamlit's own menu puts its sections' <div> into a list; neither theme nor content of ours.
NOT_OURS = [["[data-testid='stSidebarNav']"]]
BUTTONS = """() => [...document.querySelectorAll('[data-testid="stMain"] .stButton button')]
  .filter(b => b.offsetParent).map(b => b.innerText.replace(/\\s+/g, ' ').trim())"""
LEVELS = """() => [...document.querySelectorAll('[data-testid="stMain"] :is(h1,h2,h3,h4,h5,h6)')]
  .map(h => Number(h.tagName[1]))"""


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, served: Server, reader: "Page") -> str:
    """A page that is open, to be looked at in one way after the other."""
    url_path = str(request.param)
    reader.emulate_media(color_scheme="light", reduced_motion="no-preference")
    reader.set_viewport_size({"width": 1280, "height": 900})
    open_page(reader, served, url_path)
    return url_path


def seen(tab: "Page", width: int, height: int, scheme: str = "light") -> None:
    """Have the open page in a window of this size and wait until it stands still."""
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme=scheme)
    tab.wait_for_function(
        "colour => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]'))"
        ".backgroundColor === colour",
        arg=BACKGROUNDS[scheme],
    )
    tab.wait_for_timeout(300)  # after which the server draws the charts anew
    at_rest(tab)


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
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page(served: Server, reader: "Page", page: str, scheme: str) -> None:
    tab = reader
    seen(tab, 1280, 900, scheme)
    assert tab.evaluate(OVERLAPS) == []
    assert tab.evaluate(SILENT) == []
    assert tab.evaluate(SILENT_CHARTS) == 0
    assert tab.evaluate(WIDE) <= 0
    assert tab.evaluate(TRAPS) == []
    levels = tab.evaluate(LEVELS)
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    names = tab.evaluate(BUTTONS)
    assert len(set(names)) == len(names), names
    sound(tab, served)
    assert grave(tab) == []


@pytest.mark.slow
def test_page_on_a_tablet(reader: "Page", page: str) -> None:
    seen(reader, 820, 1180)
    assert reader.evaluate(OVERLAPS) == []
    assert reader.evaluate(WIDE) <= 0


# What reaches beyond the window's right edge, and is not in a box that scrolls sideways by itself.
CUT = """() => [...document.querySelectorAll('[data-testid="stMain"] :is(button, p, h1, h2, img)')]
  .filter(e => e.getBoundingClientRect().width > 2
    && e.getBoundingClientRect().right > innerWidth + 1
    && ![...function*(n) { while ((n = n.parentElement)) yield n }(e)].some(
      n => n.matches('[data-testid="stDataFrame"], [role="tablist"], .js-plotly-plot')))
  .map(e => e.innerText || e.alt)"""
# Words of a chart that reach beyond its picture.
CUT_WORDS = """() => [...document.querySelectorAll('[data-testid="stMain"] .js-plotly-plot')]
  .flatMap(plot => {
    const box = plot.querySelector('.main-svg').getBoundingClientRect();
    return [...plot.querySelectorAll('text')].filter(e => {
      const r = e.getBoundingClientRect();
      return r.width && (r.left < box.left - 1 || r.right > box.right + 1);
    }).map(e => e.textContent);
  })"""
HEADER = """() => document.querySelector('[data-testid="stHeader"]').getBoundingClientRect().bottom
  - document.querySelector('[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"]')
    .firstElementChild.getBoundingClientRect().top"""


@pytest.mark.slow
def test_page_on_a_phone(served: Server, reader: "Page", page: str) -> None:
    """Opened there, where the menu is folded from the first."""
    reader.emulate_media(color_scheme="light")
    reader.set_viewport_size({"width": 390, "height": 844})
    open_page(reader, served, page, "?tour=1" if page == "overview" else "")
    at_rest(reader)
    assert reader.evaluate(WIDE) <= 0
    assert reader.evaluate(CUT) == []
    assert reader.evaluate(CUT_WORDS) == []
    assert reader.evaluate(OVERLAPS) == []
    assert reader.evaluate(HEADER) <= 0


def test_lists_say_their_domain_where_they_stand_below_each_other(
    served: Server, visit: Visit
) -> None:
    tab = visit("light", 900, 900)
    open_page(tab, served, "recommendations")
    for domain in ("Food", "Kitchen"):
        tab.get_by_text(f"Recommended in {domain}").wait_for()


# How far what stands rightmost of each line in a row of cells ends from the row's right edge.
SHORT = """() => [...document.querySelectorAll(
    '[data-testid="stMain"] :is([class*="st-key-filled"], [class*="st-key-beside-"])')]
  .flatMap(row => {
    const lines = new Map(), edge = row.getBoundingClientRect().right;
    for (const cell of row.children) {
      const box = cell.getBoundingClientRect(), line = Math.round(box.top);
      lines.set(line, Math.max(lines.get(line) ?? 0, box.right));
    }
    return [...lines.values()].map(right => [row.className.match(/st-key-\\S+/)[0], edge - right]);
  }).filter(([, short]) => short > 2)"""


@pytest.mark.parametrize("url_path", ["overview", "alignment", "cold-start", "new-item"])
def test_no_line_of_a_row_is_half_empty(served: Server, reader: "Page", url_path: str) -> None:
    reader.set_viewport_size({"width": 1024, "height": 768})
    open_page(reader, served, url_path)
    assert reader.locator('[data-testid="stMain"] [class*="st-key-filled"]').count()
    assert reader.evaluate(SHORT) == []


def test_a_page_can_be_left_by_keyboard(served: Server, tab: "Page") -> None:
    open_page(tab, served, "overview")
    for _ in range(40):
        tab.keyboard.press("Tab")
        if "Ablations" in tab.evaluate("() => document.activeElement.innerText || ''")[:30]:
            break
    else:
        pytest.fail("the Tab key never came to the menu's entry")
    tab.keyboard.press("Enter")
    tab.locator('[data-testid="stMain"] h1', has_text="Ablations").wait_for()
    sound(tab, served)
