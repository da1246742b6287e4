"""A folder that appears whole or not at all."""

from __future__ import annotations

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from micrec_core.errors import DataError
from micrec_core.locks import FolderLock

_MAKING = ".making"


@contextmanager
def new_folder(target: Path, what: str) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place at the end of the block.

    Parameters
    ----------
    target : a folder that does not exist or is empty
    what : for messages, such as ``the sample``

    Raises
    ------
    DataError
        ``target`` is a file or not empty, or something cannot be written; nothing is left behind.
        What a killed process left goes when the same folder is made again.
    """
    try:
        _check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        # Beside the target, so that a rename moves it into place whole or not at all.
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=_MAKING, dir=target.parent))
        lock = FolderLock(work)
        try:
            yield work
            work.chmod(0o755)
            work.replace(target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        finally:
            lock.release()
    except OSError as error:
        raise DataError(
            f"{what} cannot be written to '{target}' ({error.strerror}); choose another folder"
        ) from error


def _sweep(target: Path) -> None:
    """Remove what a process that was killed has left of the same folder."""
    for left in target.parent.glob(f".{glob.escape(target.name)}-*{_MAKING}"):
        with suppress(OSError):
            lock = FolderLock(left)
            shutil.rmtree(left, ignore_errors=True)
            lock.release()


def _check_target(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise DataError(f"'{target}' is a file; give a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()):
        raise DataError(f"'{target}' is not empty; give a new folder or remove what is in it")
