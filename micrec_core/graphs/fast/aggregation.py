"""What neighbours send, weighed and added, in one pass over memory and one back.

    message_r = sum_c S_rc senders_c + share_r content_r,    out_r = start_r + weight_r message_r

Step by step this is five tables of [n, dim] written and read again, and as many in the gradient:
on the CPU that costs more than the sparse product.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import torch
from torch import Tensor

from micrec_core.compiling import kernel
from micrec_core.graphs.fast.sums import JIT, array, entries, place, sum_row, sum_rows
from micrec_core.graphs.simd import WIDTH, fused, load, store, zeros

if TYPE_CHECKING:
    from micrec_core.graphs.sparse import SparseMatrix


def aggregate(
    start: Tensor,
    senders: Tensor,
    weight: Tensor,
    graph: SparseMatrix,
    content: Tensor | None,
    share: Tensor | None,
) -> Tensor:
    """start + weight (S senders + share content): [n, dim]."""
    out: Tensor = _Aggregate.apply(start, senders, weight, graph, content, share)
    return out


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        start: Tensor,
        senders: Tensor,
        weight: Tensor,
        graph: SparseMatrix,
        content: Tensor | None,
        share: Tensor | None,
    ) -> Tensor:
        # Gradients of a table that is both come in one.
        ctx.both, ctx.graph = start is senders, graph
        # The message is kept for the gradient of the weights alone.
        message = torch.empty(start.shape) if ctx.needs_input_grad[2] else None
        out = torch.empty(start.shape)
        tables = senders, start, weight, content, share, message, out
        _aggregate(*entries(graph), *map(array, tables))
        ctx.save_for_backward(weight, message, share)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, message, share = ctx.saved_tensors
        of_start, of_senders, of_weight, _, of_content, _ = ctx.needs_input_grad
        gradient = gradient.contiguous()
        sent = weighed = said = None
        if of_senders:
            onto = gradient if ctx.both else None
            sent = sum_rows(ctx.graph.T, gradient, scale=weight, onto=onto)
        if of_weight:
            weighed = torch.empty(len(weight))
            _row_products(gradient.numpy(), message.numpy(), weighed.numpy())
        if of_content:
            said = (weight * share)[:, None] * gradient
        own = gradient if of_start and not ctx.both else None
        return own, sent, weighed, None, said, None


@kernel(**JIT)
def _aggregate(
    bounds, indptr, indices, values, senders, start, weight, content, share, message, out
):  # fmt: skip
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, senders.shape[1], WIDTH):
            for r in range(place(bounds[part]), place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + np.uint64(1)]
                total = sum_row(zeros(), first, end, indices, values, senders, column)
                if content is not None:
                    total = fused(share[r], load(content, r, column), total)
                if message is not None:
                    store(message, r, column, total)
                store(out, r, column, fused(weight[r], total, load(start, r, column)))


@kernel(fastmath=True, **JIT)
def _row_products(a, b, out):
    """out[r] = a[r] . b[r]; a and b [n, dim]."""
    for r in numba.prange(a.shape[0]):
        total = np.float32(0.0)
        for d in range(a.shape[1]):
            total += a[r, d] * b[r, d]
        out[r] = total
