"""Where numba keeps what it compiled, also for someone who may write neither here nor at home."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import numba

_NO_PLACE = "no locator available"  # as numba says it
Made = TypeVar("Made")


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit(cache=True, **options)`` that does without a kept copy where there is no place.

    numba refuses at import otherwise, even what would never be compiled.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        return placed(
            lambda: numba.njit(cache=True, **options)(function),
            lambda: numba.njit(**options)(function),
        )

    return compiled


def placed(make: Callable[[], Made], otherwise: Callable[[], Made] | None = None) -> Made:
    """What ``make`` gives, made again with a temporary place where numba found none.

    Parameters
    ----------
    otherwise : what to make where not even a temporary folder can be written
    """
    try:
        return make()
    except RuntimeError as error:
        if _NO_PLACE not in str(error):
            raise
    _place_for_now()
    try:
        return make()
    except RuntimeError as error:
        if _NO_PLACE not in str(error) or otherwise is None:
            raise
        return otherwise()


@cache
def _place_for_now() -> None:
    """Have numba write to a folder that goes with this process, and say so once."""
    with suppress(OSError):
        folder = tempfile.mkdtemp(prefix="micrec-numba-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = folder
    logging.getLogger(__name__).warning(
        "compiled code cannot be kept, so every start takes some seconds longer; "
        "set NUMBA_CACHE_DIR to a folder that can be written"
    )
