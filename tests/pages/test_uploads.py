"""What visitors upload does not stay for ever."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from micrec_core.ui import own_tables


def test_uploads_go_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, other = (
        tmp_path / f"{name}1" for name in ("micrec-upload-o", "micrec-upload-y", "x")
    )
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "items.csv").write_text("")
    (tmp_path / "micrec-upload-link").symlink_to(other)
    for folder in (old, other):
        os.utime(folder, (0, 0))
    own_tables._sweep_uploads()
    assert sorted(os.listdir(tmp_path)) == ["micrec-upload-link", "micrec-upload-y1", "x1"]
    assert (other / "items.csv").exists()
