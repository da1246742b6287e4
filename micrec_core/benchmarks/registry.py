"""The benchmarks by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from micrec_core.benchmarks import (
    encoding,
    everyone,
    gpu,
    growth,
    neighbours,
    propagation,
    ranking,
    reading,
    scale,
    serving,
    starting,
    training,
)
from micrec_core.benchmarks.measure import Options, Report, machine
from micrec_core.errors import ConfigError

BENCHMARKS: dict[str, Callable[[Options], Report]] = {
    "propagation": propagation.measure,
    "training": training.measure,
    "ranking": ranking.measure,
    "serving": serving.measure_30k,
    "serving-million": serving.measure_million,
    "lists": everyone.measure,
    "starting": starting.measure,
    "encoders": encoding.measure,
    "neighbours": neighbours.measure,
    "reading": reading.measure,
    "scale": scale.measure,
    "scale-inmo": scale.measure_inmo,
    "growth": growth.measure,
    "gpu": gpu.measure,
}
# Those that take many minutes and most of a machine's memory, or a machine of another kind.
ONLY_BY_NAME = ("reading", "scale", "scale-inmo", "growth", "gpu")


def run_benchmarks(
    names: Sequence[str], options: Options, progress: Callable[[str, int, int], None]
) -> Iterator[dict[str, Any]]:
    """Run the named benchmarks, one report after the other.

    Where none is named, all but those that run only by name.

    Raises
    ------
    ConfigError
        There is no benchmark of a name.
    """
    for name in names:
        if name not in BENCHMARKS:
            known = ", ".join(BENCHMARKS)
            raise ConfigError(f"there is no benchmark '{name}'; known are: {known}")
    wanted = tuple(names) or tuple(name for name in BENCHMARKS if name not in ONLY_BY_NAME)
    for done, name in enumerate(wanted):
        progress(f"benchmark {name}", done, len(wanted))
        before = machine()
        with warnings.catch_warnings():
            # The peers' own: sparse tensors of torch are "in beta", PyG uses what is deprecated.
            warnings.simplefilter("ignore")
            report = BENCHMARKS[name](options).as_json(before)
        report["machine"]["load_after"] = machine()["load"]
        report["quick"] = options.quick
        yield report
