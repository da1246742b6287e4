"""Two maps in the browser: linked without a run of the page, found, opened and played."""

import math
from typing import TYPE_CHECKING

import pytest

from micrec_core.ui import components
from micrec_core.ui.address import MOST
from tests.journeys.app import Server, open_page, settled, sound
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not components.has_maps(), reason="the linked maps are not built"),
]
READY = "() => document.querySelector('.maps')?.maps.views.every(v => v.plot.get('isPointsDrawn'))"
# Marks lit in each map, and the entities that the component holds for lit.
LIT = """() => {
  const { views, lit } = document.querySelector('.maps').maps;
  return [...views.map(v => [...v.plot.get('selectedPoints')].sort((a, b) => a - b)), lit];
}"""
# Where a mark stands in a map, in the window's pixels.
PLACE = """([view, mark]) => {
  const here = document.querySelector('.maps').maps.views[view];
  const box = here.box.querySelector('canvas').getBoundingClientRect();
  const [x, y] = here.place(mark);
  return [box.left + x, box.top + y];
}"""
# The mark nearest to a map's middle, around which there is room for a lasso.
MIDDLE = """view => {
  const here = document.querySelector('.maps').maps.views[view];
  const { width, height } = here.box.querySelector('canvas').getBoundingClientRect();
  let [best, least] = [-1, Infinity];
  for (let mark = 0; here.place(mark)[0] !== undefined; mark++) {
    const [x, y] = here.place(mark), far = Math.hypot(x - width / 2, y - height / 2);
    if (here.shown(mark) && far < least) [best, least] = [mark, far];
  }
  return best;
}"""
RUNS = "() => window.runs"
COUNT = """() => { window.runs = 0; new MutationObserver(() => {
  if (document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'running')
    window.runs += 1;
}).observe(document.querySelector('[data-testid="stApp"]'), { attributes: true }) }"""


def ready(tab: "Page") -> None:
    tab.wait_for_function(READY)
    tab.locator(".maps").scroll_into_view_if_needed()


def lasso(tab: "Page", view: int, mark: int, radius: float = 30) -> None:
    """A circle around a mark, ending where it began."""
    x, y = tab.evaluate(PLACE, [view, mark])
    tab.mouse.move(x + radius, y)
    tab.mouse.down()
    for step in range(1, 25):
        angle = 2 * math.pi * step / 24
        tab.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle), steps=2)
    tab.mouse.up()


def test_people_are_linked_found_opened_and_played(served: Server, visit: Visit) -> None:
    tab = visit()
    open_page(tab, served, "alignment")
    ready(tab)
    tab.evaluate(COUNT)
    x, y = tab.evaluate(PLACE, [1, 0])
    tab.mouse.move(x, y)
    tab.wait_for_function(
        "() => document.querySelector('.maps').maps.views[0].plot.get('hoveredPoint') !== undefined"
    )
    tab.wait_for_timeout(300)
    assert tab.evaluate(RUNS) == 0, "hovering must not run the page"

    lasso(tab, 1, 0, 12)
    tab.wait_for_function(f"() => ({LIT})()[2].length > 1")
    settled(tab)
    left, right, people = tab.evaluate(LIT)
    assert len(people) <= MOST, "more are in no address"
    assert left == right and len(left) == 2 * len(people), "each person's two marks in both maps"
    tab.get_by_text(f" {len(people)} selected.").wait_for()
    settled(tab)
    assert len(tab.evaluate(LIT)[2]) == len(people), "what comes back must not change it"

    shared = visit(new=True)
    shared.goto(tab.url)
    ready(shared)
    shared.wait_for_function(f"() => ({LIT})()[2].length === {len(people)}")

    tab.get_by_role("button", name="Clear selection").click()
    tab.wait_for_function(f"() => ({LIT})().every(l => l.length === 0)")
    search = tab.get_by_role("searchbox", name="Find in the maps by words")
    who = tab.evaluate("() => document.querySelector('.maps').maps.labels[5]")
    search.fill(who)
    search.press("Enter")
    tab.wait_for_function(f"() => ({LIT})()[2].length === 1")
    tab.wait_for_function(f"() => location.search.includes('user={who}')")
    tab.wait_for_function(
        f"() => document.querySelector('.st-key-user input').value === {who!r}"
    )  # one alone is opened
    settled(tab)

    title = tab.locator(".maps .view:nth-child(2) .title")
    before = title.inner_text()
    tab.get_by_role("slider", name="Moment of the training").press("Home")
    tab.wait_for_function(
        f"() => document.querySelectorAll('.maps .title')[1].innerText !== {before!r}"
    )
    assert "epoch 0" in title.inner_text()
    tab.get_by_role("button", name="Play", exact=True).click()
    tab.wait_for_function(
        f"() => document.querySelectorAll('.maps .title')[1].innerText === {before!r}"
    )
    assert tab.evaluate(LIT)[1], "who is lit stays lit while it plays"
    sound(tab, served)


def test_items_are_shown_with_pictures_and_opened(served: Server, visit: Visit) -> None:
    tab = visit("dark")
    open_page(tab, served, "alignment", "?al_of=Items")
    ready(tab)
    mark = tab.evaluate("() => +Object.keys(document.querySelector('.maps').maps.pictures)[0]")
    x, y = tab.evaluate(PLACE, [0, mark])
    tab.mouse.move(x - 40, y)
    tab.mouse.move(x, y, steps=4)
    tab.locator(".maps .tip").wait_for()
    assert "interactions" in tab.locator(".maps .tip").inner_text()
    tab.mouse.click(x, y)
    tab.wait_for_function("() => location.search.includes('item=')")
    settled(tab)
    tab.wait_for_function(f"() => ({LIT})()[1].length === 1")
    tab.get_by_label("Density").check()
    drawn = "() => document.querySelector('.maps .over').toDataURL().length"
    before = tab.evaluate(drawn)
    tab.get_by_label("Pictures").check()
    tab.wait_for_function(f"n => ({drawn})() > 2 * n", arg=before)
    lasso(tab, 0, mark, 70)
    tab.get_by_text("have in common").first.wait_for()
    was = tab.evaluate_handle("() => document.querySelector('.maps').maps")
    tab.emulate_media(color_scheme="light")
    tab.wait_for_function("was => was.views[0].plot.get('backgroundColor')[0] === 1", arg=was)
    settled(tab)
    assert was.evaluate("was => was.root.isConnected"), "another theme builds nothing anew"
    sound(tab, served)


# Entities that are lit in each of two maps that show different ones.
ENTITIES = """() => {
  const { views } = document.querySelector('.maps').maps;
  return views.map(v => v.plot.get('selectedPoints').length);
}"""


def test_people_beside_items_light_each_other(served: Server, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    open_page(tab, served, "alignment", "?al_of=People+beside+items")
    ready(tab)
    tops = tab.evaluate("() => [...document.querySelectorAll('.maps .view')].map(v => v.offsetTop)")
    assert tops[0] == tops[1], "beside each other where there is room"
    tab.evaluate(COUNT)
    x, y = tab.evaluate(PLACE, [0, 0])
    tab.mouse.move(x - 40, y)
    tab.mouse.move(x, y, steps=4)
    tab.wait_for_function(f"() => ({ENTITIES})()[1] > 0")
    said = tab.locator(".maps .tip").inner_text()
    assert tab.evaluate(ENTITIES)[1] == int(said.split("\n")[1].split()[0]), said
    tab.mouse.move(x, y + 500)
    tab.wait_for_function(f"() => ({ENTITIES})().every(n => n === 0)")
    assert tab.evaluate(RUNS) == 0, "pointing must not run the page"

    item = tab.evaluate("() => +Object.keys(document.querySelector('.maps').maps.pictures)[0]")
    person_marks = tab.evaluate("() => document.querySelector('.maps').maps.labels.length")
    assert item < person_marks
    search = tab.get_by_role("searchbox", name="Find in the maps by words")
    search.fill(tab.evaluate("i => document.querySelector('.maps').maps.labels[i]", item))
    search.press("Enter")
    tab.wait_for_function(f"() => ({ENTITIES})()[0] > 0 && ({ENTITIES})()[1] > 0")
    tab.wait_for_function("() => location.search.includes('item=')")
    tab.get_by_text("Selected: 0 of the people, 1 of the items.").wait_for()
    settled(tab)
    assert all(tab.evaluate(ENTITIES)), "an item lights those who took it"
    tab.get_by_role("button", name="Clear selection").click()
    tab.wait_for_function(f"() => ({ENTITIES})().every(n => n === 0)")
    sound(tab, served)


@pytest.mark.parametrize("of", ["People", "Items", "People+beside+items"])
def test_no_mark_is_cut_on_a_phone(served: Server, visit: Visit, of: str) -> None:
    tab = visit("light", 390, 844)
    open_page(tab, served, "alignment", f"?al_of={of}")
    ready(tab)
    outside = """() => document.querySelector('.maps').maps.views.map(v => {
      const box = v.box.querySelector('canvas').getBoundingClientRect();
      const all = [...Array(v.plot.get('points').length).keys()].filter(v.shown);
      return all.filter(m => { const [x, y] = v.place(m);
        return x < 0 || y < 0 || x > box.width || y > box.height }).length;
    })"""
    assert set(tab.evaluate(outside)) == {0}
