"""What is uploaded: a zip, other names, a mend, a name to be kept under, who may delete it."""

import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from micrec_core.errors import DataError
from micrec_core.jobs.checking import Limits, check_capped
from micrec_core.ui import uploads

ROOMY = Limits(seconds=100)


@dataclass
class File:
    name: str
    content: bytes

    def getvalue(self) -> bytes:
        return self.content


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MICREC_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(uploads, "any_folder", lambda: False)
    return tmp_path


def a_zip() -> File:
    out, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "PNG")
    log = "who,item_id,when\n" + "".join(
        f"u{u},i{(u + k) % 6},{k}\n" for u in range(8) for k in range(4)
    )
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mine/orders.csv", log + "u9,,7\n")
        archive.writestr(
            "mine/goods.csv",
            "item_id,name,image\n" + "".join(f"i{i},thing {i},p/{i}.png\n" for i in range(6)),
        )
        archive.writestr(
            "mine/known.csv", "subject,predicate,object\n" + "".join(
                f"i{i},used for,{'tea' if i % 2 else 'baking'}\n" for i in range(6)
            ),
        )  # fmt: skip
        for i in range(6):
            archive.writestr(f"mine/p/{i}.png", picture.getvalue())
    return File("mine.zip", out.getvalue())


def test_a_zip_of_other_names_of_one_domain_is_read_and_kept(place: Path) -> None:
    folder = uploads.keep_upload([a_zip()], "ada")
    assert sorted(p.name for p in folder.iterdir()) == ["goods.csv", "known.csv", "orders.csv", "p"]
    files = {"interactions": "orders.csv", "items": "goods.csv", "relations": "known.csv"}
    for name in ("../x", "a/b", " a", "a=b", "x" * 65):
        with pytest.raises(DataError, match="cannot name a domain"):
            uploads.assign(folder, files, name)
    for _ in range(2):  # a page may be reloaded in between
        uploads.assign(folder, files, "Tea & co")
    written = ["--map=user_id=who", "--map=title=name", "--map=timestamp=when"]
    written += ["--map=head=subject", "--map=relation=predicate", "--map=tail=object"]
    told = check_capped(folder, ["--all", *written], ROOMY)
    (wrong,) = told["problems"]
    assert (wrong["file"], wrong["line"], wrong["column"]) == ("interactions.csv", 34, "item_id")
    assert sorted(t["kind"] for t in told["tables"]) == ["interactions", "items", "relations"]
    uploads.said_within(
        ["mend", str(folder), "--cut=interactions.csv:34", *written], Limits.of_this_server()
    )
    about = check_capped(folder, ["--all", *written], ROOMY)["about"]
    assert about["n_interactions"] == 32 and about["domains"][0]["missing"]["image"] == 0
    assert "knowledge" in uploads.says(about)

    for name in ("", "../x", ".x", "A b", "x" * 65):
        with pytest.raises(DataError, match="cannot name a dataset"):
            uploads.keep(folder, name, "ada", about)
    with pytest.raises(DataError, match="no upload of yours"):
        uploads.keep(folder, "tea", "bob", about)
    uploads.keep(folder, "tea", "ada", about)
    assert not folder.exists() and (place / "data" / "tea" / "p" / "5.png").is_file()
    (one,) = uploads.kept()
    assert (one.domains, one.users, one.items, one.interactions) == (1, 8, 6, 32)
    again = uploads.keep_upload([File("items.csv", b"x")], "bob")
    with pytest.raises(DataError, match="already"):
        uploads.keep(again, "tea", "bob", about)
    with pytest.raises(DataError, match="another visitor"):
        uploads.delete("tea", "bob")
    (place / "data" / "theirs").mkdir()
    for name in ("theirs", "..", "no"):
        with pytest.raises(DataError, match="no dataset"):
            uploads.delete(name, "ada")
    uploads.delete("tea", "ada")
    assert not uploads.kept() and [p.name for p in (place / "data").iterdir()] == ["theirs"]


def test_what_is_kept_counts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "QUOTA_MB", 0.0021)
    about = {"domains": [{"missing": {}}], "n_users": 1, "n_items": 1, "n_interactions": 1}
    files = [File("items.csv", b"x" * 1000)]
    uploads.keep(uploads.keep_upload(files, "ada"), "tea", "ada", about)
    uploads.keep_upload(files, "bob")
    with pytest.raises(DataError, match="would have more than"):
        uploads.keep_upload([*files, File("interactions.csv", b"x" * 500)], "ada")


def test_two_who_keep_one_name_at_once_lose_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"domains": [{"missing": {}}], "n_users": 1, "n_items": 1, "n_interactions": 1}
    first, second = (
        uploads.keep_upload([File("items.csv", who.encode())], who) for who in ("ada", "bob")
    )
    uploads.keep(first, "tea", "ada", about)
    monkeypatch.setattr(uploads.os.path, "lexists", lambda path: False)  # it was free just before
    with pytest.raises(DataError, match="there is a dataset 'tea' already"):
        uploads.keep(second, "tea", "bob", about)
    assert (second / "items.csv").read_bytes() == b"bob"
    assert (place / "data" / "tea" / "items.csv").read_bytes() == b"ada"
    assert [path.name for path in (place / "data").iterdir()] == ["tea"]


def test_what_cannot_be_unpacked_leaves_nothing(place: Path) -> None:
    with pytest.raises(DataError, match="no zip"):
        uploads.keep_upload([File("a.zip", b"x")], "ada")
    with pytest.raises(DataError, match="alone"):
        uploads.keep_upload([a_zip(), File("items.csv", b"x")], "ada")
    assert not list((place / "runs" / ".uploads").glob("*/*"))


def test_a_file_is_one_table_of_the_upload(place: Path) -> None:
    folder = uploads.keep_upload([File("a.csv", b"x"), File("b.csv", b"x")], "ada")
    for files in (
        {"items": "../a.csv"},
        {"items": "no.csv"},
        {"items": "a.csv", "interactions": "a.csv"},
    ):
        with pytest.raises(DataError):
            uploads.assign(folder, files)
    assert sorted(p.name for p in folder.iterdir()) == ["a.csv", "b.csv"]


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
