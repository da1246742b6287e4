"""A zip from anyone: its tables and pictures land in one folder, or nothing does."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from micrec_core.data import unpacking
from micrec_core.data.unpacking import unpack
from micrec_core.errors import DataError

GOOD = {"shop/interactions.csv": b"user_id", "shop/items.csv": b"item_id",
        "shop/images/a b.PNG": b"png"}  # fmt: skip


def packed(path: Path, files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_tables_and_pictures_lie_where_the_tables_say(tmp_path: Path) -> None:
    more = {"__MACOSX/shop/._items.csv": b"x", "shop/.DS_Store": b"x", "shop/run.sh": b"rm"}
    notes = unpack(packed(tmp_path / "a.zip", GOOD | more), tmp_path / "out", 1000)
    found = sorted(p.relative_to(tmp_path / "out").as_posix()
                   for p in (tmp_path / "out").rglob("*") if p.is_file())  # fmt: skip
    assert found == ["images/a b.PNG", "interactions.csv", "items.csv"]
    assert len(notes) == 1 and "1 file" in notes[0] and "run.sh" in notes[0]


@pytest.mark.parametrize(
    "name",
    ["../items.csv", "/items.csv", "a/../../items.csv", "c:/items.csv", "a\\..\\items.csv",
     "a\nb.csv", "a/" * 9 + "items.csv", "x" * 300 + ".csv"],
)  # fmt: skip
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"leads out|too long"):
        unpack(packed(tmp_path / "a.zip", GOOD | {name: b"x"}), tmp_path / "in" / "out", 1000)
    assert not list((tmp_path / "in").rglob("*")) and len(list(tmp_path.rglob("*.csv"))) == 0


def test_a_name_of_nothing_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(tmp_path / "a.zip", GOOD), "a") as archive:
        archive.writestr(zipfile.ZipInfo("\0"), b"x")
    with pytest.raises(DataError, match="leads out"):
        unpack(tmp_path / "a.zip", tmp_path / "out", 1000)


def test_a_link_is_a_file_with_its_target_as_text(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(tmp_path / "a.zip", GOOD), "a") as archive:
        link = zipfile.ZipInfo("shop/images/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    unpack(tmp_path / "a.zip", tmp_path / "out", 1000)
    link_ = tmp_path / "out" / "images" / "link.png"
    assert not link_.is_symlink() and link_.read_bytes() == b"/etc/passwd"


def test_bombs_are_counted_as_they_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(tmp_path / "a.zip", GOOD | {"shop/images/b.png": b"\0" * (8 << 20)})
    assert bomb.stat().st_size < 20_000
    data = bomb.read_bytes().replace((8 << 20).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    for content in (bomb.read_bytes(), data):  # as it is, and one that lies about its size
        bomb.write_bytes(content)
        with pytest.raises(DataError, match=r"more than 1 MiB|damaged"):
            unpack(bomb, tmp_path / "out", 1 << 20)
        assert not (tmp_path / "out").exists()
    monkeypatch.setattr(unpacking, "MAX_FILES", 2)
    with pytest.raises(DataError, match="has 3 files and may have 2"):
        unpack(packed(tmp_path / "b.zip", GOOD), tmp_path / "out", 1000)


def test_what_is_no_whole_zip_is_refused(tmp_path: Path) -> None:
    good = packed(tmp_path / "good.zip", GOOD, zipfile.ZIP_STORED).read_bytes()
    locked = bytearray(good)
    for at in (good.find(b"PK\x03\x04") + 6, good.find(b"PK\x01\x02") + 8):
        locked[at] |= 1
    twice = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "w") as archive:
        for _ in range(2):
            archive.writestr("items.csv", "x")
    clash = packed(tmp_path / "c.zip", {"items.csv": b"x", "items.csv/b.csv": b"x"}).read_bytes()
    beside = packed(tmp_path / "b.zip", GOOD | {"other/b.png": b"x"}).read_bytes()
    none = packed(tmp_path / "n.zip", {"a.png": b"x"}).read_bytes()
    for content, said in {
        b"no zip": "no zip",
        good.replace(b"user_id", b"xser_id", 1): "damaged",
        bytes(locked): "password",
        twice.getvalue(): "a file twice",
        clash: "cannot be written",
        beside: "beside the folder of its tables",
        none: "has no table",
    }.items():
        (tmp_path / "x.zip").write_bytes(content)
        with pytest.raises(DataError, match=said):
            unpack(tmp_path / "x.zip", tmp_path / "out", 1000)
        assert not (tmp_path / "out").exists()
