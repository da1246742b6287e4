"""A zip of tables and pictures from anyone, as a dataset folder: nothing of it lands elsewhere."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from micrec_core.data.about import FILE
from micrec_core.data.budget import said_bytes
from micrec_core.data.folders import new_folder
from micrec_core.data.picture_files import endings
from micrec_core.data.preview import ENDINGS
from micrec_core.data.schema import counted, listed, quote
from micrec_core.errors import DataError

MAX_FILES = 20_000
MAX_DEPTH = 8
MAX_NAME = 200
_BLOCK = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError,
)  # fmt: skip
_ZIP = "give a zip of tables and pictures"


def unpack(source: Path, out: Path, most_bytes: int) -> list[str]:
    """Write the tables, the pictures and ``dataset.toml`` of a zip into a new folder.

    A folder that all of it lies in is left out. Sizes are counted as they come out, whatever the
    zip says of them.

    Parameters
    ----------
    out : a folder that does not exist or is empty; it is there whole or not at all
    most_bytes : that all may unpack to

    Returns
    -------
    notes on what was left out

    Raises
    ------
    DataError
        It is no zip, is damaged or locked, has a name that leads elsewhere or is there twice, or
        unpacks to too much.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = [m for m in archive.infolist() if not _skipped(m.filename)]
            if len(members) > MAX_FILES:
                raise DataError(
                    f"{source.name} has {len(members):,} files and may have {MAX_FILES:,}; leave "
                    "out what is neither table nor picture"
                )
            paths = {_path(m.filename): m for m in members}
            if len(paths) < len(members):
                raise DataError(f"{source.name} has a file twice; pack the folder anew")
            wanted = {path: m for path, m in paths.items() if _is_wanted(path)}
            top = _top(wanted)
            with new_folder(out, "the unpacked dataset") as folder:
                left = most_bytes
                for path, member in wanted.items():
                    target = folder / path.relative_to(top)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as stream, open(target, "xb") as file:
                        left = _copied(stream, file, left, source.name, most_bytes)
    except _DAMAGED as error:
        raise DataError(f"{source.name} is no zip, or a damaged one; {_ZIP}") from error
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{source.name} is locked by a password or packed in a rare way; pack it without"
        ) from error
    except OSError as error:
        # Two names that are one on this disk, a file where a folder is, a name that is too long.
        raise DataError(
            f"{source.name} has a name that cannot be written ({error.strerror}); rename it"
        ) from error
    left_out = [str(path) for path in paths if path not in wanted]
    if not left_out:
        return []
    n = counted(len(left_out), "file")
    return [f"{n} of the zip are neither table nor picture: {listed(left_out, len(left_out))}."]


def _copied(stream: IO[bytes], file: IO[bytes], left: int, name: str, most: int) -> int:
    """Copy, and count what may still be written."""
    while block := stream.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise DataError(
                f"{name} unpacks to more than {said_bytes(most)}; leave pictures out or make them "
                "smaller"
            )
        file.write(block)
    return left


def _skipped(name: str) -> bool:
    """Folders, and what a Mac or an editor packs for itself."""
    parts = name.split("/")
    own = any(p.startswith((".", "__MACOSX")) and p not in (".", "..") for p in parts)
    return own or name.endswith("/")


def _path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    odd = "\\" in name or ":" in path.parts[0] or not name.isprintable() if path.parts else True
    if odd or path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"the zip has a file {quote(name, 80)}, which leads out of it; pack it anew"
        )
    if len(path.parts) > MAX_DEPTH or len(name) > MAX_NAME:
        raise DataError(
            f"the zip has a file {quote(name, 80)}, whose path is too long; use fewer folders"
        )
    return path


def _is_wanted(path: PurePosixPath) -> bool:
    picture = path.name.lower().endswith(endings())
    return picture or path.name.endswith((*ENDINGS, ".npy")) or path.name == FILE


def _top(paths: Iterable[PurePosixPath]) -> PurePosixPath:
    """The folder that the tables lie in; all else must lie there too."""
    tables = [p for p in paths if p.name.endswith(ENDINGS)]
    if not tables:
        raise DataError(f"the zip has no table; put one in that ends in {', '.join(ENDINGS)}")
    top = min(tables, key=lambda p: len(p.parts)).parent
    beside = next((p for p in paths if not p.is_relative_to(top)), None)
    if beside is not None:
        raise DataError(
            f"the zip has {quote(beside, 80)} beside the folder of its tables; put all into one"
        )
    return top
