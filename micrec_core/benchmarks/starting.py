"""How long the package takes to import and the bundled run to open, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_python
from micrec_core.bundled import SAMPLE_RUN

_CODE = """
import json, sys, time
begun = time.perf_counter()
import micrec_core
package = time.perf_counter()
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
serving = time.perf_counter()
Recommender.open(open_run(sys.argv[1]))
opened = time.perf_counter()
print(json.dumps([package - begun, serving - package, opened - serving]))
"""
NAMES = ("import micrec_core", "import micrec_core.serving", "open the run")


def measure(options: Options) -> Report:
    """Import and opening, each time in a fresh process; the first, which warms up, is left out."""
    run = options.run or SAMPLE_RUN
    spent: dict[str, list[float]] = {name: [] for name in NAMES}
    for number in range(1 + options.rounds(5)):
        for name, seconds in zip(NAMES, _fresh(run), strict=True):
            if number:
                spent[name].append(seconds * 1000)
    timings = {name: Timing(tuple(values)) for name, values in spent.items()}
    imported = timings["import micrec_core"].median / 1000
    opened = timings["open the run"].median / 1000
    return Report(
        "starting",
        "Warm import of the package, then of all that serving needs (torch, pandas, numba), then "
        "opening a run, checksums verified.",
        {"run": run.name},
        timings,
        {},
        (
            Target("import micrec_core", imported, 1.5, "s", below=True),
            Target("opening the run", opened, 1.0, "s", below=True),
        ),
    )


def _fresh(run: Path) -> list[float]:
    words = ["-W", "ignore", "-c", _CODE, str(run.resolve())]
    told = in_python(words, f"the run '{run.name}' could not be opened")
    return [float(value) for value in json.loads(told)]
