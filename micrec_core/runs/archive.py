"""Runs as one file to hand on, and taken in from anyone; runs removed; notes beside them."""

from __future__ import annotations

import json
import lzma
import shutil
import struct
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from micrec_core.data.schema import quote
from micrec_core.errors import RunError
from micrec_core.runs import files
from micrec_core.runs.reader import Run, open_run
from micrec_core.runs.run_names import check_run_name

# What an uploaded file may unpack to, in bytes and in files.
MOST_BYTES, MOST_FILES = 4 * 2**30, 10_000
NOTES = ".notes.json"
_BLOCK = 2**20
_COMING, _GOING, _LEFT_SECONDS = ".import-", ".deleted", 86_400
# What reading a zip of anything may end in: other packings, passwords, lies about sizes and names.
_DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError,
    RuntimeError, ValueError, struct.error, lzma.LZMAError,
)  # fmt: skip
_lock = threading.Lock()


def pack(run: Run, out: BinaryIO) -> None:
    """Write a run as a zip: its manifest and every file that the manifest lists."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for relative in (*run.files, "manifest.json"):
            archive.write(files.inside(run.path, relative), f"{run.name}/{relative}")


def coming(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """A place for what comes into a folder of runs; what a killed process leaves of it goes."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=_COMING, dir=folder)


def unpack(source: BinaryIO, folder: Path, name: str = "") -> Run:
    """Take a zip of a run into a folder; it is there whole and verified, or not at all.

    Parameters
    ----------
    source : as ``pack`` wrote it; its one folder, or none, holds the run
    name : of the run; that of the zip's folder where none is given

    Raises
    ------
    RunError
        It is no zip or holds no whole run, is too large, cannot be written, or there is a run of
        that name.
    ConfigError
        The name cannot be a run's.
    """
    try:
        return _unpacked(source, folder, name)
    except OSError as error:
        raise RunError(
            f"The run cannot be taken in ({error.strerror}): this server's disk may be full, or "
            "another of that name came at the same moment."
        ) from None


def _unpacked(source: BinaryIO, folder: Path, name: str) -> Run:
    """As ``unpack``; OSError where it cannot be written."""
    try:
        archive = zipfile.ZipFile(source)
    except _DAMAGED:
        raise RunError("That is not a zip: download a run here, and import that file.") from None
    with archive, coming(folder) as place:
        _sweep(folder)
        members = {m.filename: m for m in archive.infolist() if not m.filename.endswith("/")}
        top = _top(members)
        called = check_run_name(name or top.rstrip("/") or "imported")
        if (folder / called).exists():
            raise RunError(f"There is a run '{called}' already: import it under another name.")
        root = Path(place) / called
        _extract(archive, members, top, root)
        run = open_run(root)
        _read(run)
        listed = {*run.files, "manifest.json"}
        extra = sorted({m.removeprefix(top) for m in members} - listed)
        if extra:
            raise RunError(f"The zip has {quote(extra[0])}, which its manifest does not list.")
        root.rename(folder / called)
    return open_run(folder / called)


def _read(run: Run) -> None:
    """Read every table and tensor once: what harms a reader harms no page, for it never comes in."""
    for relative in run.files:
        if relative.endswith(".parquet"):
            run.frame(relative)
        elif relative.endswith(".safetensors"):
            run.tensors(relative)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left of runs that came or went."""
    old = time.time() - _LEFT_SECONDS
    for pattern in (f"{_COMING}*", f".*{_GOING}"):
        for left in folder.glob(pattern):
            with suppress(OSError):
                if left.stat().st_ctime < old:
                    shutil.rmtree(left, ignore_errors=True)


def _top(members: Iterable[str]) -> str:
    """The folder of the zip that the run lies in, with its slash; empty where it is at the top."""
    found = [m for m in members if m.rsplit("/", 1)[-1] == "run.json"]
    if len(found) != 1 or found[0].count("/") > 1:
        raise RunError("The zip holds no run, or several: it must have one run.json.")
    return found[0].removesuffix("run.json")


def _extract(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], top: str, root: Path
) -> None:
    if len(members) > MOST_FILES:
        raise RunError(f"The zip has {len(members):,} files and may have {MOST_FILES:,}.")
    left = MOST_BYTES
    root.mkdir()
    for name, member in members.items():
        if not name.startswith(top):
            shown = quote(name)
            raise RunError(f"The zip has {shown} beside its run: pack the run's folder alone.")
        path = files.inside(root, name.removeprefix(top))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # What the zip says of its sizes is not believed: what comes out is counted.
            with archive.open(member) as stream, open(path, "xb") as out:
                while block := stream.read(_BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise RunError(f"The zip unpacks to more than {MOST_BYTES >> 30} GB.")
                    out.write(block)
        except _DAMAGED:
            raise RunError(
                f"The zip is damaged at {quote(name)}: copy or download it once more."
            ) from None
        except OSError as error:
            raise RunError(
                f"{quote(name)} of the zip cannot be written ({error.strerror}): it may be there "
                "twice, or this server's disk full."
            ) from None


def remove(folder: Path, name: str) -> None:
    """Delete a run of a folder, and what was noted of it.

    Raises
    ------
    RunError
        There is no such run in the folder, or it is a link.
    """
    path = folder / name
    # A copied run may have any name, but none that leads elsewhere.
    inside = bool(name) and Path(name).name == name and not name.startswith(".")
    if not inside or path.is_symlink() or not path.is_dir():
        raise RunError(f"There is no run '{name}' to delete in {folder}.")
    gone = path.with_name(f".{name}{_GOING}")
    shutil.rmtree(gone, ignore_errors=True)
    # Gone for everybody at one stroke; its files follow, now or with the next run that goes.
    try:
        path.rename(gone)
    except OSError as error:
        raise RunError(f"Run '{name}' cannot be deleted ({error.strerror}): try again.") from None
    shutil.rmtree(gone, ignore_errors=True)
    note(folder, name, Note())
    _sweep(folder)


@dataclass(frozen=True)
class Note:
    """What somebody wrote beside a run: words, and tags to find it by."""

    words: str = ""
    tags: tuple[str, ...] = field(default_factory=tuple)


def notes(folder: Path) -> dict[str, Note]:
    """The notes of a folder's runs by name; none where there is no readable file of them."""
    try:
        stored = json.loads((folder / NOTES).read_bytes())
        return {
            str(name): Note(str(n["words"]), tuple(map(str, n["tags"])))
            for name, n in stored.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def note(folder: Path, name: str, said: Note) -> None:
    """Keep a note of a run; an empty one is taken away."""
    with _lock:
        kept = notes(folder)
        kept.pop(name, None)
        if said != Note():
            kept[name] = said
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with files.replacing(folder / NOTES) as path:
                files.write_json(path, {k: asdict(n) for k, n in sorted(kept.items())})
        except OSError as error:
            raise RunError(f"The note cannot be kept ({error.strerror}): try again.") from None
