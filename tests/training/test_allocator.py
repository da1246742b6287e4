"""What is freed is used again, where the C library lets itself be told."""

from __future__ import annotations

import ctypes
import platform

import pytest
import torch

from micrec_core.training.allocator import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"
# Fields of glibc's struct mallinfo2; the bytes that were asked of the system block by block.
FIELDS = [
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
]


class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def test_says_whether_it_could() -> None:
    assert keep_freed_memory() is GLIBC


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told")
def test_tables_come_from_the_heap() -> None:
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("this glibc does not tell")
    library.mallinfo2.restype = Info
    keep_freed_memory()
    before = library.mallinfo2().hblkhd
    table = torch.zeros(3 * 2**20)
    assert library.mallinfo2().hblkhd - before < table.nbytes
