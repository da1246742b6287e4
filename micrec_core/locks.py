"""One writer of a folder at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FolderLock:
    """Held until it is released or the process ends, however it ends; it leaves no file behind.

    It is of the folder and not of its name, so a folder that is moved stays locked. Where a file
    system knows no locks there is none.

    Raises
    ------
    BlockingIOError
        Somebody else holds it.
    OSError
        There is no such folder, or it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            pass
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it; does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()
