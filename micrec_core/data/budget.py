"""How much a table may unpack to, counted while it is read."""

from __future__ import annotations

from micrec_core.data.schema import MAX_TABLE_BYTES
from micrec_core.errors import DataError


class Budget:
    """Bytes in memory that the files of one table may still take.

    Parameters
    ----------
    most : in all; what the files have on disk does not count
    """

    def __init__(self, most: int = MAX_TABLE_BYTES) -> None:
        self.most = self.left = most

    def spend(self, n_bytes: int, name: str) -> None:
        """Count bytes of the file called ``name``; DataError where they are too many."""
        self.left -= n_bytes
        if self.left < 0:
            raise DataError(
                f"{name} unpacks to more than {said_bytes(self.most)}; split the dataset"
            )


def said_bytes(n: int) -> str:
    """``64 KiB``, ``256 MiB``, ``8 GiB``: the largest unit of which it has a whole number."""
    names = ((30, "GiB"), (20, "MiB"), (10, "KiB"))
    shift, unit = next(((s, u) for s, u in names if n >= 1 << s and not n % (1 << s)), (0, "bytes"))
    return f"{n >> shift:,} {unit}"
