"""A machine that fails on purpose: the n-th write, fsync, rename or open below a folder.

Installed in a process of its own (``install``), it stands between Python and the system: of files
below the folder every open for writing, every write, fsync and rename is counted, and one of them
fails. What native code writes by itself (safetensors, NumPy's own files) is met at the open, the
fsync and the rename around it.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KINDS = ("ENOSPC", "EIO", "EACCES", "short write", "SIGKILL")


class Shim:
    """Counts what is done below a folder and lets one thing fail.

    Parameters
    ----------
    root : what is done elsewhere does not count
    kind : of ``KINDS``; None lets all go well, to count
    at : which fails, from 1; what comes after it fails too where the disk is full, which it stays
    """

    def __init__(self, root: Path, kind: str | None = None, at: int = 0) -> None:
        self.root = os.path.realpath(root)
        self.kind, self.at = kind, at
        self.done = 0
        self.trace: list[str] = []

    def counts(self, path: object) -> bool:
        """Whether a path, or the file of a descriptor, is below the folder."""
        if isinstance(path, int):
            try:
                name = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return False
        else:
            name = os.path.realpath(os.fspath(path))  # type: ignore[call-overload]
        return name == self.root or name.startswith(self.root + os.sep)

    def step(self, what: str) -> bool:
        """One more thing is done; True where a write is to be cut short.

        Raises
        ------
        OSError
            It fails.
        """
        self.done += 1
        self.trace.append(what)
        full = self.kind == "ENOSPC" and self.done > self.at and what == "write"
        if self.kind is None or (self.done != self.at and not full):
            return False
        if self.kind == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "short write":
            return what == "write"
        number = getattr(errno, self.kind)
        raise OSError(number, os.strerror(number))


class _Raw(io.FileIO):
    """A file of which each write goes through the shim."""

    shim: Shim

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.shim.step("write") and len(view) > 1:
            return super().write(view[: len(view) // 2])
        return super().write(view)


def _opened(shim: Shim, path: Any, mode: str, encoding: Any, newline: Any) -> Any:
    raw = _Raw(path, mode.replace("t", "").replace("b", ""))
    raw.shim = shim
    buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    if "b" in mode:
        return buffered
    return io.TextIOWrapper(buffered, encoding or "utf-8", newline=newline)


@contextmanager
def installed(shim: Shim) -> Iterator[Shim]:
    """Have everything in this process go through the shim, until the end of the block."""
    real_open, real_os_open = builtins.open, os.open
    kept: dict[str, Callable[..., Any]] = {
        name: getattr(os, name) for name in ("fsync", "replace", "rename", "mkdir")
    }

    def opening(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
        newline: Any = None, *rest: Any, **more: Any,
    ) -> Any:  # fmt: skip
        if not set(mode) & set("wax+") or not shim.counts(file):
            return real_open(file, mode, buffering, encoding, errors, newline, *rest, **more)
        if not isinstance(file, int):
            shim.step("open")
        return _opened(shim, file, mode, encoding, newline)

    def os_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and shim.counts(path):
            shim.step("open")
        return real_os_open(path, flags, *rest, **more)

    def counted(name: str) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if shim.counts(path):
                shim.step(name)
            return kept[name](path, *rest, **more)

        return call

    builtins.open = io.open = opening  # type: ignore[assignment]
    os.open = os_open  # type: ignore[assignment]
    for name in kept:
        setattr(os, name, counted(name))
    try:
        yield shim
    finally:
        builtins.open = io.open = real_open
        os.open = real_os_open
        for name, call in kept.items():
            setattr(os, name, call)
