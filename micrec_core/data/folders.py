"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micrec_core.errors import DataError


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
    """
    try:
        _check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that a rename moves it into place whole or not at all.
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield work
            work.chmod(0o755)
            work.replace(target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    except OSError as error:
        raise DataError(
            f"{what} cannot be written to '{target}' ({error.strerror}); choose another folder"
        ) from error


def _check_target(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise DataError(f"'{target}' is a file; give a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()):
        raise DataError(f"'{target}' is not empty; give a new folder or remove what is in it")
