"""Sparse products with fast forward and backward, on CPU (numba) and on any torch device.

``BipartiteGraph`` holds the train interactions of a domain, binary, scaled per row and per column;
``lending`` has the other kind of graph that the method needs. Both are linear in their dense
operand, so backward is the transposed product and saves nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs import kernels, wide
from micrec_core.graphs.device import DeviceGraph

# Pieces of a product that threads take; enough that uneven ones even out.
N_PARTS = 64


@dataclass(frozen=True)
class Csr:
    """Row pointers int32 [n_rows + 1] and column indices int32 [nnz] of one direction."""

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    n_cols: int

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Rows at which the work is cut into parts of about as many entries each."""
        # A row costs something too: about as much as an entry.
        work = self.indptr + np.arange(self.n_rows + 1)
        cuts = np.searchsorted(work, np.linspace(0, work[-1], N_PARTS + 1))
        cuts[0], cuts[-1] = 0, self.n_rows
        return cuts.astype(np.int64)

    @staticmethod
    def of(matrix: sparse.csr_matrix) -> Csr:
        return Csr(matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.shape[1])

    def where(self, keep: NDArray[np.bool_]) -> Csr:
        """The entries to keep, bool [nnz]."""
        indptr = np.empty_like(self.indptr)
        indices = np.empty(np.count_nonzero(keep), np.int32)
        kernels.entries_to_keep(self.indptr, self.indices, keep, indptr, indices)
        return Csr(indptr, indices, self.n_cols)

    def rows(self) -> NDArray[np.int64]:
        """Row of every stored entry, int64 [nnz]."""
        return np.repeat(np.arange(self.n_rows), np.diff(self.indptr))


@dataclass(frozen=True)
class Dropout:
    """Drop each edge with probability ``rate``, as the hash of (edge, ``seed``) says."""

    rate: float
    seed: int

    @property
    def threshold(self) -> np.uint32:
        return np.uint32(min(int(self.rate * 2**32), 2**32 - 1))

    def keep(self, user: NDArray[np.integer], item: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of the edges (user, item) survive, bool [n]; the oracle of the kernels' rule."""
        mask = np.uint64(0xFFFFFFFF)
        x = (user.astype(np.uint64) * np.uint64(0x9E3779B1)) & mask
        x ^= (item.astype(np.uint64) * np.uint64(0x85EBCA77)) & mask
        x = (x + np.uint64(self.seed)) & mask
        x ^= x >> np.uint64(16)
        x = (x * np.uint64(0x7FEB352D)) & mask
        x ^= x >> np.uint64(15)
        x = (x * np.uint64(0x846CA68B)) & mask
        x ^= x >> np.uint64(16)
        return x >= np.uint64(self.threshold)


def is_wide(*operands: Tensor) -> bool:
    """Whether the kernels of ``wide`` take these: the rows first, then what they are scaled by."""
    floats = all(x.dtype == torch.float32 and x.device.type == "cpu" for x in operands)
    return floats and operands[0].shape[1] % wide.WIDTH == 0 and operands[0].shape[1] > 0


def arrays(*tensors: Tensor) -> tuple[Any, ...]:
    """Tensors of the host as the kernels take them, without a copy where rows are adjacent."""
    return tuple(x.detach().contiguous().numpy() for x in tensors)


class BipartiteGraph:
    """Binary train interactions [n_users, n_items] of one domain, in both directions.

    Parameters
    ----------
    matrix : CSR [n_users, n_items]; every stored entry counts as 1
    device : where dense operands live; "cpu" takes the numba kernels

    ``symmetric``: users give to the items that they get from, and to no others. ``on_host``: by the
    kernels, with all that is computed of edges on the host; else by tensors on ``device`` alone.
    """

    symmetric = True

    def __init__(self, matrix: sparse.csr_matrix, device: torch.device | str = "cpu"):
        matrix = sparse.csr_matrix(matrix, copy=True)
        matrix.sum_duplicates()
        matrix.sort_indices()
        transposed = matrix.T.tocsr()
        transposed.sort_indices()
        self.by_user = Csr.of(matrix)
        self.by_item = Csr.of(transposed)
        self.n_users, self.n_items = matrix.shape
        self.device = torch.device(device)
        self.on_host = self.device.type == "cpu"
        # Memory that an operation on the graph needs only while it runs, for the next one to use.
        self.spare: list[Tensor] = []
        self._norms: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        self._there: DeviceGraph | None = None
        self._edges: _Edges | None = None

    def without(self, users: Tensor, items: Tensor) -> BipartiteGraph:
        """What is left without the edges (users, items), int64 [n] each; they must be edges.

        Where the graph is not on the host, ``by_user`` and ``by_item`` still have them.
        """
        left = copy.copy(self)
        left._norms = None
        if self.on_host:
            if self._edges is None:
                self._edges = _Edges.of(self)
            left.by_user, left.by_item = self._edges.left(self, users, items)
            left._there = left._edges = None
        else:
            left._there = self.there.without(users, items)
        return left

    @property
    def there(self) -> DeviceGraph:
        """The graph as tensors on its device, made when they are first asked for."""
        if self._there is None:
            self._there = DeviceGraph(self.by_user, self.by_item, self.device)
        return self._there

    @property
    def n_edges(self) -> int:
        return len(self.by_user.indices)

    def degrees(self) -> tuple[Tensor, Tensor]:
        """Float degrees of users [n_users] and of items [n_items]."""
        if not self.on_host:
            return self.there.degrees()
        users = torch.from_numpy(np.diff(self.by_user.indptr).astype(np.float32))
        items = torch.from_numpy(np.diff(self.by_item.indptr).astype(np.float32))
        return users, items

    def norms(self, degree: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """D^-1/2 of users [n_users] and items [n_items]; those of the last degrees are kept."""
        kept = self._norms
        if kept is None or not all(map(torch.equal, kept[0], degree)):
            users, items = (d.clamp(min=1.0) ** -0.5 for d in degree)
            self._norms = kept = (degree[0].clone(), degree[1].clone()), (users, items)
        return kept[1]

    def to_users(
        self, x: Tensor, users: Tensor, items: Tensor, drop: Dropout | None = None
    ) -> Tensor:
        """diag(users) R diag(items) x: [n_items, dim] -> [n_users, dim]."""
        return _BipartiteProduct.apply(x, self, False, users, items, drop)

    def to_items(
        self, x: Tensor, items: Tensor, users: Tensor, drop: Dropout | None = None
    ) -> Tensor:
        """diag(items) R^T diag(users) x: [n_users, dim] -> [n_items, dim]."""
        return _BipartiteProduct.apply(x, self, True, items, users, drop)

    def product(
        self,
        x: Tensor,
        transposed: bool,
        row_scale: Tensor,
        col_scale: Tensor,
        drop: Dropout | None,
    ) -> Tensor:
        """One product without autograd; the two public directions and their backward end here."""
        if not self.on_host:
            return self.there.product(x, transposed, row_scale, col_scale, drop)
        csr = self.by_item if transposed else self.by_user
        out = torch.empty((csr.n_rows, x.shape[1]), dtype=x.dtype)
        arguments: tuple[Any, ...] = (
            csr.indptr,
            csr.indices,
            row_scale.numpy(),
            col_scale.numpy(),
            x.contiguous().numpy(),
            out.numpy(),
        )
        plain = not is_wide(x, row_scale, col_scale)
        if drop is not None:
            arguments += (np.uint32(drop.seed), drop.threshold, transposed)
            if plain:
                kernels.scaled_sum_rows_dropped(*arguments)
            else:
                wide.scaled_sum_rows_dropped(csr.bounds, *arguments)
        elif plain:
            kernels.scaled_sum_rows(*arguments)
        else:
            wide.scaled_sum_rows(csr.bounds, *arguments)
        return out


@dataclass(frozen=True)
class _Edges:
    """Where a graph's edges are in both directions, to take some out.

    Attributes
    ----------
    keys : int64 [n_edges], user * n_items + item, ascending
    order : int64 [n_edges], the places in ``by_user`` of what ``by_item`` has
    """

    keys: NDArray[np.int64]
    order: NDArray[np.int64]

    @staticmethod
    def of(graph: BipartiteGraph) -> _Edges:
        users, items = graph.by_user.rows(), graph.by_user.indices
        return _Edges(users * graph.n_items + items, np.argsort(items, kind="stable"))

    def left(self, graph: BipartiteGraph, users: Tensor, items: Tensor) -> tuple[Csr, Csr]:
        """Both directions without the edges (users, items)."""
        keep = np.ones(len(self.keys), dtype=bool)
        keep[np.searchsorted(self.keys, users.numpy() * graph.n_items + items.numpy())] = False
        return graph.by_user.where(keep), graph.by_item.where(keep[self.order])


class _BipartiteProduct(torch.autograd.Function):
    """diag(rows) R diag(cols) x; its gradient is the product of the other direction."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        graph: BipartiteGraph,
        transposed: bool,
        row_scale: Tensor,
        col_scale: Tensor,
        drop: Dropout | None,
    ) -> Tensor:
        ctx.rest = (graph, transposed, row_scale, col_scale, drop)
        return graph.product(x, transposed, row_scale, col_scale, drop)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        graph, transposed, row_scale, col_scale, drop = ctx.rest
        back = graph.product(gradient, not transposed, col_scale, row_scale, drop)
        return back, None, None, None, None, None
