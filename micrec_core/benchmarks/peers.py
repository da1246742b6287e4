"""Plain implementations of the same algorithms, as one writes them with torch and PyG.

They are what ours is measured against and, in the tests, held against: same numbers, other means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import LGConv

Propagate = Callable[[Tensor], Tensor]


def adjacency(train: sparse.csr_matrix) -> sparse.csr_matrix:
    """Symmetric-normalised D^-1/2 [0 R; R^T 0] D^-1/2, CSR float32 [n_users + n_items] squared."""
    square = sparse.bmat([[None, train], [train.T, None]]).tocsr()
    degree = np.asarray(square.sum(axis=1)).ravel()
    scale = sparse.diags(np.maximum(degree, 1.0) ** -0.5)
    out = sparse.csr_matrix(scale @ square @ scale, dtype=np.float32)
    out.sort_indices()
    return out


def torch_csr(matrix: sparse.csr_matrix) -> Tensor:
    """The matrix as a torch CSR tensor with int32 indices, the quickest that torch has on a CPU."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int32)),
        torch.from_numpy(matrix.indices.astype(np.int32)),
        torch.from_numpy(matrix.data),
        size=matrix.shape,
        check_invariants=False,
    )


def torch_coo(matrix: sparse.csr_matrix) -> Tensor:
    """The matrix as a coalesced torch COO tensor."""
    places = torch.from_numpy(_places(matrix))
    values = torch.from_numpy(matrix.data)
    return torch.sparse_coo_tensor(
        places, values, size=matrix.shape, is_coalesced=True, check_invariants=False
    )


def _mean_over_layers(product: Propagate, layers: int) -> Propagate:
    """LightGCN's mean over the layers that one sparse product after the other makes."""

    def propagate(x: Tensor) -> Tensor:
        total = x
        for _ in range(layers):
            x = product(x)
            total = total + x
        return total / (layers + 1)

    return propagate


def by_torch(matrix: Tensor, layers: int) -> Propagate:
    """LightGCN by torch's sparse product under autograd, [n, dim] both."""
    return _mean_over_layers(lambda x: torch.sparse.mm(matrix, x), layers)


def by_symmetry(matrix: Tensor, layers: int) -> Propagate:
    """The same of a symmetric CSR matrix, which is its own transposed in the gradient: autograd
    transposes none, and the product is the quicker of torch's two (that with a reduction)."""

    def propagate(x: Tensor) -> Tensor:
        product: Tensor = _Symmetric.apply(x, matrix)
        return product

    return _mean_over_layers(propagate, layers)


class _Symmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        ctx.matrix = matrix
        return torch.sparse.mm(matrix, x, "sum")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return torch.sparse.mm(ctx.matrix, gradient, "sum"), None


def by_pyg(train: sparse.csr_matrix, layers: int) -> Propagate:
    """The same by ``LGConv`` over an edge list, as PyG's own ``LightGCN`` does it."""
    layer, edges = LGConv(), torch.from_numpy(_places(adjacency(train)))
    return _mean_over_layers(lambda x: layer(x, edges), layers)


def by_edge_index(train: sparse.csr_matrix, layers: int) -> Propagate:
    """The same by PyG's ``EdgeIndex``, whose weights are the norms, computed once."""
    matrix = adjacency(train)
    edges = EdgeIndex(
        torch.from_numpy(_places(matrix)),
        sparse_size=matrix.shape,
        sort_order="row",
        is_undirected=True,
    ).fill_cache_()
    weights = torch.from_numpy(matrix.data)
    return _mean_over_layers(lambda x: edges.matmul(x, weights), layers)


def _places(matrix: sparse.csr_matrix) -> NDArray[np.int64]:
    coo = matrix.tocoo()
    return np.stack([coo.row, coo.col]).astype(np.int64)


class PlainINMO(nn.Module):
    """INMO (Wu et al., 2022) by torch.sparse: one matrix of summands, one adjacency, autograd.

    e_v = (r_v + 1)^-alpha (sum of its templates, each dropped with probability p, + g), then
    LightGCN; the loss is BPR + beta SE + lambda of the squared lengths, as in ``training``.

    Parameters
    ----------
    train : binary CSR [n_users, n_items]
    templates : [n_users + n_items, dim] to start from
    shared : [2, dim], the global vectors g of users and of items to start from
    """

    def __init__(self, train: sparse.csr_matrix, templates: Tensor, shared: Tensor, layers: int):
        super().__init__()
        self.n_users, n_items = train.shape
        self.templates = nn.Parameter(templates)
        self.shared = nn.Parameter(shared)
        self.diagonal = nn.Parameter(torch.ones(templates.shape[1]))
        square = sparse.bmat([[None, train], [train.T, None]]).tocsr()
        self.size = square.shape
        self.summands = torch.from_numpy(_places(square))
        self.degree = torch.from_numpy(np.diff(square.indptr).astype(np.float32))
        self.side = (torch.arange(self.n_users + n_items) >= self.n_users).long()
        self.propagate = by_torch(torch_coo(adjacency(train)), layers)

    def forward(self, alpha: float, dropout: float) -> Tensor:
        """Embeddings of users and then items, [n_users + n_items, dim]."""
        scale = (self.degree + 1.0) ** -alpha
        own = self.summed(scale, dropout)
        return self.propagate(own + scale[:, None] * self.shared[self.side])

    def summed(self, scale: Tensor, dropout: float) -> Tensor:
        """What comes of the templates, each dropped or made up for, ``scale`` [n] times."""
        places, weights = self.summands, scale[self.summands[0]]
        if dropout > 0:
            kept = torch.rand(len(weights)) >= dropout
            places, weights = places[:, kept], weights[kept] / (1.0 - dropout)
        summed = torch.sparse_coo_tensor(
            places, weights, size=self.size, is_coalesced=True, check_invariants=False
        )
        return torch.sparse.mm(summed, self.templates)

    def loss(
        self, embeddings: Tensor, batch: tuple[Tensor, Tensor, Tensor], beta: float, l2: float
    ) -> Tensor:
        """The loss of users, positives and negatives: int64 [batch] each, item rows from 0."""
        users, items, drawn = batch[0], batch[1] + self.n_users, batch[2] + self.n_users
        u, i, j = embeddings[users], embeddings[items], embeddings[drawn]
        bpr = F.softplus((u * j).sum(1) - (u * i).sum(1)).mean()
        tu, ti, tj = self.templates[users], self.templates[items], self.templates[drawn]
        weighed = tu * self.diagonal
        enhanced = F.softplus((weighed * tj).sum(1) - (weighed * ti).sum(1)).mean()
        length = sum(x.square().sum(1).mean() for x in (u, i, j))
        return bpr + beta * enhanced + l2 * length


class SymmetricINMO(PlainINMO):
    """The same with what is known of the matrices: each is its own transposed in the gradient.

    An edge is dropped in both directions, so that what is left is symmetric too; of that a CSR
    matrix is made in every step, for half the entries are half the work.
    """

    def __init__(self, train: sparse.csr_matrix, templates: Tensor, shared: Tensor, layers: int):
        super().__init__(train, templates, shared, layers)
        whole = adjacency(train)
        self.propagate = by_symmetry(torch_csr(whole), layers)
        self.ends = torch.from_numpy(whole.indptr.astype(np.int64))
        self.columns = torch.from_numpy(whole.indices.astype(np.int32))
        # Which interaction an entry is of, in either direction.
        rows, columns = torch.from_numpy(_places(whole))
        users, items = torch.minimum(rows, columns), torch.maximum(rows, columns)
        found = torch.unique(users * len(templates) + items, return_inverse=True)
        self.n_edges, self.edge = len(found[0]), found[1]

    def summed(self, scale: Tensor, dropout: float) -> Tensor:
        kept = (torch.rand(self.n_edges) >= dropout)[self.edge]
        before = torch.cat(
            [kept.new_zeros(1, dtype=torch.int32), kept.cumsum(0, dtype=torch.int32)]
        )
        columns = self.columns[kept]
        matrix = torch.sparse_csr_tensor(
            before[self.ends],
            columns,
            torch.ones(len(columns)),
            size=self.size,
            check_invariants=False,
        )
        product: Tensor = _Symmetric.apply(self.templates, matrix)
        return (scale / (1.0 - dropout))[:, None] * product
