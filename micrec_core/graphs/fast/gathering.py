"""Rows taken from a large table, whose gradients are added up where the table's own arrives.

Autograd makes a table of zeros for every time that rows are taken, puts their gradients there, and
adds all these tables up: for a batch of some rows of each table that costs more than the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrec_core.compiling import kernel

Given = list[tuple[Tensor, Tensor]]


def takeable(table: Tensor) -> Tensor:
    """The table itself, of which ``take`` takes rows at no cost of a table each.

    The rows' gradients are added in place to that of whatever else is made of it, or to a copy
    where somebody else holds that one: a sum of two tables hands both of them the same.
    """
    same: Tensor = _Takeable.apply(table, [])
    return same


def take(table: Tensor, rows: Sequence[Tensor]) -> list[Tensor] | None:
    """The rows of a takeable table by several lists of indices; None where it is none."""
    given = getattr(table.grad_fn, "given", None)
    return None if given is None else [_Taken.apply(table, given, one) for one in rows]


class _Takeable(torch.autograd.Function):
    """Nothing forward; back, what ``given`` holds of single rows is added to the gradient."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, given: Given) -> Tensor:
        ctx.given, ctx.shape = given, table.shape
        ctx.set_materialize_grads(False)
        return table.view_as(table)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, None]:
        given = ctx.given
        if not given:
            return gradient, None
        total = torch.zeros(ctx.shape) if gradient is None else _own(gradient).contiguous()
        # The engine hands them over in one order, so the sums are the same every time.
        for rows, of_rows in given:
            _add_rows(rows.numpy(), of_rows.numpy(), total.numpy())
        given.clear()
        return total, None


def _own(gradient: Tensor) -> Tensor:
    """The gradient itself where nothing else holds it or its memory, else a copy to write into."""
    storage = torch._C._storage_Use_Count(gradient.untyped_storage()._cdata)
    # In a backward function: one for the tensor, and one more of its memory for the call above.
    held = gradient._use_count() > 1 or storage > 2  # type: ignore[attr-defined]
    return gradient.clone() if held else gradient


class _Taken(torch.autograd.Function):
    """Rows of a takeable table. Its gradient goes into ``given``, and none along the graph; that
    still makes the engine wait for it before it asks the table's."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, given: Given, rows: Tensor) -> Tensor:
        ctx.given, ctx.rows = given, rows
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None]:
        ctx.given.append((ctx.rows, gradient.contiguous()))
        return None, None, None


@kernel(fastmath=True, nogil=True, boundscheck=False)
def _add_rows(
    rows: NDArray[np.int64], given: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """out[rows[n]] += given[n], in order; given [n, dim]."""
    for n in range(rows.shape[0]):
        row = out[rows[n]]
        for d in range(given.shape[1]):
            row[d] += given[n, d]
