"""What neighbours lend, weighed and added, in one pass over memory and one back.

    message_r = sum_c S_rc lenders_c + share_r content_r,    out_r = start_r + weight_r message_r

Step by step this is five tables of [n, dim] written and read again, and as many in the gradient:
on the CPU that costs more than the sparse product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from micrec_core.graphs import kernels, wide
from micrec_core.graphs.lending import NeighbourGraph, NeighbourRows
from micrec_core.graphs.operators import arrays, is_wide


def mix(
    start: Tensor,
    lenders: Tensor,
    weight: Tensor,
    graph: NeighbourGraph | NeighbourRows,
    content: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """start + weight (S lenders + share content): [n, dim].

    Parameters
    ----------
    start, content : [n, dim]
    lenders : [n_lenders, dim]; may be ``start`` itself
    weight, share : [n]
    """
    operands = [x for x in (start, lenders, weight, content, share) if x is not None]
    if isinstance(graph, NeighbourGraph) and is_wide(*operands):
        return _Mix.apply(start, lenders, weight, graph, content, share)
    message = graph @ lenders
    if content is not None and share is not None:
        message = message + share[:, None] * content
    return start + weight[:, None] * message


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        start: Tensor,
        lenders: Tensor,
        weight: Tensor,
        graph: NeighbourGraph,
        content: Tensor | None,
        share: Tensor | None,
    ) -> Tensor:
        # Gradients of a table that is both come in one.
        ctx.both = start is lenders
        # The message is kept for the gradient of the weights alone.
        message = torch.empty_like(start) if ctx.needs_input_grad[2] else start[:0]
        out = torch.empty(start.shape)
        csr, values = graph.part(False)
        wide.mixed_rows(
            csr.bounds, csr.indptr, csr.indices, values, *arrays(lenders, start, weight),
            *arrays(start[:0] if content is None else content, weight if share is None else share),
            *arrays(message, out),
        )  # fmt: skip
        ctx.graph = graph
        ctx.save_for_backward(weight, message, share)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, message, share = ctx.saved_tensors
        of_start, of_lenders, of_weight, _, of_content, _ = ctx.needs_input_grad
        gradient = gradient.contiguous()
        lent = weighed = said = None
        if of_lenders:
            csr, values = ctx.graph.part(True)
            lent = torch.empty((csr.n_rows, gradient.shape[1]))
            wide.mixed_rows_backward(
                csr.bounds, csr.indptr, csr.indices, values, *arrays(weight, gradient),
                ctx.both, lent.numpy(),
            )  # fmt: skip
        if of_weight:
            weighed = torch.empty(len(weight))
            kernels.row_products(*arrays(gradient, message, weighed))
        if of_content:
            said = (weight * share)[:, None] * gradient
        own = gradient if of_start and not ctx.both else None
        return own, lent, weighed, None, said, None
