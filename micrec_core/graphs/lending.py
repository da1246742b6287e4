"""Weighted neighbours: the sparse products by which users and items lend to those like them.

On CPU by numba, on any torch device by torch; linear, so backward is the transposed product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs import kernels, wide
from micrec_core.graphs.operators import Csr, is_wide


class NeighbourGraph:
    """Weighted neighbours: row r receives sum of weight * x[neighbour].

    Parameters
    ----------
    neighbours : int [n_rows, k], -1 where there is none
    weights : float [n_rows, k]
    n_cols : how many rows the operand has
    """

    def __init__(
        self,
        neighbours: NDArray[np.integer],
        weights: NDArray[np.floating],
        n_cols: int,
        device: torch.device | str = "cpu",
    ):
        there = (neighbours >= 0) & (weights != 0)
        counts = there.sum(axis=1)
        matrix = sparse.csr_matrix(
            (
                weights[there].astype(np.float32),
                neighbours[there].astype(np.int32),
                np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            ),
            shape=(len(neighbours), n_cols),
        )
        self._hold(matrix, device)

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, device: torch.device | str = "cpu") -> NeighbourGraph:
        """Any weights, CSR [n_rows, n_cols], of as many neighbours as a row has."""
        made = cls.__new__(cls)
        made._hold(sparse.csr_matrix(matrix, dtype=np.float32), device)
        return made

    def _hold(self, matrix: sparse.csr_matrix, device: torch.device | str) -> None:
        self.matrix = matrix
        self.device = torch.device(device)
        self._parts: dict[bool, tuple[Csr, NDArray[np.float32]]] = {}
        self._torch: dict[bool, Tensor] = {}

    def part(self, transposed: bool) -> tuple[Csr, NDArray[np.float32]]:
        """Structure and values of the matrix or of its transposed, made when first asked for."""
        if transposed not in self._parts:
            matrix = self.matrix.T.tocsr() if transposed else self.matrix
            self._parts[transposed] = Csr.of(matrix), matrix.data.astype(np.float32)
        return self._parts[transposed]

    def __matmul__(self, x: Tensor) -> Tensor:
        """[n_cols, dim] -> [n_rows, dim]."""
        return _NeighbourProduct.apply(x, self, False)

    def product(self, x: Tensor, transposed: bool) -> Tensor:
        csr, values = self.part(transposed)
        if x.device.type == "cpu":
            out = torch.empty((csr.n_rows, x.shape[1]), dtype=x.dtype)
            arguments = csr.indptr, csr.indices, values, x.contiguous().numpy(), out.numpy()
            if is_wide(x):
                wide.weighted_sum_rows(csr.bounds, *arguments)
            else:
                kernels.weighted_sum_rows(*arguments)
            return out
        return self.torch_product(x, transposed)

    def torch_product(self, x: Tensor, transposed: bool) -> Tensor:
        """``product`` by torch's own sparse product, on whatever device ``x`` is."""
        csr, values = self.part(transposed)
        if transposed not in self._torch:
            self._torch[transposed] = torch.sparse_csr_tensor(
                torch.from_numpy(csr.indptr.astype(np.int64)),
                torch.from_numpy(csr.indices.astype(np.int64)),
                torch.from_numpy(values),
                size=(csr.n_rows, csr.n_cols),
            ).to(x.device)
        return self._torch[transposed] @ x

    def take(self, rows: Tensor) -> NeighbourRows:
        """Some rows of the matrix, int64 [n]."""
        near, weights = self._near
        return NeighbourRows(near[rows], weights[rows])

    @cached_property
    def _near(self) -> tuple[Tensor, Tensor]:
        """Neighbours and weights, [n_rows, k] each, on the device; weight 0 where there is none."""
        csr, values = self.part(False)
        counts = np.diff(csr.indptr)
        there = np.arange(counts.max(initial=1)) < counts[:, None]
        near, weights = np.zeros(there.shape, np.int32), np.zeros(there.shape, np.float32)
        near[there], weights[there] = csr.indices, values
        return torch.from_numpy(near).to(self.device), torch.from_numpy(weights).to(self.device)


@dataclass(frozen=True)
class NeighbourRows:
    """Some rows of a ``NeighbourGraph``: few enough for torch's own operations.

    Attributes
    ----------
    near : int32 [n, k], rows of the operand
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


class _NeighbourProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: NeighbourGraph, transposed: bool) -> Tensor:
        ctx.rest = (graph, transposed)
        return graph.product(x, transposed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        graph, transposed = ctx.rest
        return graph.product(gradient, not transposed), None, None
