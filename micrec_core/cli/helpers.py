"""Processes that help one with its trainings: the same command line, told to help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrec_core.errors import ConfigError

if TYPE_CHECKING:
    from micrec_core.config import RunSettings
    from micrec_core.data import Dataset
    from micrec_core.engines import Started
    from micrec_core.running.train import TrainResult
    from micrec_core.training.workers.team import Team

Helpers = Sequence["subprocess.Popen[bytes]"]
Start = Callable[[dict[str, str]], "Started"]
# So often a training on a cluster goes on by itself after a worker was lost.
_LOST = 3


def starter(workers: int, helper: bool) -> Callable[[], Helpers]:
    """What starts ``workers`` - 1 helpers, each with its share of the cores; a helper starts none.

    Raises
    ------
    ConfigError
        There is to be no worker at all.
    """
    if workers < 1:
        raise ConfigError(f"--workers is 1 or more, and not {workers}")

    def start() -> Helpers:
        return [_again(workers, ["--helper"], {}) for _ in range(0 if helper else workers - 1)]

    return start


@contextmanager
def team(
    workers: int, start: Start | None = None, host: str | None = None
) -> Iterator[Team | None]:
    """Who trains with this process: helpers that it starts, or torchrun's other workers.

    None where it trains alone.

    Parameters
    ----------
    start, host : as of ``gathered``; this command line once more on this machine by default

    Raises
    ------
    ConfigError
        There is to be no worker at all, or another number of them than torchrun started.
    """
    if workers < 1:
        raise ConfigError(f"--workers is 1 or more, and not {workers}")
    started = _started()
    if started == "1" and workers == 1:
        yield None
        return
    from micrec_core.training.workers.team import gathered, joined

    if started == "1":
        again: Start = start or (lambda told: _again(workers, [], told))
        with gathered(workers, again, **({} if host is None else {"host": host})) as found:
            yield found
    elif workers in (1, int(started)):
        with joined(os.environ) as found:
            yield found
    else:
        raise ConfigError(
            f"--workers is {workers} where WORLD_SIZE is {started}; leave --workers out"
        )


def _started() -> str:
    """How many processes torchrun, or a first process, started to train with this one."""
    return os.environ.get("WORLD_SIZE", "1")


def only_helps() -> bool:
    """Whether this process helps in a training that another one makes, and so reads no tables."""
    return _started() != "1" and os.environ.get("RANK", "0") != "0"


def train_together(
    workers: int,
    data: Dataset | Path,
    out: Path,
    settings: RunSettings,
    tune: int,
    *,
    device: str,
    cache: Path | None,
    engine: str = "process",
    **given: Any,
) -> TrainResult | None:
    """``train_tuned`` with so many processes, or help in one that another process does: None.

    ``engine`` : its spec; one that has machines also starts the processes, and where one of them
    ends by a signal the training goes on from its last epoch by itself.

    Raises
    ------
    ConfigError
        Several are to search for settings; and as ``train_tuned`` and ``team``.
    """
    from micrec_core.engines import Cluster, opened
    from micrec_core.running.train import help_train
    from micrec_core.running.tune import train_tuned
    from micrec_core.training.workers.team import joined

    if tune and (workers > 1 or _started() != "1"):
        raise ConfigError("--tune trains again and again with one process; leave --workers out")
    gathered = partial(team, workers)
    if only_helps():
        help_train(out, settings, device=device, team=gathered)
        return None
    told: dict[str, Any] = {"device": device, "cache": cache, "team": gathered}
    with opened(engine) as there:
        train = partial(train_tuned, data, out, settings, tune, engine=there)
        if not isinstance(there, Cluster) or workers == 1:
            return train(**told, **given)

        def start(variables: dict[str, str]) -> Started:
            others = partial(joined, variables)
            return there.start(help_train, out.absolute(), settings, device=device, team=others)

        return _going_on(partial(train, **told | given), start, workers, there.host)


def _going_on(
    train: Callable[..., TrainResult], start: Start, workers: int, host: str
) -> TrainResult:
    """A training of several that is resumed where a worker was lost, a few times."""
    from micrec_core.training.workers.team import WorkerLost

    helpers: list[Started] = []

    def kept(variables: dict[str, str]) -> Started:
        helpers.append(start(variables))
        return helpers[-1]

    others: dict[str, Any] = {"team": partial(team, workers, kept, host)}
    for _ in range(_LOST):
        with suppress(WorkerLost):
            return train(**others)
        for helper in helpers:
            with suppress(WorkerLost):
                helper.poll()  # one that ended of itself says why
        helpers.clear()
        others["resume"] = True
    return train(**others)


def _again(workers: int, more: list[str], told: dict[str, str]) -> subprocess.Popen[bytes]:
    """This command line once more, with its share of the cores."""
    from micrec_core.evaluation.parallel import VARIABLES, cores_each

    threads = dict.fromkeys(VARIABLES, str(cores_each(workers)))
    return subprocess.Popen(
        [sys.executable, "-m", "micrec_core", *sys.argv[1:], *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=threads | os.environ | told,
    )
