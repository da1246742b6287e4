"""A run goes out as one file and comes back whole, or not at all."""

import io
import zipfile

import pytest

from micrec_core.errors import MicrecError, RunError
from micrec_core.runs import archive, list_runs, open_run
from micrec_core.runs.archive import Note, note, notes, pack, remove, unpack
from tests.running.fault_shim import Shim, installed
from tests.ui_run import write_run


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("from"), "tiny")
    out = io.BytesIO()
    pack(open_run(path), out)
    return out.getvalue()


def changed(packed: bytes, **names) -> io.BytesIO:
    """The zip with members added, or replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            if member not in names:
                new.writestr(member, old.read(member))
        for name, content in names.items():
            new.writestr(name, content)
    out.seek(0)
    return out


def test_there_and_back(packed, tmp_path):
    run = unpack(io.BytesIO(packed), tmp_path)
    assert run.name == "tiny"
    again = unpack(io.BytesIO(packed), tmp_path, "other")
    assert again.digests == run.digests
    assert {r.name for r in list_runs(tmp_path)} == {"tiny", "other"}
    with pytest.raises(RunError, match="already"):
        unpack(io.BytesIO(packed), tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        {"../outside.txt": "x"},
        {"tiny/../../outside.txt": "x"},
        {"/outside.txt": "x"},
        {"tiny/more.txt": "not listed"},
        {"tiny/weights.parquet": "another"},
        {"second/run.json": "{}"},
        {"beside.txt": "x"},
    ],
)
def test_what_is_not_one_whole_run_leaves_nothing(packed, tmp_path, names):
    folder = tmp_path / "runs"
    with pytest.raises(MicrecError):
        unpack(changed(packed, **names), folder)
    assert list(folder.iterdir()) == []
    assert {p.name for p in tmp_path.iterdir()} == {"runs"}


def test_no_zip_and_too_much(packed, tmp_path, monkeypatch):
    with pytest.raises(RunError, match="not a zip"):
        unpack(io.BytesIO(b"no zip"), tmp_path)
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(RunError, match="unpacks to more"):
        unpack(io.BytesIO(packed), tmp_path)
    with pytest.raises(MicrecError, match="cannot name a run"):
        unpack(io.BytesIO(packed), tmp_path, "../x")
    assert list(tmp_path.iterdir()) == []


def test_removing_takes_the_run_and_its_note_and_nothing_else(packed, tmp_path):
    unpack(io.BytesIO(packed), tmp_path)
    unpack(io.BytesIO(packed), tmp_path, "kept")
    note(tmp_path, "tiny", Note("good", ("paper",)))
    note(tmp_path, "kept", Note("better", ("paper", "new")))
    assert notes(tmp_path)["tiny"] == Note("good", ("paper",))
    remove(tmp_path, "tiny")
    assert [r.name for r in list_runs(tmp_path)] == ["kept"]
    assert notes(tmp_path) == {"kept": Note("better", ("paper", "new"))}
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("tiny", "../x", ".", "..", ".notes.json", "link", ""):
        with pytest.raises(RunError, match="no run"):
            remove(tmp_path, name)
    assert (tmp_path / "kept" / "run.json").is_file()


def test_notes_of_a_damaged_file_are_none(tmp_path):
    (tmp_path / archive.NOTES).write_text("[1")
    assert notes(tmp_path) == {}
    note(tmp_path, "a", Note("x"))
    assert notes(tmp_path) == {"a": Note("x")}


@pytest.mark.parametrize("name", ["tiny/run.json/x", "tiny/metrics", "tiny/" + "a/" * 300 + "b"])
def test_a_name_that_no_file_can_have_is_refused(packed, tmp_path, name):
    with pytest.raises(RunError) as refused:
        unpack(changed(packed, **{name: b"x"}), tmp_path)
    assert len(str(refused.value)) < 300 and not list(tmp_path.iterdir())


def test_a_name_of_nothing_is_refused(packed, tmp_path):
    zipped = io.BytesIO(packed)
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr(zipfile.ZipInfo("\0"), b"x")
    with pytest.raises(RunError, match="beside its run"):
        unpack(zipped, tmp_path / "in")
    assert not list((tmp_path / "in").iterdir())


@pytest.mark.parametrize("place", [8, 10, 20])
def test_a_zip_that_lies_about_a_file_is_refused(packed, tmp_path, place):
    """Bits of flags, of packing and of sizes in what the zip says of its first file."""
    at = packed.find(b"PK\x01\x02") + place
    spoilt = packed[:at] + bytes([packed[at] ^ 0x11]) + packed[at + 1 :]
    with pytest.raises(RunError, match="is damaged at"):
        unpack(io.BytesIO(spoilt), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_a_sentence_and_leaves_nothing(packed, tmp_path):
    for at in (1, 3):
        full = Shim(tmp_path, "ENOSPC", at)
        with installed(full), pytest.raises(RunError, match="No space left|disk full"):
            unpack(io.BytesIO(packed), tmp_path / "runs")
        assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())
    run = unpack(io.BytesIO(packed), tmp_path / "runs")
    with installed(Shim(tmp_path, "EACCES", 1)), pytest.raises(RunError, match="cannot be deleted"):
        remove(tmp_path / "runs", run.name)
    with installed(Shim(tmp_path, "ENOSPC", 1)), pytest.raises(RunError, match="cannot be kept"):
        note(tmp_path / "runs", run.name, Note("x"))
    assert [found.problem for found in list_runs(tmp_path / "runs")] == [None]


def test_what_a_killed_import_left_goes_with_a_later_one(packed, tmp_path, monkeypatch):
    for name in (".import-abc", ".gone.deleted", ".other"):
        (tmp_path / name).mkdir()
    unpack(io.BytesIO(packed), tmp_path)
    assert (tmp_path / ".import-abc").exists(), "it may be another's that is at it"
    monkeypatch.setattr(archive, "_LEFT_SECONDS", -1)
    remove(tmp_path, "tiny")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".notes.json", ".other"]
