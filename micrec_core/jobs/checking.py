"""Checking somebody's tables in a capped process: what harms the reader harms that one alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from micrec_core.bundled import home
from micrec_core.errors import ConfigError, DataError

_CAPPED = str(Path(__file__).with_name("capped.py"))
# Of all threads of this server; whoever comes third waits.
_TURNS = BoundedSemaphore(2)
# Reading takes a few times the memory of the text that is read.
_SHARE_OF_A_TABLE = 8


@dataclass(frozen=True)
class Limits:
    """What checking a dataset may take.

    Attributes
    ----------
    seconds : on the clock and, of each process, on processors
    gigabytes : of memory; a table may unpack to an eighth of it
    """

    seconds: float = 120.0
    gigabytes: float = 2.0

    @classmethod
    def of_this_server(cls) -> Limits:
        """The limits set by ``MICREC_CHECK_SECONDS`` and ``MICREC_CHECK_GIGABYTES``.

        Raises
        ------
        ConfigError
            One of them is no positive number.
        """
        return cls(_positive("SECONDS", cls.seconds), _positive("GIGABYTES", cls.gigabytes))

    @property
    def table_mib(self) -> int:
        """How many MiB a table may unpack to."""
        return max(1, int(self.gigabytes * 1024 / _SHARE_OF_A_TABLE))


def within(
    command: Sequence[str], *, minutes: float = 0, cpu_minutes: float = 0, gigabytes: float = 0
) -> tuple[str, ...]:
    """The command that runs ``command`` within limits; 0 is none."""
    limits = (str(minutes), str(cpu_minutes), str(gigabytes))
    return (sys.executable, _CAPPED, *limits, *command)


def check_capped(folder: Path, options: Sequence[str], limits: Limits) -> dict[str, Any]:
    """What ``python -m micrec_core check FOLDER OPTIONS --json`` says, run within ``limits``.

    Raises
    ------
    DataError
        The refusal, in the words of the check; or it took more than it may, or ended by a fault.
    """
    words = ["check", str(folder.absolute()), *options, "--table-mib", str(limits.table_mib)]
    return said_within(words, limits)


def said_within(
    words: Sequence[str], limits: Limits, what: str = "the tables", fewer: str = "rows"
) -> dict[str, Any]:
    """What a command says with ``--json``, run within ``limits``; DataError as ``check_capped``.

    ``what`` it reads, and of what there may be too many in it, for a sentence.
    """
    command = [sys.executable, "-m", "micrec_core", *words, "--json"]
    minutes = limits.seconds / 60
    capped = within(command, minutes=minutes, cpu_minutes=minutes, gigabytes=limits.gigabytes)
    if not _TURNS.acquire(timeout=2 * limits.seconds):
        raise DataError("other tables are being checked on this server; try again in a minute")
    try:
        done = subprocess.run(
            capped, cwd=home(), env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except OSError as error:
        raise DataError(f"the check could not be started ({error.strerror}); try again") from None
    finally:
        _TURNS.release()
    # It answers, and then refuses, where tables are sound that cannot be trained on.
    if done.returncode in (0, 2) and done.stdout:
        about: dict[str, Any] = json.loads(done.stdout)
        return about
    said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
    if done.returncode == 2 and said:
        raise DataError(said[-1])
    raise DataError(
        f"{what} could not be read within {limits.seconds:g} seconds and {limits.gigabytes:g} "
        f"GB of memory; bring fewer {fewer}, or look at it on your own computer"
    )


def _positive(name: str, default: float) -> float:
    said = os.environ.get(f"MICREC_CHECK_{name}") or str(default)
    try:
        value = float(said)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ConfigError(f"MICREC_CHECK_{name} is '{said[:40]}'; set it to a number above 0")
    return value
