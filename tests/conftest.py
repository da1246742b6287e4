"""What tests of several packages share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import numba
import pytest
import torch


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As the processes that tests start: on a busy machine threads that wait cost most."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])


def pytest_collection_finish() -> None:
    """Nothing that is there by now goes away: what is measured collects garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Servers that tests start leave the compiling of kernels to the tests."""
    os.environ.setdefault("MICREC_COMPILE", "no")
