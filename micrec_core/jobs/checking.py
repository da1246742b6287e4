"""Checking somebody's tables in a capped process: what harms the reader harms that one alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from micrec_core.bundled import home
from micrec_core.errors import ConfigError, DataError

_CAPPED = str(Path(__file__).with_name("capped.py"))
# Of all threads of this server; whoever comes third waits.
_TURNS = BoundedSemaphore(2)
# So many of its last lines are kept of what a check says beside its answer.
_LINES = 20
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


def unheard(line: str) -> None:
    """A line that nobody listens to."""


def check_capped(
    folder: Path,
    options: Sequence[str],
    limits: Limits,
    told: Callable[[str], object] = unheard,
) -> dict[str, Any]:
    """What ``python -m micrec_core check FOLDER OPTIONS --json`` says, run within ``limits``.

    Parameters
    ----------
    told : each line that it says on the way, such as how much it has read

    Raises
    ------
    DataError
        The refusal, in the words of the check; or it took more than it may, or ended by a fault.
    """
    words = ["check", str(folder.absolute()), *options, "--table-mib", str(limits.table_mib)]
    return said_within(words, limits, told=told)


def said_within(
    words: Sequence[str],
    limits: Limits,
    what: str = "the tables",
    fewer: str = "rows",
    told: Callable[[str], object] = unheard,
) -> dict[str, Any]:
    """What a command says with ``--json``, run within ``limits``; else as ``check_capped``.

    ``what`` it reads, and of what there may be too many in it, for a sentence.
    """
    if not all(map(_can_be_told, words)):
        raise DataError("what was typed holds a character that is no text (NUL); type it again")
    command = [sys.executable, "-m", "micrec_core", *words, "--json"]
    minutes = limits.seconds / 60
    capped = within(command, minutes=minutes, cpu_minutes=minutes, gigabytes=limits.gigabytes)
    if not _TURNS.acquire(timeout=2 * limits.seconds):
        raise DataError("other tables are being checked on this server; try again in a minute")
    try:
        status, answer, said = _run(capped, told)
    except OSError as error:
        raise DataError(f"the check could not be started ({error.strerror}); try again") from None
    finally:
        _TURNS.release()
    # It answers, and then refuses, where tables are sound that cannot be trained on.
    if status in (0, 2) and answer:
        about: dict[str, Any] = json.loads(answer)
        return about
    if status == 2 and said:
        raise DataError(said[-1])
    raise DataError(
        f"{what} could not be read within {limits.seconds:g} seconds and {limits.gigabytes:g} "
        f"GB of memory; bring fewer {fewer}, or look at it on your own computer"
    )


def _can_be_told(word: str) -> bool:
    """Whether a process can be given it: no NUL, and no half of a character."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _run(command: Sequence[str], told: Callable[[str], object]) -> tuple[int, bytes, Sequence[str]]:
    """The exit status of a command, its standard output, and the last lines it said beside it."""
    said: deque[str] = deque(maxlen=_LINES)
    with tempfile.TemporaryFile() as answer:
        with subprocess.Popen(
            command, cwd=home(), env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.PIPE,
        ) as running:  # fmt: skip
            assert running.stderr is not None
            for raw in running.stderr:
                if line := raw.decode("utf-8", errors="replace").strip():
                    said.append(line)
                    told(line)
        answer.seek(0)
        return running.returncode, answer.read(), said


def _positive(name: str, default: float) -> float:
    said = os.environ.get(f"MICREC_CHECK_{name}") or str(default)
    try:
        value = float(said)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ConfigError(f"MICREC_CHECK_{name} is '{said[:40]}'; set it to a number above 0")
    return value
