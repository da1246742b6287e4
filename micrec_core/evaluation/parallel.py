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
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

Piece = TypeVar("Piece")
Result = TypeVar("Result")

# Limiting the threads of BLAS is process-wide: two limits that overlap could restore each other's
# setting in the wrong order, so there is one at a time (re-entrant for calls within a call).
_LIMIT = threading.RLock()

_SHARE: ContextVar[int | None] = ContextVar("cores of a process that shares them", default=None)

# What sets the threads of a process before it starts: OpenMP (torch), MKL, OpenBLAS, numba.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def n_cores() -> int:
    """Cores that this process may use: its share of them within ``sharing_cores``."""
    share = _SHARE.get()
    if share is not None:
        return share
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores_each(processes: int) -> int:
    """Threads for each of several processes that work at once: one at least."""
    return max(1, n_cores() // processes)


@contextmanager
def sharing_cores(processes: int) -> Iterator[None]:
    """Keep torch, numba, BLAS and ``map_pieces`` to this process's share of the cores.

    Two processes whose threads are as many as the cores each wait for threads that do not run:
    two trainings at once were measured to take three times as long as with one thread each.
    """
    if processes <= 1:
        yield
        return
    import numba
    import torch

    before = torch.get_num_threads(), numba.get_num_threads()
    # Whoever asked for fewer threads, by a variable, gets them.
    each = min(cores_each(processes), *before)
    token = _SHARE.set(each)
    try:
        with ThreadpoolController().limit(limits=each):
            torch.set_num_threads(each)
            numba.set_num_threads(each)
            yield
    finally:
        _SHARE.reset(token)
        # Numba's pool may be the OpenMP that torch counts its threads by: torch comes last.
        numba.set_num_threads(before[1])
        torch.set_num_threads(before[0])


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
