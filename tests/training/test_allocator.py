"""What is freed is used again, where the C library lets itself be told."""

from __future__ import annotations

import platform

import pytest
import torch

from micrec_core.training.allocator import keep_freed_memory


def test_says_whether_it_could() -> None:
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_tables_one_after_the_other_do_not_fault_anew() -> None:
    import resource

    def faults() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    keep_freed_memory()
    # 12 MiB: 3,072 pages of 4 KiB.
    size = 3 * 2**20
    torch.zeros(size)
    before = faults()
    for _ in range(20):
        torch.zeros(size)
    assert faults() - before < 20 * 3072 / 4
