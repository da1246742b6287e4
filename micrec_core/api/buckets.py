"""How often a client may ask: a token bucket each, of one process or of several together."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

_MAX_CLIENTS = 10_000
# In a file: who, what is left, since when; a client is looked for in so many places.
_SLOT, _SLOTS, _NEAR = struct.Struct("<Qdd"), 2**14, 8

# What is left, and the monotonic second it was counted in.
Bucket = tuple[float, float]


class Store(Protocol):
    """Where buckets are kept; of too many clients the one unseen for longest is forgotten."""

    def alone(self) -> AbstractContextManager[None]:
        """Nobody else reads or writes meanwhile."""

    def get(self, client: str) -> Bucket | None:
        """A client's, or None."""

    def put(self, client: str, bucket: Bucket) -> None:
        """Keep it."""


class InProcess:
    """Buckets of this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """As ``Store``."""
        with self._lock:
            yield

    def get(self, client: str) -> Bucket | None:
        """As ``Store``."""
        return self._kept.get(client)

    def put(self, client: str, bucket: Bucket) -> None:
        """As ``Store``."""
        self._kept[client] = bucket
        self._kept.move_to_end(client)
        if len(self._kept) > _MAX_CLIENTS:
            self._kept.popitem(last=False)


class InFile:
    """Buckets of several processes, in a file that each has mapped."""

    def __init__(self, path: Path) -> None:
        # Grown and never cut: another process may have it mapped already.
        with open(path, "ab") as stream:
            stream.truncate(_SLOTS * _SLOT.size)
        self._file = open(path, "r+b")  # noqa: SIM115 - held for as long as it is mapped
        self._slots = mmap.mmap(self._file.fileno(), _SLOTS * _SLOT.size)
        self._lock = threading.Lock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """As ``Store``; the file's lock is of processes, not of their threads."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def get(self, client: str) -> Bucket | None:
        """As ``Store``."""
        key, place = self._find(client)
        who, left, then = _SLOT.unpack_from(self._slots, place)
        return (left, then) if who == key else None

    def put(self, client: str, bucket: Bucket) -> None:
        """As ``Store``."""
        key, place = self._find(client)
        _SLOT.pack_into(self._slots, place, key, *bucket)

    def _find(self, client: str) -> tuple[int, int]:
        """A client's key and place; without one, the place of whom nobody saw for longest."""
        digest = hashlib.sha256(client.encode()).digest()
        key = int.from_bytes(digest[:8], "little") | 1  # never 0, which is nobody
        near = [(key + step) % _SLOTS * _SLOT.size for step in range(_NEAR)]
        found = [(_SLOT.unpack_from(self._slots, place), place) for place in near]
        own = [place for (who, _, _), place in found if who == key]
        return key, own[0] if own else min(found, key=lambda slot: slot[0][2])[1]


class Buckets:
    """A token bucket a client.

    Parameters
    ----------
    rate : requests a second and client, 0 for no limit; twice as many may come at once
    """

    def __init__(self, rate: float, store: Store | None = None) -> None:
        self._rate, self._most = rate, max(2 * rate, 1.0)
        self._store: Store = InProcess() if store is None else store

    def wait(self, client: str) -> float:
        """Let a request in and take a token: 0, or the seconds until one would be let in."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        with self._store.alone():
            left, then = self._store.get(client) or (self._most, now)
            left = min(self._most, left + (now - then) * self._rate)
            self._store.put(client, (left - 1.0 if left >= 1.0 else left, now))
        return 0.0 if left >= 1.0 else (1.0 - left) / self._rate

    def charge(self, client: str, cost: float) -> None:
        """Take what a request cost beyond its one token; on credit, to be waited for next time."""
        if self._rate and cost > 0:
            with self._store.alone():
                left, then = self._store.get(client) or (self._most, time.monotonic())
                self._store.put(client, (left - cost, then))
