"""What a piece of work costs: seconds by part, and memory at its peak above its start."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc_pid_clear_refs
_MIB = 2**20


@dataclass
class Clock:
    """Seconds spent on each part, by name; peak memory of training, MiB above its start."""

    timings: dict[str, float] = field(default_factory=dict)
    peak_mb: float | None = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - started

    @contextmanager
    def training(self, device: str) -> Iterator[None]:
        """The part ``train``, of which memory is measured too."""
        with self.part("train"), peak_memory(device) as peak:
            yield
        self.peak_mb = peak.mb

    @property
    def total(self) -> float:
        return sum(self.timings.values())


@dataclass
class Peak:
    """MiB above the start, once it has ended, and held then; None where it is not told."""

    mb: float | None = None
    held_mb: float | None = None


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """Measure the peak of what is done meanwhile.

    Resident memory of the process (Linux), or what torch allocated on a GPU. On the host all
    threads count, and so does what is loaded or compiled for the first time. Memory that earlier
    work has freed is given back first, where the C library can, or it would be taken again unseen.
    """
    peak = Peak()
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        peak.held_mb = before / _MIB
        yield peak
        peak.mb = (torch.cuda.max_memory_allocated() - before) / _MIB
        return
    _give_back()
    held = _resident("VmRSS") if _forget_peak() else None
    peak.held_mb = None if held is None else held / _MIB
    yield peak
    most = _resident("VmHWM")
    if held is not None and most is not None:
        peak.mb = max(0, most - held) / _MIB


def _give_back() -> None:
    """Return what was freed to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> bool:
    """Begin the system's count of the peak anew; whether it may be."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _resident(name: str) -> int | None:
    """A line of the process's status, in bytes."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return 1024 * int(found[0]) if found else None
