"""Sharing work among the cores without threads that wait for each other.

Work is cut into independent pieces, one thread takes a whole piece (its matrix product, then its
kernel), and BLAS is kept to one thread meanwhile: on a shared machine the threads of one BLAS
product spin while they wait for each other, which was measured to cost more than the product.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Limiting the threads of BLAS is process-wide: two limits that overlap could restore each other's
# setting in the wrong order, so there is one at a time (re-entrant for calls within a call).
_LIMIT = threading.RLock()


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread; whoever else asks for it meanwhile waits."""
    with _LIMIT, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The loaded BLAS libraries; looking for them takes 20 ms, and NumPy's is there by now."""
    return ThreadpoolController()


def map_pieces(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """``work`` of each piece, in order, on all cores."""
    pieces = list(pieces)
    workers = min(n_cores(), len(pieces))
    if workers <= 1:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, pieces))
