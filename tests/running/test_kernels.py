"""Kernels are compiled once, by one process, and a training waits for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from micrec_core.running import kernels


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When compiling ended, each time that it was done; it takes a moment."""
    monkeypatch.setenv("MICREC_CACHE", str(tmp_path / "cache"))
    ended: list[float] = []

    def take_a_moment() -> None:
        time.sleep(0.2)
        ended.append(time.monotonic())

    monkeypatch.setattr(kernels, "_train_a_little", take_a_moment)
    return ended


def test_an_installation_compiles_once_whoever_asks(compiled, monkeypatch) -> None:
    with ThreadPoolExecutor(3) as pool:
        needed = list(pool.map(lambda _: kernels.compile_kernels(), range(3)))
    assert sorted(needed) == [False, False, True] and len(compiled) == 1
    assert not kernels.compile_kernels() and len(compiled) == 1
    monkeypatch.setattr(kernels, "__version__", "another")
    assert kernels.compile_kernels() and len(compiled) == 2


def test_a_training_waits_for_who_compiles_and_for_nobody_else(compiled) -> None:
    kernels.wait_for_kernels()
    with ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(kernels.compile_kernels)
        while not kernels._lock(kernels.cache_folder()).exists():
            time.sleep(0.001)
        time.sleep(0.05)
        kernels.wait_for_kernels()
        assert compiled and compiling.result()


def test_a_training_does_not_wait_for_ever_and_says_what_for(compiled, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "LONGEST_WAIT", 0.3)
    monkeypatch.setattr(kernels, "_POLL", 0.01)
    folder = kernels.cache_folder()
    assert folder is not None
    said: list[str] = []
    with kernels._alone(folder):
        started = time.monotonic()
        kernels.wait_for_kernels(lambda label, *_: said.append(label))
        assert 0.3 <= time.monotonic() - started < 10
    assert said and "waiting for another process" in said[0]


def test_without_a_place_nothing_is_compiled_ahead(compiled, monkeypatch) -> None:
    monkeypatch.setattr(kernels, "cache_folder", lambda: None)
    assert not kernels.compile_kernels() and not compiled
    kernels.wait_for_kernels()
