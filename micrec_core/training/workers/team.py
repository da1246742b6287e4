"""The processes that train together, what they tell each other, and how many bytes that takes."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from micrec_core.engines import Started
from micrec_core.errors import ConfigError, RunError

T = TypeVar("T")

# A process that died is noticed at once, for its connections close. This is for a machine that
# hangs, and must be longer than the first one's validation, for which the others wait.
_PATIENCE = timedelta(hours=12)
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_HERE, _CAME, _LOOK = "127.0.0.1", "came-{}", 0.05
# By which interface gloo talks; processes of one machine need no other way to each other.
_INTERFACE = "GLOO_SOCKET_IFNAME"
_LOOPBACK = {_INTERFACE: "lo0" if sys.platform == "darwin" else "lo"}


class WorkerLost(RunError):
    """Another worker is gone; a training can go on from its last epoch."""


class Team:
    """This process among ``size`` that train together; each of them does all that others wait for.

    Attributes
    ----------
    rank : 0 to ``size`` - 1; the first one validates and writes
    here : how many of them are on this machine
    sent : bytes that this process handed over for others, by what for
    """

    def __init__(self, rank: int, size: int, here: int | None = None):
        self.rank, self.size, self.here = rank, size, here or size
        self.sent: Counter[str] = Counter()

    @property
    def leads(self) -> bool:
        """Whether this is the process that validates and writes."""
        return self.rank == 0

    def exchange(self, rows: Tensor, given: Sequence[int], got: Sequence[int], what: str) -> Tensor:
        """Give the first ``given[0]`` rows to worker 0 and so on, get ``got[w]`` of worker w."""
        out = rows.new_empty((sum(got), *rows.shape[1:]))
        row = rows.element_size() * (rows[0].numel() if len(rows) else 0)
        self.sent[what] += row * (sum(given) - given[self.rank])
        _told(lambda: dist.all_to_all_single(out, rows.contiguous(), [*got], [*given]))
        return out

    def summed(self, values: Tensor, what: str) -> Tensor:
        """The sum over all workers, in the order of their ranks: the same bits on each of them."""
        parts = [torch.empty_like(values) for _ in range(self.size)]
        self.sent[what] += values.nbytes * (self.size - 1)
        _told(lambda: dist.all_gather(parts, values.contiguous()))
        return torch.stack(parts).sum(0)

    def gathered(self, rows: Tensor, sizes: Sequence[int], what: str) -> list[Tensor]:
        """The rows of every worker, ``sizes[w]`` of worker w, on the first; nothing on others."""
        none = [0] * (self.size - 1)
        found = self.exchange(rows, [len(rows), *none], sizes if self.leads else [0, *none], what)
        return list(found.split([*sizes])) if self.leads else []

    def require_same(self, text: str) -> None:
        """Refuse to go on where this worker was told otherwise than the first one.

        Raises
        ------
        RunError
            What it was told differs.
        """
        number = float(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))
        if self.told(number) != number:
            raise RunError(
                "this worker was given other settings than the first one; give all of them the "
                "same options and version"
            )

    def told(self, number: float) -> float:
        """The first worker's number, on all of them."""
        box = torch.tensor(number, dtype=torch.float64)
        self.sent["control"] += box.nbytes * (self.size - 1) if self.leads else 0
        _told(lambda: dist.broadcast(box, 0))
        return float(box)


def _told(ask: Callable[[], T]) -> T:
    """What ``ask`` gives.

    Raises
    ------
    WorkerLost
        Another worker is gone.
    """
    try:
        return ask()
    except RuntimeError as error:
        raise WorkerLost(
            "training stopped: another worker ended, by itself or by a signal; go on from the "
            "last epoch with --resume"
        ) from error


@contextmanager
def joined(variables: Mapping[str, str]) -> Iterator[Team]:
    """This process's team, which lasts as long as the block, wherever its processes were started.

    Parameters
    ----------
    variables : RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun sets them

    Raises
    ------
    ConfigError
        Some of them are missing or no numbers.
    RunError
        The others did not come.
    """
    try:
        rank, size = int(variables["RANK"]), int(variables["WORLD_SIZE"])
        host, port = variables["MASTER_ADDR"], int(variables["MASTER_PORT"])
        here = int(variables.get("LOCAL_WORLD_SIZE", size))
    except (KeyError, ValueError):
        raise ConfigError(
            f"a worker of several goes by the variables {', '.join(VARIABLES)}, and one of them "
            "is missing or is no number; torchrun sets all of them"
        ) from None
    if _INTERFACE in variables:
        os.environ[_INTERFACE] = variables[_INTERFACE]
    leads = rank == 0
    store = _told(lambda: dist.TCPStore(host, port, size, leads, _PATIENCE, wait_for_workers=False))
    with _team(Team(rank, size, here), store) as team:
        yield team


@contextmanager
def gathered(
    size: int, start: Callable[[dict[str, str]], Started], host: str = _HERE
) -> Iterator[Team]:
    """A team of this process, its first, and of others that it starts and ends.

    Parameters
    ----------
    start : starts one that is to use ``joined``, told its variables
    host : where they reach this machine, which by default they are on

    Raises
    ------
    WorkerLost
        One of them ended before it came.
    """
    store = dist.TCPStore(host, 0, size, is_master=True, wait_for_workers=False)
    told = {"MASTER_ADDR": host, "MASTER_PORT": str(store.port), "WORLD_SIZE": str(size)}
    loopback = _LOOPBACK if host == _HERE else {}
    os.environ |= loopback
    helpers = [start(loopback | told | {"RANK": str(rank)}) for rank in range(1, size)]
    try:
        _wait_for(helpers, store)
        with _team(Team(0, size), store) as team:
            yield team
    finally:
        for process in helpers:
            process.terminate()
            process.wait()


def _wait_for(helpers: Sequence[Started], store: dist.TCPStore) -> None:
    """Wait until all are there, or one of them is gone."""
    came = [_CAME.format(rank) for rank in range(1, len(helpers) + 1)]
    while not store.check(came):
        if any(process.poll() is not None for process in helpers):
            raise WorkerLost(
                "training stopped: a worker ended before it began; go on with --resume, or train "
                "with one process (--workers 1)"
            )
        time.sleep(_LOOK)


@contextmanager
def _team(team: Team, store: dist.TCPStore) -> Iterator[Team]:
    _told(lambda: store.set(_CAME.format(team.rank), "yes"))
    _told(
        lambda: dist.init_process_group(
            "gloo", store=store, rank=team.rank, world_size=team.size, timeout=_PATIENCE
        )
    )
    try:
        yield team
    finally:
        dist.destroy_process_group()
