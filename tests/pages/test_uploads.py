"""What is uploaded is removed when its days are over, and nothing else is."""

import os
from pathlib import Path

import pytest

from micrec_core.ui import uploads


def test_uploads_go_after_their_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path))
    mine = tmp_path / ".uploads" / "ada"
    old, young, other = mine / "old", mine / "young", tmp_path / "x"
    for folder in (old, young, other):
        folder.mkdir(parents=True)
        (folder / "items.csv").write_text("")
    (mine / "link").symlink_to(other)
    for folder in (old, other):
        os.utime(folder, (0, 0))
    uploads.remove_old()
    assert not old.exists() and young.is_dir() and (other / "items.csv").exists()
