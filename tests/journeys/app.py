"""A fresh server of the app and a real browser: for the journeys, the screenshots, the timings."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from micrec_core.jobs.manager import JobManager

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright, Request

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "assets" / "runs"
START_SECONDS = 240
PATIENCE = 120_000  # milliseconds; a busy machine is slow, not wrong
PAGES = {
    "overview": "Overview",
    "alignment": "Alignment",
    "modalities": "Modalities",
    "cold-start": "Cold start",
    "new-item": "New item",
    "recommendations": "Recommendations",
    "low-degree": "Low degree",
    "ablations": "Ablations",
    "retrain": "Retrain",
    "runs": "Runs",
    "data": "Data",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    # Nobody answers there, and for this computer itself none is asked: what leads elsewhere fails.
    # To catch requests by ``route`` would have each page fetch and compile all scripts anew.
    "--proxy-server=http://127.0.0.1:9",
    # Nor would a new tab have what another has compiled, but for this.
    "--process-per-site",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What Streamlit lets pulse, turn and fade while a page is being drawn costs a browser that draws in
# software a quarter of all its work. Our own movements are left, to be looked at.
_STILL = """new MutationObserver((_, watch) => {
  if (!document.head) return;
  watch.disconnect();
  const none = '{ animation: none !important; transition: none !important }';
  const style = document.createElement('style');
  style.textContent = `:not(.flow *), ::before, ::after ${none}`;
  document.head.append(style);
}).observe(document, { childList: true, subtree: true })"""


class NotStarted(Exception):
    """The app ended, or did not answer in time; says what it printed."""


@dataclass(frozen=True)
class Server:
    """A running app."""

    url: str
    runs: Path
    log: Path
    process: subprocess.Popen

    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End the app and whatever it started in its own process group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(timeout=10)
                return
            except subprocess.TimeoutExpired:
                continue

    def cancel_training(self) -> None:
        """End a training too, which outlives the app that started it."""
        manager = JobManager(self.runs)
        for job in reversed(manager.jobs()):
            manager.cancel(job.owner)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    place: Path,
    runs: Path | None = None,
    port: int | None = None,
    root: Path = ROOT,
    **environment: str,
) -> Server:
    """Start the app with a runs folder of its own and wait until it answers.

    Parameters
    ----------
    place : an empty folder for the log and, unless given, the runs
    root : the checkout whose app it is
    environment : added to the process's own
    """
    place.mkdir(parents=True, exist_ok=True)
    runs, log = runs or place / "runs", place / "log.txt"
    runs.mkdir(exist_ok=True)
    port = port or free_port()
    options = {"port": port, "address": "127.0.0.1", "headless": "true"}
    flags = [word for key, value in options.items() for word in (f"--server.{key}", str(value))]
    with open(log, "ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *flags],
            cwd=root,
            env=os.environ | {"MICREC_RUNS": str(runs), "OMP_NUM_THREADS": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", runs, log, process)
    deadline = time.monotonic() + START_SECONDS
    while not healthy(server.url):
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise NotStarted(f"the app did not start:\n{server.said()}")
        time.sleep(0.05)
    return server


def healthy(url: str) -> bool:
    """Whether an app answers there."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def executable() -> str | None:
    """Path of the machine's Chromium, None where there is none."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


@contextmanager
def chromium(driver: "Playwright") -> "Iterator[Browser]":
    """The machine's Chromium without a window."""
    browser = driver.chromium.launch(executable_path=executable(), args=list(_ARGUMENTS))
    yield browser
    browser.close()


def outside(address: str) -> bool:
    """Whether a browser would leave this computer for it."""
    parts = urllib.parse.urlsplit(address)
    return parts.scheme not in ("data", "blob", "about", "file") and parts.hostname != "127.0.0.1"


def new_tab(  # type: ignore[no-untyped-def]
    browser: "Browser",
    scheme: str = "light",
    width: int = 1400,
    height: int = 1000,
    still: bool = True,
):
    """An empty tab of a visitor without any past, who reaches nothing but this computer.

    Addresses that were tried outside of it are in ``tab.context.tried``. ``still`` has nothing of
    Streamlit's own move, which costs time and tells nothing.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE)
    context.tried = []
    if still:
        context.add_init_script(_STILL)

    def note(request: "Request") -> None:
        if outside(request.url):
            context.tried.append(request.url)

    context.on("request", note)
    return context.new_page()


def settled(tab: "Page") -> None:
    """Wait until the page's script has run to its end and everything it drew is there."""
    tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    tab.wait_for_function(
        '() => !document.querySelector(\'[data-testid="stSkeleton"], [data-stale="true"]\')'
    )


# Where everything on the page stands, in short.
_PLACES = """() => [...document.querySelectorAll('[data-testid="stMain"] *')].reduce((sum, e) => {
  const box = e.getBoundingClientRect();
  for (const x of [box.left, box.top, box.width, box.height]) sum = (31 * sum + 8 * x) % 1e9;
  return sum;
}, 7)"""


def at_rest(tab: "Page") -> None:
    """Wait until the page, its charts and its pictures have kept their places for a moment."""
    settled(tab)
    tab.wait_for_function(
        "() => [...document.images].every(i => i.complete) && "
        "[...document.querySelectorAll('.js-plotly-plot')].every("
        "p => p.querySelector('.main-svg') && p.querySelector('.xtick, .legend, text'))"
    )
    before, deadline = None, time.monotonic() + 20
    while before != (before := tab.evaluate(_PLACES)) and time.monotonic() < deadline:
        tab.wait_for_timeout(400)


def open_page(tab: "Page", server: Server, url_path: str, query: str = "") -> None:
    """Open a page by its address and hold it against what every page must show."""
    tab.goto(f"{server.url}/{url_path}{query}")
    tab.locator('[data-testid="stMain"] h1, [data-testid="stException"]').first.wait_for()
    settled(tab)
    sound(tab, server)
    assert PAGES[url_path] in title(tab)


def sound(tab: "Page", server: Server) -> None:
    """No exception on the page and none in what the server printed."""
    assert tab.locator('[data-testid="stException"]').count() == 0, server.said()
    assert "Traceback" not in server.said(), server.said()


def title(tab: "Page") -> str:
    """The page's heading."""
    return tab.locator('[data-testid="stMain"] h1').first.inner_text()


def pick(tab: "Page", key: str, place: int) -> str:
    """Choose an option of the select box with this key by its place; returns its words."""
    box = widget(tab, key).locator("input")
    box.scroll_into_view_if_needed()
    options = tab.get_by_role("option")
    for _ in range(5):  # a page that is still being drawn closes the list again
        box.click()
        tab.wait_for_timeout(700)
        if options.count() > place:
            break
    said = options.nth(place).inner_text()
    options.nth(place).click()
    settled(tab)
    return said


def value(tab: "Page", key: str) -> str:
    """What the text or select box with this key says."""
    return widget(tab, key).locator("input").input_value()


def widget(tab: "Page", key: str) -> "Locator":
    """The element with this key in the app's code."""
    return tab.locator(f".st-key-{key}")
