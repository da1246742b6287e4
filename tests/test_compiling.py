"""Kernels without a place to keep them: an installation of somebody else, no home, a full disk."""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numba
import pytest

from micrec_core import compiling

SOURCE = """
from micrec_core.compiling import kernel

@kernel(nogil=True)
def doubled(n):
    return 2 * n
"""


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that numba can keep nothing of: neither beside it nor at home."""
    (tmp_path / "__pycache__").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    compiling._place_for_now.cache_clear()
    (tmp_path / "kernels.py").write_text(SOURCE)
    yield tmp_path / "kernels.py"
    compiling._place_for_now.cache_clear()


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernels", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_place_a_temporary_one_is_taken_and_said_once(
    nowhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert load(nowhere).doubled(4) == 8
        assert load(nowhere).doubled(5) == 10
    assert len(caplog.messages) == 1 and "set NUMBA_CACHE_DIR" in caplog.messages[0]
    assert any(Path(numba.config.CACHE_DIR).rglob("*.nbi"))


def test_the_mend_that_is_named_works(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    with caplog.at_level(logging.WARNING):
        assert load(nowhere).doubled(4) == 8
    assert not caplog.messages and any((tmp_path / "kept").rglob("*.nbi"))


def test_not_even_a_temporary_folder(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> str:
        raise OSError("read-only")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert load(nowhere).doubled(4) == 8


def test_other_failures_of_numba_are_not_hidden() -> None:
    def fail() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        compiling.placed(fail, lambda: None)
