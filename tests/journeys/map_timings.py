"""Linked maps beside Plotly's: ``python -m tests.journeys.map_timings [POINTS]``.

Processor time of the browser, all its processes together, which other work on the machine does not
lengthen: until the first draw, and for a step of dragging the map. A frame each 100 ms of it is
what a computer without a graphics card shows when nothing else runs.
"""

import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import plotly
import plotly.graph_objects as go

from micrec_core.figures.linked import Marks, View, linked
from micrec_core.figures.theme import DOMAIN_COLOURS
from tests.journeys.app import ROOT, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

POINTS, STEPS, TIMES = 200_000, 10, 1
BUILT = ROOT / "micrec_core" / "ui" / "components" / "maps" / "built.js"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_TICK = os.sysconf("SC_CLK_TCK")
FRAME = "() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))"
REGL = """async ([code, data]) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: draw } = await import(url);
  draw({ data, parentElement: document.body, setStateValue: () => {} });
  const { views } = document.querySelector(".maps").maps;
  while (!views.every(v => v.plot.get("isPointsDrawn")))
    await new Promise(d => requestAnimationFrame(d));
  views[0].plot.set({ mouseMode: "panZoom" });
}"""


def places(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Marks in forty heaps, of two domains."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(40, 2)) * 4
    return middles[rng.integers(40, size=n)] + rng.normal(size=(n, 2)), np.arange(n) % 2


def seconds_used() -> float:
    """Processor time of all processes below this one, in seconds."""
    parents, used = {}, {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            parts = text.rpartition(")")[2].split()
            parents[int(entry.name)] = int(parts[1])
            used[int(entry.name)] = (int(parts[11]) + int(parts[12])) / _TICK

    def mine(process: int) -> bool:
        while process > 1:
            process = parents.get(process, 0)
            if process == os.getpid():
                return True
        return False

    return sum(used[p] for p in list(used) if mine(p))


def dragged(tab: "Page") -> float:
    """Milliseconds of processor time that a step of dragging the map costs."""
    tab.evaluate(FRAME)
    tab.mouse.move(400, 250)
    tab.mouse.down()
    tab.mouse.move(410, 250)
    tab.evaluate(FRAME)
    before = seconds_used()
    for step in range(STEPS):
        tab.mouse.move(410 + 3 * step, 250 + 2 * step)
        tab.evaluate(FRAME)
    cost = 1000 * (seconds_used() - before) / STEPS
    tab.mouse.up()
    return cost


def by_regl(tab: "Page", n: int) -> tuple[float, float]:
    """Seconds to the first draw and milliseconds a step, of one linked map."""
    xy, domain = places(n)
    marks = Marks(np.arange(n), np.full(n, -1), domain, DOMAIN_COLOURS[:2], [], [""] * n)
    data = linked(marks, [View("All", {"": xy})], alt="")
    tab.set_content("<style>.maps .stage { position: relative; height: 500px } "
                    ".stage canvas { position: absolute; width: 100%; height: 100% } "
                    ".over { pointer-events: none }</style>")  # fmt: skip
    before = seconds_used()
    tab.evaluate(REGL, [BUILT.read_text("utf-8"), data | {"asked": {"n": 0, "lit": []}}])
    tab.evaluate(FRAME)
    return seconds_used() - before, dragged(tab)


def by_plotly(tab: "Page", n: int) -> tuple[float, float]:
    """The same of Plotly's scattergl."""
    xy, domain = places(n)
    figure = go.Figure().update_layout(dragmode="pan", height=500, width=900)
    for at, colour in enumerate(DOMAIN_COLOURS[:2]):
        x, y = xy[domain == at].T
        figure.add_scattergl(x=x, y=y, mode="markers",
                             marker={"color": colour, "size": 4, "opacity": 0.8})  # fmt: skip
    tab.set_content("<div id='plot'></div>")
    before = seconds_used()
    tab.add_script_tag(path=str(PLOTLY))
    tab.evaluate("f => Plotly.newPlot('plot', f.data, f.layout)", json.loads(figure.to_json()))
    tab.evaluate(FRAME)
    return seconds_used() - before, dragged(tab)


def main() -> int:
    """Measure both in turn and write the rows of a table."""
    from playwright.sync_api import sync_playwright

    n = int(sys.argv[1]) if len(sys.argv) > 1 else POINTS
    found: dict[str, list[tuple[float, float]]] = {"linked maps": [], "Plotly's scattergl": []}
    with sync_playwright() as driver:
        for _ in range(TIMES):
            for name, draw in zip(found, (by_regl, by_plotly), strict=True):
                with chromium(driver) as browser:
                    tab = browser.new_page(viewport={"width": 1000, "height": 600})
                    tab.set_default_timeout(300_000)
                    found[name].append(draw(tab, n))
    sys.stdout.write(f"{n:,} points, median of {TIMES}, processor time of the browser\n")
    for name, runs in found.items():
        first, step = (median(run[i] for run in runs) for i in (0, 1))
        sys.stdout.write(f"| {name} | {first:.2f} s | {step:.0f} ms | {1000 / step:.0f} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
