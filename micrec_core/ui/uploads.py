"""What visitors upload: first theirs alone, for some days; then, under a name, for all to train on.

An upload lies in the runs folder, below its owner's name. One that is kept moves to the first of
``MICREC_DATA``'s folders and is a dataset like any other there; a file in it says who brought it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote as escaped
from uuid import uuid4

from micrec_core.bundled import from_home
from micrec_core.data.about import FILE
from micrec_core.data.preview import ENDINGS, SCHEMAS
from micrec_core.data.schema import quote
from micrec_core.errors import DataError
from micrec_core.jobs.checking import Limits, said_within
from micrec_core.locks import FolderLock
from micrec_core.ui.library import runs_folder
from micrec_core.ui.places import any_folder, data_folders

KEEP_DAYS = float(os.environ.get("MICREC_KEEP_DAYS", "14"))
QUOTA_MB = float(os.environ.get("MICREC_UPLOAD_MB", "200"))
# What may be chosen for it, by the last part of a name.
TYPES = sorted({"zip", "toml", *(ending.rpartition(".")[2] for ending in ENDINGS)})
_BROUGHT = ".brought.json"
_DOMAIN = re.compile(r"[\w&-](?:[\w& -]{0,62}[\w&-])?")
_HIDDEN = re.compile(r"\..+\.[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


class Upload(Protocol):
    """A file as Streamlit gives it."""

    name: str

    def getvalue(self) -> bytes:
        """Its content."""


def keep_upload(files: Sequence[Upload], owner: str) -> Path:
    """A new folder of the owner's with the files in it, a zip unpacked.

    Raises
    ------
    DataError
        A file is neither table nor zip, a zip is not alone or is refused, the owner's quota is
        spent, another upload of theirs is being taken in, or it cannot be written.
    """
    contents = {_name(file.name): file.getvalue() for file in files}
    zips = [name for name in contents if name.endswith(".zip")]
    if zips and len(contents) > 1:
        raise DataError("upload a zip alone, with all tables and pictures in it")
    place = _uploads() / owner
    try:
        remove_old()
        place.mkdir(parents=True, exist_ok=True)
        # Two at once would each find the quota free.
        lock = FolderLock(place)
    except BlockingIOError:
        raise DataError("another upload of yours is being taken in; wait for its end") from None
    except OSError as error:
        raise DataError(f"the upload cannot be kept ({error.strerror}); try later") from None
    try:
        return _taken_in(contents, owner, zips)
    finally:
        lock.release()


def _taken_in(contents: Mapping[str, bytes], owner: str, zips: Sequence[str]) -> Path:
    """Write an upload, of whose owner nobody else writes one."""
    left = QUOTA_MB * 2**20 - _size(owner) - sum(map(len, contents.values()))
    if left < 0:
        raise DataError(
            f"your uploads would have more than the {QUOTA_MB:g} MB that this server keeps for "
            f"each; delete what you kept, or wait: the oldest go after {KEEP_DAYS:g} days"
        )
    folder = _uploads() / owner / uuid4().hex
    try:
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return _unpacked(folder / zips[0], int(left)) if zips else folder
    except OSError as error:
        drop(folder)
        raise DataError(f"the upload cannot be kept ({error.strerror}); try later") from None
    except DataError:
        drop(folder)
        raise


def _unpacked(source: Path, left: int) -> Path:
    """The folder of an uploaded zip, with what is in it in its place."""
    inner = source.parent / ".inner"
    words = ["unpack", str(source), "--out", str(inner), "--most-mib", str(max(1, left >> 20))]
    said_within(words, Limits.of_this_server())
    source.unlink()
    for path in inner.iterdir():
        path.rename(source.parent / path.name)
    inner.rmdir()
    return source.parent


def assign(folder: Path, files: Mapping[str, str], domain: str = "") -> None:
    """Call tables of an upload as a dataset's are called.

    Parameters
    ----------
    files : ``interactions``, ``items`` and, perhaps, ``relations`` -> files in the folder
    domain : of all rows, where the tables have no such column
    """
    if domain and not _DOMAIN.fullmatch(domain):
        raise DataError(
            f"{quote(domain, 70)} cannot name a domain; use letters, digits, spaces, -, _ and &"
        )
    taken = dict.fromkeys(files.values())
    if len(taken) < len(files):
        raise DataError("one file cannot be two tables; choose another for one of them")
    for stem, name in files.items():
        ending = next((e for e in sorted(ENDINGS, key=len, reverse=True) if name.endswith(e)), "")
        # As Hive lays tables out: a folder may say what all rows in it have in a column.
        of_one = domain and "domain" in SCHEMAS[stem].columns
        place = folder / stem / f"domain={escaped(domain, safe='')}" if of_one else folder
        path, target = folder / name, place / f"{stem}{ending}"
        if target.is_file() and not path.exists():
            continue  # a reload of the page may have come in between
        if not ending or Path(name).name != name or not path.is_file():
            raise DataError(f"there is no table {quote(name)} in this upload; choose another")
        place.mkdir(parents=True, exist_ok=True)
        path.rename(target)


@dataclass(frozen=True)
class Brought:
    """A dataset that somebody brought and that is kept under a name.

    ``drop``: interactions with items that are not in the item table are left out. ``says``: the
    modalities in which items say something.
    """

    folder: Path
    owner: str
    kept: str
    domains: int
    users: int
    items: int
    interactions: int
    drop: bool = False
    says: tuple[str, ...] = ()

    def may_go(self, owner: str) -> bool:
        """Whether this visitor may delete it: who brought it, or this computer's own user."""
        return owner == self.owner or any_folder()


def keep(
    folder: Path, name: str, owner: str, described: Mapping[str, Any], drop: bool = False
) -> Brought:
    """Keep an upload as a dataset called ``name``; ``drop`` as ``Brought`` has it.

    Raises
    ------
    DataError
        It is no upload of the owner's, the name cannot be used or is taken, or it cannot be
        written.
    """
    if folder.parent != _uploads() / owner:
        raise DataError("that is no upload of yours; upload it again")
    if not _NAME.fullmatch(name) or ".." in name:
        raise DataError(
            f"{quote(name, 70)} cannot name a dataset; use 1 to 64 of a-z, 0-9, '.', '_' and '-'"
        )
    root = data_folders()[0]
    brought = Brought(
        root / name, owner, datetime.now(UTC).isoformat(timespec="seconds"),
        len(described["domains"]), described["n_users"], described["n_items"],
        described["n_interactions"], drop, says(described),
    )  # fmt: skip
    taken = DataError(f"there is a dataset {quote(name)} already; choose another name")
    if os.path.lexists(brought.folder):
        raise taken
    told = {key: value for key, value in asdict(brought).items() if key != "folder"}
    try:
        root.mkdir(parents=True, exist_ok=True)
        (folder / _BROUGHT).write_text(json.dumps(told), encoding="utf-8")
        # To another disk it is copied: hidden until it is whole.
        hidden = root / f".{name}.{uuid4().hex}"
        shutil.move(folder, hidden)
        try:
            hidden.rename(brought.folder)
        except OSError as error:
            shutil.move(hidden, folder)
            # Another kept one of that name at this moment.
            raise taken if error.errno in (errno.ENOTEMPTY, errno.EEXIST) else error from None
    except OSError as error:
        raise DataError(
            f"the dataset cannot be kept in {from_home(root)} ({error.strerror}); name a folder "
            "that can be written first in MICREC_DATA"
        ) from None
    return brought


def kept() -> list[Brought]:
    """Datasets that somebody brought, by name."""
    root = data_folders()[0]
    found = (_brought(path.parent) for path in sorted(root.glob(f"[!.]*/{_BROUGHT}")))
    return [brought for brought in found if brought is not None]


def says(described: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities in which items of a described dataset may say something."""
    missing = described["domains"][0]["missing"]
    return tuple(m for m in missing if m not in ("title", "description", "both"))


def _brought(folder: Path) -> Brought | None:
    try:
        told = json.loads((folder / _BROUGHT).read_bytes())
        domains, users, items, interactions = (
            int(told[key]) for key in ("domains", "users", "items", "interactions")
        )
        return Brought(
            folder, str(told["owner"]), str(told["kept"]), domains, users, items, interactions,
            bool(told["drop"]), tuple(map(str, told.get("says", ()))),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError):
        return None


def delete(name: str, owner: str) -> None:
    """Delete a kept dataset.

    Raises
    ------
    DataError
        There is none of that name, or somebody else brought it.
    """
    found = next((one for one in kept() if one.folder.name == name), None)
    if found is None or found.folder.is_symlink():
        raise DataError(f"there is no dataset {quote(name)} that somebody brought; reload the page")
    if not found.may_go(owner):
        raise DataError(f"another visitor brought {quote(name)}; only they may delete it")
    # Gone for everybody at one stroke; its files follow.
    gone = found.folder.with_name(f".{name}.{uuid4().hex}")
    try:
        found.folder.rename(gone)
    except OSError as error:
        raise DataError(f"{quote(name)} cannot be deleted ({error.strerror}); try later") from None
    shutil.rmtree(gone, ignore_errors=True)


def is_upload(folder: Path) -> bool:
    """Whether a folder is an upload that is not kept yet."""
    return folder.parent.parent == _uploads()


def drop(folder: Path) -> None:
    """Remove one upload."""
    if is_upload(folder):
        shutil.rmtree(folder, ignore_errors=True)


def remove_old() -> None:
    """Remove the uploads of everyone that are older than this server keeps them."""
    if not KEEP_DAYS:
        return
    oldest = time.time() - 86_400 * KEEP_DAYS
    for folder in _uploads().glob("*/*"):
        with suppress(OSError):  # another session removes it at this moment
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
    # What a process that was killed has left of a dataset that came or went.
    yesterday = time.time() - 86_400
    for folder in data_folders()[0].glob(".*"):
        with suppress(OSError):
            if _HIDDEN.fullmatch(folder.name) and folder.stat().st_ctime < yesterday:
                shutil.rmtree(folder, ignore_errors=True)


def _uploads() -> Path:
    return runs_folder() / ".uploads"


def _name(said: object) -> str:
    # Only the last part of what the browser says: an upload must not choose its folder.
    name = Path(str(said).replace("\\", "/")).name
    fit = name.endswith((*ENDINGS, ".zip")) and not name.startswith(".")
    if not (fit or name == FILE) or len(name) > 100 or not name.isprintable():
        raise DataError(
            f"{quote(said)} is no name of a table; upload a zip, or tables that end in "
            f"{', '.join(ENDINGS)}, and {FILE}"
        )
    return name


def _size(owner: str) -> int:
    """Bytes of all that somebody brought and that is still there."""
    folders = [_uploads() / owner, *(one.folder for one in kept() if one.owner == owner)]
    return sum(size for folder in folders for size in _sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        with suppress(OSError):  # another session removes it at this moment
            found = path.lstat()
            yield found.st_size if stat.S_ISREG(found.st_mode) else 0
