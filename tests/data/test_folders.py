"""A folder appears whole or not at all, and nothing that was half made stays for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from micrec_core.data.folders import new_folder
from micrec_core.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
_KILLED = """
import os, signal, sys
from pathlib import Path
from micrec_core.data.folders import new_folder
with new_folder(Path(sys.argv[1]), "the sample") as work:
    (work / "items.csv").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_when_the_folder_is_made_again(tmp_path: Path) -> None:
    target = tmp_path / "data[1]"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(target)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".data[1]-")
    (tmp_path / ".data[1]-notes").mkdir()
    with new_folder(target, "the sample") as work:
        (work / "items.csv").write_text("whole")
    assert sorted(os.listdir(tmp_path)) == [".data[1]-notes", "data[1]"]


def test_what_is_being_made_stays(tmp_path: Path) -> None:
    target = tmp_path / "data"
    with new_folder(target, "the sample") as first:
        (first / "a").write_text("")
        with new_folder(target, "the sample") as second:
            (second / "b").write_text("")
        assert (first / "a").exists()
        (target / "b").unlink()
    assert os.listdir(target) == ["a"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match="cannot be written"),
        new_folder(tmp_path / "file" / "x", "the sample"),
    ):
        pass
