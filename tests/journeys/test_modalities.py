"""A click on a mark of the triangle opens that item or user below, and in the address."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, settled, sound, value

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# The window's place of the mark that is farthest from all others, and whose it is.
LONE_MARK = """() => {
  const plot = document.querySelector('.st-key-mo_ternary .js-plotly-plot');
  const marks = [...plot.querySelectorAll('.scatterlayer .trace')].flatMap((group, i) =>
    [...group.querySelectorAll('path.point')].map((path, j) => {
      const box = path.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2, plot._fullData[i].customdata[j]];
    }));
  const apart = marks.map(a => Math.min(...marks.filter(b => b !== a)
    .map(b => Math.hypot(a[0] - b[0], a[1] - b[1]))));
  return marks[apart.indexOf(Math.max(...apart))];
}"""


def click_lone_mark(tab: "Page") -> tuple[str, str]:
    """Click it; what kind it is of, and its id."""
    tab.wait_for_function("() => document.querySelector('.st-key-mo_ternary path.point')")
    tab.locator(".st-key-mo_ternary").scroll_into_view_if_needed()
    x, y, (entity, entity_id, *_) = tab.evaluate(LONE_MARK)
    tab.mouse.move(x, y)
    tab.mouse.click(x, y)
    return str(entity), str(entity_id)


def test_a_click_in_the_triangle_looks_at_one(served: Server, tab: "Page") -> None:
    open_page(tab, served, "modalities")
    settled(tab)
    entity, entity_id = click_lone_mark(tab)
    tab.wait_for_url(f"**{entity}={entity_id}**")
    settled(tab)
    assert value(tab, entity) == entity_id
    if entity == "item":
        tab.get_by_text(f"id {entity_id}").wait_for()
    else:
        assert value(tab, "mo_user") == entity_id
    sound(tab, served)
