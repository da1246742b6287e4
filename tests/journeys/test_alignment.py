"""A lasso in one map lights the same people in the other, through recolouring and into the CSV."""

import io
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.journeys.app import Server, open_page, settled, sound, start, widget
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Iterator[Server]:
    """A server whose maps Plotly draws, as where the linked ones are not built."""
    server = start(tmp_path_factory.mktemp("served"), MICREC_MAPS="plotly")
    yield server
    server.stop()


# Per map, the ids of the users that are lit, once per mark.
LIT = """() => {
  const found = {};
  for (const t of document.querySelector('.st-key-al_map .js-plotly-plot')._fullData) {
    if (t.mode !== 'markers') continue;
    const ids = Array.from(t.selectedpoints || [], i => t.customdata[i][0]);
    found[t.xaxis] = (found[t.xaxis] || []).concat(ids);
  }
  return found;
}"""
# Where one user's mark of the first domain stands in the first map, in the window's pixels.
MARK = """() => {
  const plot = document.querySelector('.st-key-al_map .js-plotly-plot');
  const t = plot._fullData.find(d => d.mode === 'markers' && d.xaxis === 'x');
  const x = plot._fullLayout.xaxis, y = plot._fullLayout.yaxis, box = plot.getBoundingClientRect();
  return [box.left + x._offset + x.d2p(t.x[0]), box.top + y._offset + y.d2p(t.y[0])];
}"""


def lasso(tab: "Page", radius: float = 10) -> None:
    """Draw a circle around one mark of the map on the left."""
    widget(tab, "al_map").scroll_into_view_if_needed()
    tab.wait_for_function(
        "() => document.querySelector('.st-key-al_map .js-plotly-plot .nsewdrag')"
    )
    x, y = tab.evaluate(MARK)
    tab.mouse.move(x + radius, y)
    tab.mouse.down()
    for step in range(1, 25):
        angle = 2 * math.pi * step / 24
        tab.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle), steps=2)
    tab.mouse.up()


def lit(tab: "Page") -> set[str]:
    """The users that are lit, which must be the same in both maps."""
    tab.wait_for_function(
        f"() => {{ const found = ({LIT})(); "
        "return found.x && found.x.length && found.x2.length === found.x.length }"
    )
    found = tab.evaluate(LIT)
    assert set(found["x"]) == set(found["x2"])
    return set(found["x"])


def test_lasso_recolour_csv_link_and_clear(served: Server, tab: "Page", visit: Visit) -> None:
    open_page(tab, served, "alignment")
    lasso(tab)
    chosen = lit(tab)
    assert 0 < len(chosen) <= 50, "a circle this small holds few"
    tab.get_by_text(f"{len(chosen)} selected.").wait_for()

    tab.get_by_test_id("stButtonGroup").get_by_text("Pair distance").click()
    tab.wait_for_function(
        "() => document.querySelector('.st-key-al_map .js-plotly-plot')._fullData"
        ".some(t => t.mode === 'markers' && t.marker.coloraxis)"
    )
    settled(tab)
    assert lit(tab) == chosen, "recolouring must not forget the selection"

    tab.get_by_text("Selected users").click()
    settled(tab)  # opening runs the page; a button pressed meanwhile is drawn anew
    with tab.expect_download() as download:
        widget(tab, "al_selected-csv").get_by_role("button").click()
    table = pd.read_csv(io.BytesIO(download.value.path().read_bytes()), dtype={"user_id": str})
    assert set(table["user_id"]) == chosen
    assert len(table) == 4 * len(chosen), "two maps, two domains"

    shared = visit()
    shared.goto(tab.url)
    settled(shared)
    assert lit(shared) == chosen, "the address must bring the selection along"

    tab.get_by_role("button", name="Clear selection").click()
    tab.get_by_text(re.compile(r"\b0 selected\.")).wait_for()
    settled(tab)
    # The address is written a moment after the page.
    tab.wait_for_function("() => !location.search.includes('sel=')")
    sound(tab, served)


def test_a_selection_in_the_address_is_checked(served: Server, tab: "Page") -> None:
    open_page(tab, served, "alignment", "?sel=nobody&sel=%3Cscript%3E&al_worst=9999")
    tab.get_by_text(re.compile(r"\b0 selected\.")).wait_for()
    sound(tab, served)
