"""Whoever reads large tables is told how much of them is read; of small ones nothing is said."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import micrec_core as mc
from micrec_core.cli.output import Progress
from micrec_core.data import budget, read_dataset, readers
from tests.data.conftest import INTERACTIONS, write_dataset, write_table

Told = list[tuple[str, int, int]]


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "LARGE", 1)
    monkeypatch.setattr(budget, "UNIT", 1)
    monkeypatch.setattr(readers, "_MANY", 1)


def told_of(root: Path) -> Told:
    told: Told = []
    read_dataset(root, progress=lambda *said: told.append(said))
    return told


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_all_of_each_table_is_told(tmp_path: Path, all_are_large: None, suffix: str) -> None:
    root = write_dataset(tmp_path / "shop", suffix)
    told = told_of(root)
    for stem in ("items", "interactions"):
        file = root / f"{stem}{suffix}"
        last = [said for said in told if file.name in said[0]][-1]
        assert last == (f"reading {file.name} (MiB)", file.stat().st_size, file.stat().st_size)
    assert told[-1] == ("checking 48 interactions", 0, 0)


def test_parts_of_a_table_are_one_whole(tmp_path: Path, all_are_large: None) -> None:
    root = write_dataset(tmp_path / "shop")
    (root / "interactions.csv").unlink()
    (root / "interactions").mkdir()
    files = [root / "interactions" / f"part-{k}.csv" for k in range(3)]
    for k, file in enumerate(files):
        write_table(file, INTERACTIONS[k::3])
    said = [one for one in told_of(root) if "interactions in 3 parts" in one[0]]
    sizes = [file.stat().st_size for file in files]
    assert [done for _, done, _ in said] == [sizes[0], sum(sizes[:2]), sum(sizes)]
    assert {total for _, _, total in said} == {sum(sizes)}


def test_of_small_tables_nothing_is_said(tmp_path: Path) -> None:
    assert told_of(write_dataset(tmp_path / "shop")) == []


def test_a_log_has_a_line_a_tenth() -> None:
    log = io.StringIO()
    with Progress(log) as progress:
        for done in range(101):
            progress("reading a.csv (MiB)", done, 100)
    assert log.getvalue().splitlines() == [
        f"reading a.csv (MiB) {done} of 100" for done in range(0, 101, 10)
    ]


def test_the_front_door_draws_where_somebody_looks(
    tmp_path: Path, all_are_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    root = write_dataset(tmp_path / "shop")
    drawn = []
    for stream, progress in ((Terminal(), True), (Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr("sys.stderr", stream)
        mc.read_dataset(root, progress=progress)
        drawn.append("reading interactions.csv (MiB)" in stream.getvalue())
    assert drawn == [True, False, False]
