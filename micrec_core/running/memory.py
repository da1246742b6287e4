"""How much memory a piece of work took at its peak, beyond what the process held before."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc_pid_clear_refs
_MIB = 2**20


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
