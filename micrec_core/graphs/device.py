"""A domain's interactions as tensors on a GPU: products by torch, in which nothing asks the host.

What is dropped or left out in a step are factors of the stored entries, computed where the entries
are. The structure of the matrices stays as it was sent there once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from micrec_core.graphs.operators import Csr, Dropout

_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Entries:
    """The stored entries of one direction; row r receives from the columns of its entries.

    Attributes
    ----------
    indptr : int32 [n_rows + 1]
    columns, rows : int32 [n_edges], of every entry
    n_cols : columns of the matrix
    there : float32 [n_edges], 0 for an entry that is left out; None where none is
    """

    indptr: Tensor
    columns: Tensor
    rows: Tensor
    n_cols: int
    there: Tensor | None = None

    @staticmethod
    def of(csr: Csr, device: torch.device) -> Entries:
        """Those of a matrix on the host."""
        arrays = csr.indptr, csr.indices, csr.rows().astype("int32")
        indptr, columns, rows = (torch.from_numpy(array).to(device) for array in arrays)
        return Entries(indptr, columns, rows, csr.n_cols)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.indptr) - 1, self.n_cols

    @cached_property
    def counts(self) -> Tensor:
        """What the entries count where nothing is dropped: float32 [n_edges]."""
        if self.there is not None:
            return self.there
        return torch.ones_like(self.columns, dtype=torch.float32)

    def product(
        self, x: Tensor, row_scale: Tensor, col_scale: Tensor, kept: Tensor | None
    ) -> Tensor:
        """diag(row_scale) M diag(col_scale) x, of the entries that are there and ``kept``."""
        values = (self.counts if kept is None else self.counts * kept).to(x.dtype)
        matrix = torch.sparse_csr_tensor(
            self.indptr, self.columns, values, size=self.shape, check_invariants=False
        )
        return row_scale[:, None] * (matrix @ (col_scale[:, None] * x))


class DeviceGraph:
    """Both directions of a bipartite graph.

    Parameters
    ----------
    by_user, by_item : its directions on the host
    device : where the tensors shall be
    """

    def __init__(self, by_user: Csr, by_item: Csr, device: torch.device):
        self.by_user = Entries.of(by_user, device)
        self.by_item = Entries.of(by_item, device)
        self._places: tuple[Tensor, Tensor] | None = None

    def product(
        self,
        x: Tensor,
        transposed: bool,
        row_scale: Tensor,
        col_scale: Tensor,
        drop: Dropout | None,
    ) -> Tensor:
        """As ``BipartiteGraph.product``; differentiable by torch too."""
        side = self.by_item if transposed else self.by_user
        kept = None
        if drop is not None:
            users, items = (side.columns, side.rows) if transposed else (side.rows, side.columns)
            kept = keep(drop, users, items)
        return side.product(x, row_scale, col_scale, kept)

    def without(self, users: Tensor, items: Tensor) -> DeviceGraph:
        """What is left without the edges (users, items), int64 [n] each; they must be edges."""
        n_items = self.by_user.n_cols
        if self._places is None:
            # Keys of the edges, ascending, and the places in ``by_user`` of what ``by_item`` has.
            rows, columns = self.by_user.rows.long(), self.by_user.columns.long()
            self._places = rows * n_items + columns, torch.argsort(columns, stable=True)
        keys, order = self._places
        there = self.by_user.counts.clone()
        there[torch.searchsorted(keys, users * n_items + items)] = 0.0
        left = copy.copy(self)
        left.by_user = replace(self.by_user, there=there)
        left.by_item = replace(self.by_item, there=there[order])
        return left

    def degrees(self) -> tuple[Tensor, Tensor]:
        """Float degrees of users and of items, of the edges that are there."""
        found = []
        for side in (self.by_user, self.by_item):
            none = side.counts.new_zeros(side.shape[0])
            # Sums of ones are exact in any order.
            found.append(none.index_add_(0, side.rows, side.counts))
        return found[0], found[1]


def keep(drop: Dropout, users: Tensor, items: Tensor) -> Tensor:
    """``Dropout.keep`` of edges on any device, bool [n].

    The rule is of 32 bits without a sign; in int64 a product that runs over has these bits right.
    """
    x = (users.long() * 0x9E3779B1 & _LOW) ^ (items.long() * 0x85EBCA77 & _LOW)
    x = x + drop.seed & _LOW
    x = x ^ (x >> 16)
    x = x * 0x7FEB352D & _LOW
    x = x ^ (x >> 15)
    x = x * 0x846CA68B & _LOW
    x = x ^ (x >> 16)
    return x >= int(drop.threshold)
