"""Tables that visitors upload: each has an owner, a quota, and a day on which it goes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from micrec_core.data.about import FILE
from micrec_core.data.schema import INTERACTIONS, ITEMS, quote
from micrec_core.data.sources import SUFFIXES
from micrec_core.errors import DataError
from micrec_core.ui.library import runs_folder

KEEP_DAYS = float(os.environ.get("MICREC_KEEP_DAYS", "14"))
QUOTA_MB = float(os.environ.get("MICREC_UPLOAD_MB", "200"))
_NAMES = {f"{s.stem}{suffix}" for s in (INTERACTIONS, ITEMS) for suffix in SUFFIXES} | {FILE}


class Upload(Protocol):
    """A file as Streamlit gives it."""

    name: str

    def getvalue(self) -> bytes:
        """Its content."""


def keep_upload(files: Sequence[Upload], owner: str) -> Path:
    """A new folder of the owner's with the files in it.

    Raises
    ------
    DataError
        A file is called as no table is, the owner's quota is spent, or it cannot be written.
    """
    remove_old()
    contents = {_name(file.name): file.getvalue() for file in files}
    mine = _folder() / owner
    new = sum(map(len, contents.values()))
    if _size(mine) + new > QUOTA_MB * 2**20:
        raise DataError(
            f"your uploads would have more than the {QUOTA_MB:g} MB that this server keeps for "
            f"each; the oldest go after {KEEP_DAYS:g} days"
        )
    folder = mine / uuid4().hex
    try:
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError(f"the upload cannot be kept ({error.strerror}); try later") from None
    return folder


def drop(folder: Path) -> None:
    """Remove one upload."""
    if folder.parent.parent == _folder():
        shutil.rmtree(folder, ignore_errors=True)


def remove_old() -> None:
    """Remove the uploads of everyone that are older than this server keeps them."""
    if not KEEP_DAYS:
        return
    oldest = time.time() - 86_400 * KEEP_DAYS
    for folder in _folder().glob("*/*"):
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return runs_folder() / ".uploads"


def _name(said: object) -> str:
    # Only the last part of what the browser says: an upload must not choose its folder.
    name = Path(str(said).replace("\\", "/")).name
    atomic = name.endswith((".inter", ".item")) and not name.startswith(".")
    if not (name in _NAMES or atomic) or len(name) > 100 or not name.isprintable():
        raise DataError(
            f"{quote(said)} is no name of a table; rename it to interactions.csv, items.csv or "
            f"{FILE}, or another of their kinds"
        )
    return name


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*/*"))
