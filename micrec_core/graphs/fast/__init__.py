"""Kernels for the processor, beside the plain operators of ``graphs``, which are their definition.

Whether they take over is decided by ``takes`` and nowhere else. docs/notes has what each of them
earns (2026-11-29).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from micrec_core.graphs.fast.aggregation import aggregate
from micrec_core.graphs.fast.gathering import take, takeable
from micrec_core.graphs.fast.propagation import layer_sums
from micrec_core.graphs.fast.sums import bounds, sum_rows
from micrec_core.graphs.simd import WIDTH

__all__ = ["aggregate", "bounds", "layer_sums", "plain", "sum_rows", "take", "takeable", "takes"]

_on = True


def takes(*tables: Tensor) -> bool:
    """Whether the kernels take these: float32 [n, dim] on the host, dim a multiple of 64."""
    return _on and all(
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.ndim == 2
        and x.shape[1] > 0
        and x.shape[1] % WIDTH == 0
        for x in tables
    )


@contextmanager
def plain() -> Iterator[None]:
    """No kernel takes over while this lasts: all is computed as on a GPU."""
    global _on
    before, _on = _on, False
    try:
        yield
    finally:
        _on = before
