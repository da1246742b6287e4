"""Every page opens by its own address as the first thing a fresh server is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import BUNDLED, PAGES, Server, open_page, settled, sound
from tests.journeys.conftest import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def open_first(tab: "Page", server: Server, url_path: str) -> None:
    """Open a page by its address and hold it against what every page must show."""
    open_page(tab, server, url_path)
    in_menu(tab, url_path)


def open_all(tab: "Page", server: Server) -> None:
    """Open the first page by its address and all others by the menu.

    By their addresses ``tests/pages/test_smoke.py`` opens them without a browser.
    """
    first, *others = PAGES
    open_first(tab, server, first)
    for url_path in others:
        tab.get_by_test_id("stSidebarNavLink").filter(has_text=PAGES[url_path]).click()
        tab.locator('[data-testid="stMain"] h1', has_text=PAGES[url_path]).wait_for()
        settled(tab)
        sound(tab, server)
        in_menu(tab, url_path)


def in_menu(tab: "Page", url_path: str) -> None:
    """The menu has all pages, and this one for the current one."""
    current = tab.locator('[data-testid="stSidebarNavLink"][aria-current="page"]')
    assert PAGES[url_path] in current.inner_text()
    assert tab.locator('[data-testid="stSidebarNavLink"]').count() == len(PAGES)


@pytest.mark.parametrize("url_path", PAGES)
def test_deep_link_first(serve: Serve, tab: "Page", port: int, url_path: str) -> None:
    server = serve(port=port)
    open_first(tab, server, url_path)
    if any(BUNDLED.glob("*/run.json")):
        assert tab.get_by_test_id("stSidebar").get_by_text("Run", exact=True).count() >= 1
        assert tab.get_by_text("No run yet").count() == 0


@pytest.mark.slow
def test_pages_without_any_run(serve: Serve, tab: "Page", port: int, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    server = serve(port=port, MICREC_BUNDLED=str(empty))
    open_all(tab, server)


@pytest.mark.slow
def test_pages_with_only_damaged_runs(serve: Serve, tab: "Page", port: int, tmp_path: Path) -> None:
    runs = tmp_path / "damaged"
    (runs / "torn").mkdir(parents=True)
    (runs / "torn" / "run.json").write_text('{"schema_version": 1, "name"')
    empty = tmp_path / "nothing"
    empty.mkdir()
    server = serve(runs, port=port, MICREC_BUNDLED=str(empty))
    open_all(tab, server)


def test_a_run_named_by_a_path_opens_nothing_outside(served: Server, tab: "Page") -> None:
    """The address is anyone's to write: a run in it is a name of the list, never a path."""
    outside = served.runs.parent.parent / "outside"
    outside.mkdir()
    (outside / "run.json").write_text('{"schema_version": 1, "name": "secret-run"}')
    tab.goto(f"{served.url}/alignment?run=../../outside")
    tab.locator('[data-testid="stMain"] h1').first.wait_for()
    settled(tab)
    sound(tab, served)
    assert "secret-run" not in tab.locator("body").inner_text()
