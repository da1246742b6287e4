"""A failing machine never makes a half thing look whole, nor loses what was whole.

The small form of ``make faults``: every so many-th open, write, fsync and rename fails, each in a
process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running.fault_shim import KINDS, Shim, installed
from tests.running.faults import NAMES

ROOT = Path(__file__).resolve().parents[2]


def test_what_a_fault_leaves_can_be_gone_on_with() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.running.faults", "small"], cwd=ROOT, capture_output=True,
        text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")]
    tried = {(row[0].strip(), row[1].strip()) for row in rows[1:]}
    assert {kind for _, kind in tried} == set(KINDS)
    assert {name for name, _ in tried} == set(NAMES)


@pytest.mark.parametrize("kind", ["ENOSPC", "EIO", "EACCES"])
def test_the_shim_fails_what_it_says(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a"
    with installed(Shim(tmp_path)) as shim:
        file.write_text("first")
        os.replace(file, tmp_path / "b")
        (tmp_path.parent / "elsewhere").write_text("does not count")
    assert shim.trace == ["open", "write", "replace"]
    for at in (1, 2, 3):
        with installed(Shim(tmp_path, kind, at)), pytest.raises(OSError, match=r"."):
            file.write_text("second")
            os.replace(file, tmp_path / "b")
        assert (tmp_path / "b").read_text() == "first"


def test_a_write_that_is_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    with installed(Shim(tmp_path, "short write", 2)) as shim:
        (tmp_path / "a").write_bytes(b"x" * 1001)
    assert (tmp_path / "a").read_bytes() == b"x" * 1001
    assert shim.trace == ["open", "write", "write"]
