"""How things are measured: in turn, with the same threads, medians with their spread."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from micrec_core.errors import ConfigError, RunError

Work = Callable[[], object]
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "scipy", "numba", "torch", "torch-geometric")


@dataclass(frozen=True)
class Options:
    """What a benchmark is told.

    Attributes
    ----------
    quick : tiny sizes, to see that everything works; the figures mean nothing
    repeats : timed rounds; None for as many as the benchmark finds enough
    data : a folder of tables whose first domain is trained on; None for a made-up one of the size
        of food
    run : the run that is opened; None for the one that comes with the app
    """

    quick: bool = False
    repeats: int | None = None
    data: Path | None = None
    run: Path | None = None

    def rounds(self, usual: int) -> int:
        """How many rounds to time; a quick look takes no more than the whole."""
        if self.repeats is not None:
            if self.repeats < 1:
                raise ConfigError(f"--repeats is 1 or more, and not {self.repeats}")
            return self.repeats
        return min(2, usual) if self.quick else usual


@dataclass(frozen=True)
class Timing:
    """One figure measured several times.

    ``values`` in ``unit``: milliseconds unless said otherwise.
    """

    values: tuple[float, ...]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def rate(self, gigabytes: float) -> Timing:
        """GB/s where each of the times moved so many."""
        return Timing(tuple(gigabytes / (ms / 1000) for ms in self.values), "GB/s")

    def as_json(self) -> dict[str, Any]:
        """Median, quartiles, extremes and how often."""
        return {
            "unit": self.unit,
            "median": self.median,
            "quartiles": np.quantile(self.values, [0.25, 0.75]).tolist(),
            "least": min(self.values),
            "most": max(self.values),
            "n": len(self.values),
        }


@dataclass(frozen=True)
class Target:
    """What is aimed at: ``found`` at least ``aim``, or below it where ``below``."""

    what: str
    found: float
    aim: float
    unit: str
    below: bool = False

    @property
    def met(self) -> bool:
        return self.found < self.aim if self.below else self.found >= self.aim

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


@dataclass(frozen=True)
class Report:
    """What came of one benchmark.

    Attributes
    ----------
    about : a sentence
    sizes : what was measured on
    timings : by name
    ratios : how many times longer a peer takes, or more, as the name says
    """

    benchmark: str
    about: str
    sizes: dict[str, int | str]
    timings: dict[str, Timing]
    ratios: dict[str, float] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()

    def as_json(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Plain values; ``medians`` repeats those of ``timings`` for whoever wants no more."""
        return {
            "benchmark": self.benchmark,
            "about": self.about,
            "machine": dict(machine),
            "sizes": self.sizes,
            "medians": {name: timing.median for name, timing in self.timings.items()},
            "timings": {name: timing.as_json() for name, timing in self.timings.items()},
            "ratios": self.ratios,
            "targets": [target.as_json() for target in self.targets],
        }


def in_turn(
    works: Mapping[str, Work],
    rounds: int,
    warm: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time pieces of work one after the other, again and again, in the same process.

    A disturbance then meets all of them; ``warm`` rounds before go untimed. The order moves on by
    one each round, so that none always follows the same other. ``clock`` gives seconds:
    ``time.process_time`` those of the processors, of all threads together.
    """
    names = list(works)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warm + rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            begun = clock()
            works[name]()
            taken = (clock() - begun) * 1000
            if number >= warm:
                spent[name].append(taken)
    return {name: Timing(tuple(values)) for name, values in spent.items()}


def times_longer(timings: Mapping[str, Timing], own: str = "ours") -> dict[str, float]:
    """How many times longer than ``own`` each other takes, by the medians."""
    base = timings[own].median
    return {name: t.median / base for name, t in timings.items() if name != own}


def strongest(ratios: Mapping[str, float]) -> float:
    """How many times longer the quickest of the peers takes."""
    return min(ratios.values())


def in_python(words: Sequence[str], failed: str) -> str:
    """What a Python of its own, told ``words``, prints; it finds the library as this one does.

    Raises
    ------
    RunError
        It failed: ``failed``, and the last that it said.
    """
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no word"]
        raise RunError(f"{failed}: {said[-1]}")
    return done.stdout


def machine() -> dict[str, Any]:
    """What it was measured on, and what else was running (load: mean of the last minute)."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    there = torch.cuda.is_available()
    return {
        "cores": os.cpu_count() or 1,
        "architecture": platform.machine(),
        "memory_gb": _memory_gb(),
        "gpu": torch.cuda.get_device_name() if there else None,
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "load": load,
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
    }


def _memory_gb() -> int | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    except (AttributeError, OSError, ValueError):
        return None
