"""The entry point, without a browser."""

import runpy
import sys
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path

ROOT = Path(__file__).resolve().parents[1]


def test_a_run_of_the_pages_leaves_the_search_path_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports go on in the background meanwhile, and would miss a folder if one before it went."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    router = runpy.run_path(str(ROOT / "app.py"))["ROUTER"]
    assert router.is_file()
    before = list(sys.path)
    with modified_sys_path(str(router)):
        assert sys.path == before
    assert sys.path == before
