"""How long the package takes to import and the bundled run to open, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_python
from micrec_core.bundled import SAMPLE_RUN

_CODE = """
import json, sys, time
begun = time.process_time()
import micrec_core
package = time.process_time()
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
serving = time.process_time()
try:
    with open("/proc/self/status") as status:
        held = [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")]
except OSError:
    held = []
Recommender.open(open_run(sys.argv[1]))
opened = time.process_time()
print(json.dumps([package - begun, serving - package, opened - serving, *held]))
"""
NAMES = ("import micrec_core", "import micrec_core.serving", "open the run")
HELD = "memory with serving imported"


def measure(options: Options) -> Report:
    """Import and opening, each time in a fresh process; the first, which warms up, is left out."""
    run = options.run or SAMPLE_RUN
    rounds = [_fresh(run) for _ in range(1 + options.rounds(5))][1:]
    spent = list(zip(*rounds, strict=True))
    timings = {
        name: Timing(tuple(1000 * seconds for seconds in values))
        for name, values in zip(NAMES, spent, strict=False)
    }
    memory = [Timing(values, "MiB") for values in spent[len(NAMES) :]]  # none but on Linux
    imported = timings["import micrec_core"].median / 1000
    serving = timings["import micrec_core.serving"].median / 1000
    opened = timings["open the run"].median / 1000
    return Report(
        "starting",
        "Warm import of the package, then of all that serving needs (NumPy, SciPy, pandas), then "
        "opening a run, checksums verified: processor time, which other work does not change.",
        {"run": run.name},
        timings | dict(zip([HELD], memory, strict=False)),
        {},
        (
            Target("import micrec_core", imported, 1.5, "s", below=True),
            Target("import micrec_core.serving", serving, 1.0, "s", below=True),
            Target("opening the run", opened, 1.0, "s", below=True),
            *(Target(HELD, held.median, 250, "MiB", below=True) for held in memory),
        ),
    )


def _fresh(run: Path) -> list[float]:
    words = ["-W", "ignore", "-c", _CODE, str(run.resolve())]
    told = in_python(words, f"the run '{run.name}' could not be opened")
    return [float(value) for value in json.loads(told)]
