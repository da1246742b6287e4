"""Every page in light and dark, on a desk and on a tablet: nothing overlaps, nothing is cut off."""

import pytest

from tests.journeys.app import PAGES, Server, open_page, sound
from tests.journeys.conftest import Visit
from tests.journeys.screenshots import drawn

pytestmark = pytest.mark.browser

BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}
# Words of a chart that lie on each other, and charts and pictures without words for who cannot see.
OVERLAPS = """() => {
  const found = [];
  for (const plot of document.querySelectorAll('[data-testid="stMain"] .js-plotly-plot')) {
    const words = [...plot.querySelectorAll(
      '.xtick text, .ytick text, .annotation-text, .legendtext, .xtitle, .ytitle, .x2title')]
      .map(e => [e.textContent, e.getBoundingClientRect()]).filter(([t, r]) => t && r.width);
    words.forEach(([a, p], i) => words.slice(i + 1).forEach(([b, q]) => {
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 2 && high > 3) found.push(`${a} | ${b}`);
    }));
  }
  return found;
}"""
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


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_page(served: Server, visit: Visit, page: str, scheme: str) -> None:
    tab = visit(scheme, 1280, 900)
    open_page(tab, served, page)
    drawn(tab)
    colour = tab.evaluate(
        "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    )
    assert colour == BACKGROUNDS[scheme]
    assert tab.evaluate(OVERLAPS) == []
    assert tab.evaluate(SILENT) == []
    assert tab.evaluate(SILENT_CHARTS) == 0
    assert tab.evaluate(WIDE) <= 0
    assert tab.evaluate(TRAPS) == []
    sound(tab, served)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_on_a_tablet(served: Server, visit: Visit, page: str) -> None:
    tab = visit("light", 820, 1180)
    open_page(tab, served, page)
    drawn(tab)
    assert tab.evaluate(OVERLAPS) == []
    assert tab.evaluate(WIDE) <= 0


# What reaches beyond the window's right edge, and is not in a box that scrolls sideways by itself.
CUT = """() => [...document.querySelectorAll('[data-testid="stMain"] :is(button, p, h1, h2, img)')]
  .filter(e => e.getBoundingClientRect().width > 2
    && e.getBoundingClientRect().right > innerWidth + 1
    && ![...function*(n) { while ((n = n.parentElement)) yield n }(e)].some(
      n => n.matches('[data-testid="stDataFrame"], [role="tablist"], .js-plotly-plot')))
  .map(e => e.innerText || e.alt)"""
HEADER = """() => document.querySelector('[data-testid="stHeader"]').getBoundingClientRect().bottom
  - document.querySelector('[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"]')
    .firstElementChild.getBoundingClientRect().top"""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_on_a_phone(served: Server, visit: Visit, page: str) -> None:
    tab = visit("light", 390, 844)
    open_page(tab, served, page, "?tour=1" if page == "overview" else "")
    drawn(tab)
    assert tab.evaluate(WIDE) <= 0
    assert tab.evaluate(CUT) == []
    assert tab.evaluate(HEADER) <= 0


def test_lists_say_their_domain_where_they_stand_below_each_other(
    served: Server, visit: Visit
) -> None:
    tab = visit("light", 900, 900)
    open_page(tab, served, "recommendations")
    for domain in ("Food", "Kitchen"):
        tab.get_by_text(f"Recommended in {domain}").wait_for()


def test_a_page_can_be_left_by_keyboard(served: Server, visit: Visit) -> None:
    tab = visit()
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
