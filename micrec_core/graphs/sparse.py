"""Constant sparse matrices times tables: what every operator of a graph is made of."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.graphs import fast

# What torch has called so for years is the only product of its kind.
warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")


class Pattern:
    """Where the entries of a matrix [n_rows, n_cols] are, row by row (CSR), on a device.

    Attributes
    ----------
    indptr : int32 [n_rows + 1], where each row's entries begin
    indices : int32 [nnz], their columns
    """

    def __init__(self, indptr: Tensor, indices: Tensor, n_cols: int):
        self.indptr, self.indices, self.n_cols = indptr, indices, n_cols

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, device: torch.device | str = "cpu") -> Pattern:
        """That of a matrix on the host, its entries in the order in which they are stored."""
        indptr, indices = (
            torch.from_numpy(part.astype(np.int32)).to(device)
            for part in (matrix.indptr, matrix.indices)
        )
        return cls(indptr, indices, matrix.shape[1])

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def rows(self) -> Tensor:
        """The row of every entry, int32 [nnz]."""
        every = torch.arange(self.n_rows, dtype=torch.int32, device=self.indptr.device)
        size = len(self.indices)
        return torch.repeat_interleave(every, self.indptr.diff(), output_size=size)

    @cached_property
    def transposed(self) -> tuple[Pattern, Tensor]:
        """The pattern of the transposed matrix, and the places here of its entries, [nnz]."""
        order = torch.argsort(self.indices, stable=True)
        indptr = self.indptr.new_zeros(self.n_cols + 1)
        indptr[1:] = torch.bincount(self.indices, minlength=self.n_cols).cumsum(0)
        return Pattern(indptr, self.rows[order], self.n_rows), order

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Rows at which the threads of a kernel cut the matrix into parts of about equal work."""
        return fast.bounds(self.indptr.numpy())


class SparseMatrix:
    """A constant matrix [n_rows, n_cols]; ``matrix @ x`` is differentiable in ``x``.

    Parameters
    ----------
    values : float32 [nnz], of the entries of ``pattern``
    thin : whether many of the values are 0
    transposed : the matrix of which this is the transposed, where there is one
    """

    def __init__(
        self,
        pattern: Pattern,
        values: Tensor,
        thin: bool = False,
        transposed: SparseMatrix | None = None,
    ):
        self.pattern, self.values, self.thin, self._transposed = pattern, values, thin, transposed

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, device: torch.device | str = "cpu") -> SparseMatrix:
        """A matrix of the host on a device."""
        values = torch.from_numpy(matrix.data.astype(np.float32))
        return SparseMatrix(Pattern.of(matrix, device), values.to(device))

    @cached_property
    def _turned(self) -> tuple[Pattern, Tensor]:
        pattern, order = self.pattern.transposed
        return pattern, self.values.index_select(0, order)

    @property
    def T(self) -> SparseMatrix:
        """The transposed matrix; its entries are put in order when it is first asked for."""
        return self._transposed or SparseMatrix(*self._turned, self.thin, self)

    def __matmul__(self, x: Tensor) -> Tensor:
        """[n_cols, ...] -> [n_rows, ...]."""
        product: Tensor
        if x.ndim > 2:
            product = (self @ x.flatten(1)).unflatten(1, x.shape[1:])
        else:
            product = _Product.apply(x, self)
        return product

    def times(self, x: Tensor) -> Tensor:
        """[n_cols, dim] -> [n_rows, dim], which autograd does not see."""
        if fast.takes(x):
            return fast.sum_rows(self, x)
        pattern = self.pattern
        matrix = torch.sparse_csr_tensor(
            pattern.indptr, pattern.indices, self.values.to(x.dtype),
            size=(pattern.n_rows, pattern.n_cols), check_invariants=False,
        )  # fmt: skip
        return matrix @ x


class _Product(torch.autograd.Function):
    """Linear in the table, so the gradient is the product of the transposed matrix."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.matrix = matrix
        return matrix.times(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.matrix.T.times(gradient), None
