"""Rows taken from a table, several times in a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from micrec_core.graphs import fast


def takeable(table: Tensor) -> Tensor:
    """The table [n, dim] itself; where a kernel can, ``take`` then adds the gradients of its rows
    in place instead of making a table of zeros for each time that rows are taken."""
    if table.requires_grad and torch.is_grad_enabled() and fast.takes(table):
        return fast.takeable(table)
    return table


def take(table: Tensor, *rows: Tensor) -> list[Tensor]:
    """The rows of a table by several lists of indices, int64 [n] each: [n, dim] each."""
    taken = fast.take(table, rows)
    if taken is not None:
        return taken
    return list(F.embedding(torch.cat(rows), table).split([len(r) for r in rows]))
