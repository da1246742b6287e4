"""Every page opens by its own address as the first thing a fresh server is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import BUNDLED, PAGES, Server, free_port, open_page, settled, sound
from tests.journeys.conftest import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def open_from_menu(tab: "Page", server: Server, url_path: str) -> None:
    """Open a page by its address and hold it against what every page must show."""
    open_page(tab, server, url_path)
    current = tab.locator('[data-testid="stSidebarNavLink"][aria-current="page"]')
    assert PAGES[url_path] in current.inner_text()
    assert tab.locator('[data-testid="stSidebarNavLink"]').count() == len(PAGES)


@pytest.fixture(scope="module")
def port() -> int:
    """Of each fresh server, so that the browser has the app's scripts already."""
    return free_port()


@pytest.fixture
def tab(reader: "Page") -> "Page":
    """A tab that is at no page: one that is open would ask a new server first."""
    reader.goto("about:blank")
    return reader


@pytest.mark.parametrize("url_path", PAGES)
def test_deep_link_first(serve: Serve, tab: "Page", port: int, url_path: str) -> None:
    server = serve(port=port)
    open_from_menu(tab, server, url_path)
    if any(BUNDLED.glob("*/run.json")):
        assert tab.get_by_test_id("stSidebar").get_by_text("Run", exact=True).count() >= 1
        assert tab.get_by_text("No run yet").count() == 0


@pytest.mark.slow
def test_pages_without_any_run(serve: Serve, tab: "Page", port: int, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    server = serve(port=port, MICREC_BUNDLED=str(empty))
    for url_path in PAGES:
        open_from_menu(tab, server, url_path)


@pytest.mark.slow
def test_pages_with_only_damaged_runs(serve: Serve, tab: "Page", port: int, tmp_path: Path) -> None:
    runs = tmp_path / "damaged"
    (runs / "torn").mkdir(parents=True)
    (runs / "torn" / "run.json").write_text('{"schema_version": 1, "name"')
    empty = tmp_path / "nothing"
    empty.mkdir()
    server = serve(runs, port=port, MICREC_BUNDLED=str(empty))
    for url_path in PAGES:
        open_from_menu(tab, server, url_path)


def test_a_run_named_by_a_path_opens_nothing_outside(
    serve: Serve, tab: "Page", port: int, tmp_path: Path
) -> None:
    """The address is anyone's to write: a run in it is a name of the list, never a path."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "run.json").write_text('{"schema_version": 1, "name": "secret-run"}')
    server = serve(port=port)
    tab.goto(f"{server.url}/alignment?run=../../outside")
    tab.locator('[data-testid="stMain"] h1').first.wait_for()
    settled(tab)
    sound(tab, server)
    assert "secret-run" not in tab.locator("body").inner_text()
