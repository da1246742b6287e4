"""Servers and browsers for the journeys; skipped, with the reason, where there is no browser."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, chromium, executable, free_port, new_tab, start

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts a fresh server, with a runs folder of its own."""
    servers: list[Server] = []

    def begin(runs: Path | None = None, **environment: str) -> Server:
        servers.append(start(tmp_path / f"server-{len(servers)}", runs, **environment))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()
        server.cancel_training()


@pytest.fixture(scope="session")
def port() -> int:
    """Of fresh servers one after the other, so that the browser has the app's scripts already."""
    return free_port()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Iterator[Server]:
    """One server over the bundled run for all journeys that leave it as it is."""
    server = start(tmp_path_factory.mktemp("served"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: no browser tests"
    )
    if executable() is None:
        pytest.skip("no chromium on this machine: no browser tests")
    with playwright.sync_playwright() as driver, chromium(driver) as found:
        yield found


@pytest.fixture(scope="session")
def regular(browser: "Browser") -> "Iterator[BrowserContext]":
    """A visitor whose browser has the app's scripts already: it is there in half the time.

    A page that it opens is a session of its own all the same.
    """
    context = new_tab(browser).context
    yield context
    context.close()


@pytest.fixture(scope="session")
def reader(regular: "BrowserContext") -> "Iterator[Page]":
    """The regular visitor's tab for page after page; while it is there, so are compiled scripts."""
    tab = regular.new_page()
    yield tab
    tab.close()
    at_home(regular)


def at_home(context: "BrowserContext") -> None:
    """A visitor was sent to no other computer."""
    tried, context.tried = context.tried, []
    assert tried == [], "the app must come from its own server alone"


Visit = Callable[..., "Page"]


@pytest.fixture
def visit(
    browser: "Browser",
    regular: "BrowserContext",
    reader: "Page",
    request: pytest.FixtureRequest,
) -> Iterator[Visit]:
    """Return a function that opens an empty tab, of the regular visitor or of a new one.

    Neither asks another computer. The last look of each tab is kept in the folder that
    ``MICREC_JOURNEY_PICTURES`` names.
    """
    tabs: list[Page] = []

    def opened(
        scheme: str = "light", width: int = 1400, height: int = 1000, new: bool = False
    ) -> "Page":
        if new:
            tabs.append(new_tab(browser, scheme, width, height))
        else:
            tabs.append(regular.new_page())
            tabs[-1].set_viewport_size({"width": width, "height": height})
            tabs[-1].emulate_media(color_scheme=scheme)
        return tabs[-1]

    yield opened
    folder = os.environ.get("MICREC_JOURNEY_PICTURES")
    name = re.sub(r"[^\w-]+", "_", request.node.name)[:80]
    for number, tab in enumerate(tabs):
        if folder:
            tab.screenshot(path=Path(folder) / f"{name}-{number}.png")
        (tab if tab.context is regular else tab.context).close()
        at_home(tab.context)


@pytest.fixture
def tab(regular: "BrowserContext", reader: "Page") -> "Iterator[Page]":
    """Return the regular visitor's tab, empty."""
    reader.goto("about:blank")
    reader.set_viewport_size({"width": 1400, "height": 1000})
    reader.emulate_media(color_scheme="light", reduced_motion="no-preference")
    yield reader
    at_home(regular)
