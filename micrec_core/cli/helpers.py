"""Processes that help one with its trainings: the same command line, told to help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrec_core.errors import ConfigError

if TYPE_CHECKING:
    from micrec_core.config import RunSettings
    from micrec_core.data import Dataset
    from micrec_core.running.train import TrainResult
    from micrec_core.training.workers.team import Team

Helpers = Sequence["subprocess.Popen[bytes]"]


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
def team(workers: int) -> Iterator[Team | None]:
    """Who trains with this process: helpers that it starts, or torchrun's other workers.

    None where it trains alone.

    Raises
    ------
    ConfigError
        There is to be no worker at all, or another number of them than torchrun started.
    """
    if workers < 1:
        raise ConfigError(f"--workers is 1 or more, and not {workers}")
    started = os.environ.get("WORLD_SIZE", "1")
    if started == "1" and workers == 1:
        yield None
        return
    from micrec_core.training.workers.team import gathered, joined

    if started == "1":
        with gathered(workers, lambda told: _again(workers, [], told)) as found:
            yield found
    elif workers in (1, int(started)):
        with joined(os.environ) as found:
            yield found
    else:
        raise ConfigError(
            f"--workers is {workers} where WORLD_SIZE is {started}; leave --workers out"
        )


def train_together(
    workers: int,
    data: Dataset | Path,
    out: Path,
    settings: RunSettings,
    tune: int,
    *,
    device: str,
    cache: Path | None,
    **given: Any,
) -> TrainResult | None:
    """``train_tuned`` with so many processes, or help in one that another process does: None.

    Raises
    ------
    ConfigError
        Several are to search for settings; and as ``train_tuned`` and ``team``.
    """
    from micrec_core.running.train import help_train
    from micrec_core.running.tune import train_tuned

    started, rank = os.environ.get("WORLD_SIZE", "1"), os.environ.get("RANK", "0")
    if tune and (workers > 1 or started != "1"):
        raise ConfigError("--tune trains again and again with one process; leave --workers out")
    told: dict[str, Any] = {"device": device, "cache": cache, "team": partial(team, workers)}
    if started != "1" and rank != "0":
        help_train(data, out, settings, **told)
        return None
    return train_tuned(data, out, settings, tune, **told, **given)


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
