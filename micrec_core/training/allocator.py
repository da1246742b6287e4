"""How the C library's allocator treats the tables of a training step.

glibc gives large blocks back to the system as soon as they are freed, and asks for new ones, filled
with zeros page by page, in the next step. A step makes and frees dozens of [n, dim] tables.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Blocks up to this many bytes are taken from the heap (the most that glibc allows), and this many
# free ones at its end are kept.
_FROM_HEAP = 32 * 2**20
_KEPT = 512 * 2**20


@cache
def keep_freed_memory() -> bool:
    """Let this process keep what it frees for the next allocation; False where it is not glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    pairs = ((_M_MMAP_THRESHOLD, _FROM_HEAP), (_M_TRIM_THRESHOLD, _KEPT))
    return all(library.mallopt(name, value) == 1 for name, value in pairs)
