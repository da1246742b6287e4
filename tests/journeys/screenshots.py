"""Take the pictures of every page anew: ``python -m tests.journeys.screenshots``.

They are of the bundled run, light and dark, 1280 pixels wide, with at most 256 colours.
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from tests.journeys.app import PAGES, ROOT, Server, at_rest, chromium, new_tab, open_page, start

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTH, LEAST, MOST = 1280, 800, 2400
FOLDER = ROOT / "docs" / "pages"


def _check_the_sample(tab: "Page") -> None:
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.get_by_text("is usable").wait_for()


# What is done on a page before its picture is taken.
PREPARE: dict[str, Callable[["Page"], None]] = {"data": _check_the_sample}


def drawn(tab: "Page") -> None:
    """Wait until the page looks the same for a moment too."""
    at_rest(tab)
    before, deadline = b"", time.monotonic() + 20
    while time.monotonic() < deadline:
        now = tab.screenshot()
        if now == before:
            return
        before = now
        tab.wait_for_timeout(400)


def whole(tab: "Page") -> bytes:
    """PNG of the whole page, as far down as ``MOST``; the page scrolls inside the window."""
    drawn(tab)
    for _ in range(2):  # a taller window can make the page longer once more
        height = tab.evaluate(
            "() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight"
        )
        tab.set_viewport_size({"width": WIDTH, "height": max(LEAST, min(int(height), MOST))})
        drawn(tab)
    return tab.screenshot()


def small(png: bytes) -> bytes:
    """The picture with a palette of 256 colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    out = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def take(browser: "Browser", server: Server, page: str, scheme: str) -> bytes:
    """The picture of one page in ``light`` or ``dark``."""
    tab = new_tab(browser, scheme, WIDTH, LEAST)
    try:
        open_page(tab, server, page)
        PREPARE.get(page, lambda _: None)(tab)
        return small(whole(tab))
    finally:
        tab.context.close()


def main() -> int:
    """Take the pictures asked for and say how large they are."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}")
    parser.add_argument("--out", type=Path, default=FOLDER)
    wanted = parser.parse_args()
    unknown = set(wanted.pages) - set(PAGES)
    if unknown:
        parser.error(f"there is no page {', '.join(sorted(unknown))}")
    wanted.out.mkdir(parents=True, exist_ok=True)
    total = 0
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        server = start(Path(place) / "server")
        try:
            with chromium(driver) as browser:
                for scheme, ending in (("light", ""), ("dark", "-dark")):
                    for page in wanted.pages or PAGES:
                        png = take(browser, server, page, scheme)
                        (wanted.out / f"{page}{ending}.png").write_bytes(png)
                        total += len(png)
                        sys.stdout.write(f"{page}{ending}.png {len(png) / 1024:.0f} KiB\n")
        finally:
            server.stop()
    sys.stdout.write(f"{total / 2**20:.1f} MiB in all\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
