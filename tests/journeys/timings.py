"""Measure the pages in a real browser: ``python -m tests.journeys.timings``.

The table goes into ``docs/benchmarks.md``, in the place of the one before it. Nothing else should
be running on the machine.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.journeys.app import PAGES, ROOT, Server, chromium, new_tab, open_page, settled, start

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TARGET = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- page timings -->", "<!-- end of page timings -->"
WITH_CHART = ("overview", "alignment", "modalities", "low-degree", "ablations")
REPEATS = 5
# For so long nothing may change before a page counts as settled, in milliseconds.
_QUIET = 1000
# Notes when anything below the page's main part changed last, from now on.
_WATCH = """() => {
  window.clicked = window.changed = performance.now();
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(() => { window.changed = performance.now(); });
  window.watcher.observe(document.querySelector('[data-testid="stMain"]'),
    { childList: true, subtree: true, attributes: true, characterData: true });
}"""
_SETTLED = """([name, quiet]) => {
  const head = document.querySelector('[data-testid="stMain"] h1');
  const app = document.querySelector('[data-testid="stApp"]');
  return head && head.innerText.includes(name) && app.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')
    && performance.now() - window.changed > quiet;
}"""
# A chart that is drawn, below the heading of the page asked for.
_CHART = """name => {
  const main = document.querySelector('[data-testid="stMain"]');
  const head = main && main.querySelector('h1');
  const chart = main && main.querySelector('.js-plotly-plot .main-svg');
  return head && head.innerText.includes(name) && chart
    && !chart.closest('[data-stale="true"]');
}"""


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def until_chart(tab: "Page", page: str) -> None:
    """Wait for the first chart of a page."""
    tab.wait_for_function(_CHART, arg=PAGES[page], polling=10)


def first_pages(browser: "Browser", place: Path) -> dict[str, list[float]]:
    """Starting the server, and its first page, each on servers of their own."""
    out: dict[str, list[float]] = {"server start to first answer": [], "first page": []}
    for number in range(3):
        begun = time.perf_counter()
        server = start(place / f"first-{number}")
        out["server start to first answer"].append(time.perf_counter() - begun)
        tab = new_tab(browser, still=False)
        try:

            def visit(tab: "Page" = tab, server: Server = server) -> None:
                tab.goto(f"{server.url}/overview")
                until_chart(tab, "overview")

            out["first page"].append(seconds(visit))
        finally:
            tab.context.close()
            server.stop()
    return out


def switches(tab: "Page", server: Server) -> dict[str, list[float]]:
    """Warm page switches by the menu, each until its first chart."""
    open_page(tab, server, "overview")
    out: dict[str, list[float]] = {page: [] for page in WITH_CHART}
    for round_ in range(REPEATS + 1):
        for page in (*WITH_CHART[1:], WITH_CHART[0]):
            link = tab.get_by_test_id("stSidebarNavLink").filter(has_text=PAGES[page])

            def switch(link=link, page: str = page) -> None:  # type: ignore[no-untyped-def]
                link.click()
                until_chart(tab, page)

            spent = seconds(switch)
            if round_:  # the first round warms up
                out[page].append(spent)
            settled(tab)
    return out


def settling(tab: "Page", server: Server, rounds: int = REPEATS) -> dict[str, list[float]]:
    """Warm switches by the menu to every page, each until nothing on it changes any more."""
    open_page(tab, server, "overview")
    out: dict[str, list[float]] = {page: [] for page in PAGES}
    for round_ in range(rounds + 1):
        for page, name in (*list(PAGES.items())[1:], next(iter(PAGES.items()))):
            link = tab.get_by_test_id("stSidebarNavLink").filter(has_text=name)
            tab.evaluate(_WATCH)
            link.click()
            tab.wait_for_function(_SETTLED, arg=[name, _QUIET], polling=50)
            if round_:  # the first round warms up
                out[page].append(tab.evaluate("() => (window.changed - window.clicked) / 1000"))
    return out


def cold_start_in_browser(tab: "Page", server: Server) -> list[float]:
    """From taking a like back to new lists in the browser."""
    open_page(tab, server, "cold-start")
    out = []
    for _ in range(REPEATS):
        said = tab.locator('[data-testid="stMain"]').get_by_text("Likes (").inner_text()
        button = tab.locator('[class*="st-key-cold_remove_"] button').first

        def change(button=button, said: str = said) -> None:  # type: ignore[no-untyped-def]
            button.click()
            tab.get_by_text(said, exact=True).wait_for(state="detached")
            settled(tab)

        out.append(seconds(change))
    return out


def cold_start_on_server() -> list[float]:
    """Server time of the same change: the whole script, without a browser."""
    from streamlit.testing.v1 import AppTest

    test = AppTest.from_file(str(ROOT / "micrec_core" / "ui" / "router.py"), default_timeout=120)
    test.run()
    test.switch_page("../../pages/cold_start.py").run()
    out = []
    for _ in range(REPEATS):
        keys = [b for b in test.button if (b.key or "").startswith("cold_remove_")]
        out.append(seconds(lambda button=keys[0]: button.click().run()))
    return out


def cancelling(tab: "Page", server: Server) -> list[float]:
    """From the click on Cancel until no process of the training is left."""
    from tests.journeys.test_retrain import cancel
    from tests.journeys.test_retrain import start as start_training

    out = []
    for _ in range(2):
        open_page(tab, server, "retrain")
        start_training(tab)
        tab.get_by_text(re.compile(r"Epoch \d+ of")).wait_for(timeout=180_000)
        out.append(cancel(tab, server.runs))
        tab.get_by_role("button", name="Discard").click()
        tab.get_by_role("button", name="Discard").wait_for(state="detached")
    return out


def row(what: str, aim: str, values: list[float]) -> str:
    """A line of the table."""
    return (
        f"| {what} | {aim} | {statistics.median(values):.2f} s | {max(values):.2f} s "
        f"| {len(values)} |"
    )


def measured(note: str) -> str:
    """Measure everything; the section as Markdown."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as driver,
        chromium(driver) as browser,
    ):
        place = Path(folder)
        first = first_pages(browser, place)
        server = start(place / "warm")
        tab = new_tab(browser, still=False)
        try:
            warm = switches(tab, server)
            still = settling(tab, server)
            browsed = cold_start_in_browser(tab, server)
            stopped = cancelling(tab, server)
        finally:
            tab.context.close()
            server.stop()
        os.environ["MICREC_RUNS"] = str(place / "none")
        served = cold_start_on_server()
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on 2 cores{note} with the bundled run, in a "
        "headless Chromium that draws in software, by `python -m tests.journeys.timings`.",
        "",
        "| what | aim | median | longest | times |",
        "|---|---|---|---|---|",
        row("server start to its first answer", "", first["server start to first answer"]),
        row("first page of a new server, to its first chart", "6 s", first["first page"]),
        *(row(f"warm switch to {PAGES[p]}, to its first chart", "1 s", warm[p]) for p in warm),
        *(
            row(f"warm switch to {PAGES[p]}, until nothing changes", "1.5 s", still[p])
            for p in still
        ),
        row("cold start: one like less, server time", "0.5 s", served),
        row("cold start: one like less, click to new lists", "", browsed),
        row("cancelling a training, click to no process left", "5 s", stopped),
    ]
    return "\n".join(lines)


def written(text: str, section: str) -> str:
    """The benchmarks with the section in the place of the one before, or at the end."""
    block = f"{BEGIN}\n## The pages\n\n{section}\n{END}"
    if BEGIN in text and END in text:
        return text.split(BEGIN)[0] + block + text.split(END, 1)[1]
    return f"{text.rstrip()}\n\n{block}\n"


def main() -> int:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--under-load", action="store_true", help="say that it was not alone")
    wanted = parser.parse_args()
    section = measured(", under load from other work," if wanted.under_load else "")
    TARGET.write_text(written(TARGET.read_text(encoding="utf-8"), section), encoding="utf-8")
    sys.stdout.write(f"{section}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
