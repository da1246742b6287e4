"""Kernels compiled once per installation, before somebody waits for them.

numba keeps what it compiled beside the code (or where ``micrec_core.compiling`` found room), but
somebody has to compile first: half a minute of the first training, unless a tiny one came before.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba

from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.running.train import train_run
from micrec_core.sample.generate import generate_sample
from micrec_core.training.prepare import cache_folder
from micrec_core.version import __version__

# Seconds: of waiting for another process, and between two looks.
LONGEST_WAIT, _POLL = 60.0, 0.2
USERS, ITEMS = 60, 40  # enough for every kernel to be called


def compile_kernels() -> bool:
    """Train on a tiny sample, which calls every kernel; whether there was need to.

    There is none where this installation did so before. While another process is at it, that one is
    waited for. Where no file can be kept, nothing is compiled ahead.
    """
    folder = cache_folder()
    if folder is None:
        return False
    done = folder / f"kernels-{_installation()}"
    with _alone(folder):
        if done.exists():
            return False
        _train_a_little()
        done.touch()
    return True


def wait_for_kernels(progress: Progress = silent) -> None:
    """Wait while another process compiles, so that nothing is compiled twice.

    Not for ever: it may have been stopped, and to compile again costs half a minute.
    """
    folder = cache_folder()
    if folder is None or not _lock(folder).exists():
        return
    until = time.monotonic() + LONGEST_WAIT
    with open(_lock(folder), "a") as stream:
        while time.monotonic() < until:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                progress("waiting for another process to compile the kernels", 0, 0)
                time.sleep(_POLL)


def _train_a_little() -> None:
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "sample"
        generate_sample(data, users=USERS, items=ITEMS, pictures=False)
        settings = RunSettings(training={"epochs": 1, "steps": 2}, features={"image": "none"})
        train_run(data, Path(place) / "run", settings, device="cpu", umap=False)


def _installation() -> str:
    """A word that another version, place, or kind of processor would not have."""
    parts = __version__, numba.__version__, Path(__file__), numba.config.CACHE_DIR, os.uname()
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _lock(folder: Path) -> Path:
    return folder / f"kernels-{_installation()}.lock"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of whoever compiles; it goes with the process that holds it."""
    with open(_lock(folder), "a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
