"""What is asked for is written where it was asked for, and nothing else is replaced."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from micrec_core.errors import DataError
from micrec_core.runs.files import write_out


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.html", tmp_path / "a.html"
    target.write_text("old")
    link.symlink_to(target)
    write_out(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["a.html"]


def test_a_link_to_a_link_and_one_to_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "b").symlink_to(tmp_path / "later" / "c")
    (tmp_path / "a").symlink_to("b")
    write_out(tmp_path / "a", "new")
    assert (tmp_path / "later" / "c").read_text() == "new"
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


def test_a_pipe_gets_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    write_out(pipe, "x" * 100_000)
    reader.join(10)
    assert got == ["x" * 100_000] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_pipe_that_a_shell_names(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    write_out(Path(f"/dev/fd/{writing}"), "short")
    os.close(writing)
    assert os.read(reading, 100) == b"short"
    os.close(reading)


def test_a_device_or_a_socket_is_refused_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    with pytest.raises(DataError, match="is a device or a socket; give a file or a pipe"):
        write_out(Path("/dev/null"), "x")
    with pytest.raises(DataError, match="is a device"):
        write_out(tmp_path / "null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        with pytest.raises(DataError, match="is a device or a socket"):
            write_out(tmp_path / "s", "x")


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for bad in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="cannot be written .*; choose another --out"):
            write_out(bad, "x")
