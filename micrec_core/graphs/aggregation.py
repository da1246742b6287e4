"""What users and items receive from those like them: weighted sums over neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs import fast
from micrec_core.graphs.sparse import Pattern, SparseMatrix


class NeighbourGraph(SparseMatrix):
    """Weighted neighbours: row r receives sum of weight * x[neighbour].

    Parameters
    ----------
    neighbours : int [n_rows, k], -1 where there is none
    weights : float [n_rows, k]
    n_cols : how many rows the table has that it is multiplied with
    """

    def __init__(
        self,
        neighbours: NDArray[np.integer],
        weights: NDArray[np.floating],
        n_cols: int,
        device: torch.device | str = "cpu",
    ):
        there = (neighbours >= 0) & (weights != 0)
        self.device, self.width = torch.device(device), max(1, neighbours.shape[1])
        ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        indptr, indices, values = (
            torch.from_numpy(array).to(device)
            for array in (
                ends.astype(np.int32),
                neighbours[there].astype(np.int32),
                weights[there].astype(np.float32),
            )
        )
        super().__init__(Pattern(indptr, indices, n_cols), values)

    @property
    def matrix(self) -> sparse.csr_matrix:
        """The weights, CSR [n_rows, n_cols] on the host."""
        pattern = self.pattern
        parts = (part.cpu().numpy() for part in (self.values, pattern.indices, pattern.indptr))
        return sparse.csr_matrix(tuple(parts), shape=(pattern.n_rows, pattern.n_cols))

    def take(self, rows: Tensor) -> NeighbourRows:
        """Some rows of the matrix, int64 [n]."""
        near, weights = self._near
        return NeighbourRows(near[rows], weights[rows])

    @cached_property
    def _near(self) -> tuple[Tensor, Tensor]:
        """Neighbours and weights, [n_rows, width] each; weight 0 where there is none."""
        there = torch.arange(self.width, device=self.device) < self.pattern.indptr.diff()[:, None]
        near, weights = (
            x.new_zeros(there.shape).masked_scatter_(there, x)
            for x in (self.pattern.indices, self.values)
        )
        return near, weights


@dataclass(frozen=True)
class NeighbourRows:
    """Some rows of a ``NeighbourGraph``.

    Attributes
    ----------
    near : int32 [n, k], rows of the table
    weights : float32 [n, k]
    """

    near: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> NeighbourRows:
        """Some of these rows, int64 [n]."""
        return NeighbourRows(self.near[rows], self.weights[rows])

    def __matmul__(self, x: Tensor) -> Tensor:
        """[n_cols, dim] -> [n, dim]."""
        weights = self.weights.to(x.dtype)
        return F.embedding_bag(self.near, x, per_sample_weights=weights, mode="sum")


@dataclass(frozen=True)
class Brought:
    """A constant matrix whose columns are the rows that ``bring`` gives of the table at hand.

    Attributes
    ----------
    matrix : [n_rows, n_brought]
    bring : differentiable, [n_cols, dim] -> [n_brought, dim]
    """

    matrix: SparseMatrix | NeighbourRows
    bring: Callable[[Tensor], Tensor]

    def take(self, rows: Tensor) -> Brought:
        """Some rows of neighbours, int64 [n]."""
        assert isinstance(self.matrix, NeighbourGraph | NeighbourRows)
        return Brought(self.matrix.take(rows), self.bring)

    def __matmul__(self, x: Tensor) -> Tensor:
        """[n_cols, dim] -> [n_rows, dim]."""
        return self.matrix @ self.bring(x)


# Whoever may be asked what neighbours send.
Neighbourhood = NeighbourGraph | NeighbourRows | Brought


def aggregate(
    start: Tensor,
    senders: Tensor,
    weight: Tensor,
    graph: SparseMatrix | NeighbourRows | Brought,
    content: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """start + weight (S senders + share content): [n, dim].

    Parameters
    ----------
    start, content : [n, dim]
    senders : [n_senders, dim]; may be ``start`` itself
    weight, share : [n]
    """
    if isinstance(graph, Brought):
        return aggregate(start, graph.bring(senders), weight, graph.matrix, content, share)
    tables = [x for x in (start, senders, content) if x is not None]
    if isinstance(graph, NeighbourGraph) and fast.takes(*tables):
        return fast.aggregate(start, senders, weight, graph, content, share)
    message = graph @ senders
    if content is not None and share is not None:
        message = message + share[:, None] * content
    return start + weight[:, None] * message
