"""Processes that help one with its trainings: the same command line, told to help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from micrec_core.errors import ConfigError

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
        from micrec_core.evaluation.parallel import VARIABLES, cores_each

        threads = dict.fromkeys(VARIABLES, str(cores_each(workers)))
        words = [sys.executable, "-m", "micrec_core", *sys.argv[1:], "--helper"]
        return [
            subprocess.Popen(
                words,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=threads | os.environ,
            )
            for _ in range(0 if helper else workers - 1)
        ]

    return start
