"""What tests of several packages share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
import torch

from tests.choosing import first_choices


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As the processes that tests start: on a busy machine threads that wait cost most."""
    import numba  # after micrec_core, which tells it of the threads that were asked for

    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])


@pytest.fixture(scope="module", name="first_choices")
def tried_once() -> Iterator[None]:
    """Trainings of a module that try one value of what is chosen on validation."""
    with first_choices():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker ends late; browsing, which waits, beside computing."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: "slow" not in item.keywords):
        files.setdefault(item.path, [])
    for item in items:
        files[item.path].append(item)
    browsing = [p for p in files if "browser" in files[p][0].keywords]
    others = [p for p in files if p not in browsing]
    order = [p for pair in zip_longest(others, browsing) for p in pair if p is not None]
    items[:] = [item for path in order for item in files[path]]


def pytest_collection_finish() -> None:
    """Nothing that is there by now goes away: what is measured collects garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Servers that tests start leave the compiling of kernels to the tests."""
    os.environ.setdefault("MICREC_COMPILE", "no")
