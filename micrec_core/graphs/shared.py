"""What is added to sums of templates, in one pass over memory and one back.

    out_r = table_r + scale_r shared + factor own_r

By torch's operations the gradients alone are five passes over tables of [n, dim].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from micrec_core.graphs import kernels
from micrec_core.graphs.operators import arrays, is_wide

# Pieces whose sums are added up in order, so that they do not depend on the number of threads.
_PIECES = 64


def add_shared(
    table: Tensor,
    scale: Tensor,
    shared: Tensor,
    own: Tensor | None = None,
    factor: Tensor | None = None,
) -> Tensor:
    """``table`` itself with the rest added in place.

    Parameters
    ----------
    table, own : [n, dim]; without ``own`` and ``factor`` that part is left out
    scale : [n], a constant
    shared : [dim]
    factor : a number
    """
    if is_wide(table, scale, shared):
        return _AddShared.apply(table, scale, shared, own, factor)
    table = table.addr_(scale, shared)
    return table if own is None or factor is None else table.addcmul_(own, factor)


class _AddShared(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        table: Tensor,
        scale: Tensor,
        shared: Tensor,
        own: Tensor | None,
        factor: Tensor | None,
    ) -> Tensor:
        ctx.mark_dirty(table)
        ctx.save_for_backward(scale, own, factor)
        kernels.add_shared(*arrays(scale, shared), *_of_own(table, own, factor), table.numpy())
        return table

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scale, own, factor = ctx.saved_tensors
        gradient = gradient.contiguous()
        dim = gradient.shape[1]
        of_shared = np.empty((_PIECES, dim), np.float32)
        of_factor = np.empty(_PIECES, np.float32)
        of_own = torch.empty_like(gradient[:0] if own is None else gradient)
        kernels.shared_gradients(
            *arrays(scale), *_of_own(gradient, own, factor), gradient.numpy(), of_shared,
            of_factor, of_own.numpy(),
        )  # fmt: skip
        shared = torch.from_numpy(of_shared.sum(0))
        if own is None:
            return gradient, None, shared, None, None
        return gradient, None, shared, of_own, torch.tensor(of_factor.sum())


def _of_own(table: Tensor, own: Tensor | None, factor: Tensor | None) -> tuple[Any, ...]:
    """Rows and their factor as the kernels take them; no rows where there are none to add."""
    if own is None or factor is None:
        return table[:0].detach().numpy(), np.float32(0.0)
    return *arrays(own), np.float32(factor.item())
