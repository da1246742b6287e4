"""How much a table may unpack to, counted while it is read, and who is told how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from micrec_core.data.progress import Progress, silent
from micrec_core.data.schema import MAX_TABLE_BYTES
from micrec_core.errors import DataError

# Of a table that is smaller on disk nothing is told: it is read in a moment.
LARGE, UNIT = 16 << 20, 1 << 20


class Budget:
    """Bytes in memory that the files of one table may still take.

    Parameters
    ----------
    most : in all; what the files have on disk does not count
    progress : told how much of a large table is read
    """

    def __init__(self, most: int = MAX_TABLE_BYTES, progress: Progress = silent) -> None:
        self.most = self.left = most
        self._progress = progress
        self._begins: dict[Path, int] = {}
        self._reading, self._size = "", 0

    def expect(self, files: Sequence[Path], name: str) -> None:
        """Take these files for one table, to be called ``name`` where it is told of."""
        sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
        self._begins = dict(zip(files, accumulate(sizes, initial=0), strict=False))
        self._reading, self._size = f"reading {name} (MiB)", sum(sizes)

    def spend(self, n_bytes: int, name: str) -> None:
        """Count bytes of the file called ``name``; DataError where they are too many."""
        self.left -= n_bytes
        if self.left < 0:
            raise DataError(
                f"{name} unpacks to more than {said_bytes(self.most)}; split the dataset"
            )

    def tell(self, file: Path, n_bytes: int) -> None:
        """Tell that of a file so many bytes, as they are on disk, are read."""
        if self._size >= LARGE and file in self._begins:
            done = self._begins[file] + n_bytes
            self._progress(self._reading, done // UNIT, self._size // UNIT)


def said_bytes(n: int) -> str:
    """``64 KiB``, ``256 MiB``, ``8 GiB``: the largest unit of which it has a whole number."""
    names = ((30, "GiB"), (20, "MiB"), (10, "KiB"))
    shift, unit = next(((s, u) for s, u in names if n >= 1 << s and not n % (1 << s)), (0, "bytes"))
    return f"{n >> shift:,} {unit}"
