"""Parts that several baselines are made of: item neighbours, projected features, dropout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from micrec_core.graphs.aggregation import NeighbourGraph
from micrec_core.graphs.propagation import Pair
from micrec_core.method.inputs import DomainInputs, ModelInputs, Side


def degrees(domain: DomainInputs) -> Pair:
    """Train degrees of users and items; of folded-in users those of their support."""
    return domain.users.degree, domain.items.degree


def dropped(x: Tensor, rate: float, generator: torch.Generator, rows: bool = False) -> Tensor:
    """Entries (or whole ``rows``) set to 0 with probability ``rate``, the rest rescaled."""
    shape = (len(x), 1) if rows else tuple(x.shape)
    kept = torch.rand(shape, generator=generator, device=generator.device) >= rate
    return x * (kept.to(x) / (1.0 - rate))


def uniform_neighbours(
    graphs: Mapping[str, NeighbourGraph], shares: Mapping[str, float]
) -> NeighbourGraph:
    """sum_m share_m S_m with equal weights in a row of S_m, shares over the S_m that a row has.

    The frozen graph of FREEDOM; rows sum to 1, or to 0 without a neighbour in any modality.
    """
    total: sparse.csr_matrix | None = None
    for m, graph in graphs.items():
        pattern = graph.matrix.copy()
        counts = np.diff(pattern.indptr)
        pattern.data = np.repeat(1.0 / np.maximum(counts, 1), counts) * shares[m]
        total = pattern if total is None else total + pattern
    assert total is not None
    sums = np.asarray(total.sum(axis=1)).ravel()
    scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    mixed = sparse.csr_matrix(sparse.diags(scale) @ total)
    device = next(iter(graphs.values())).device
    return NeighbourGraph(*padded(mixed), mixed.shape[1], device)


def padded(matrix: sparse.csr_matrix) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Columns [n, k] (-1 where a row has fewer) and values [n, k] of a sparse matrix."""
    counts = np.diff(matrix.indptr)
    width = max(1, int(counts.max(initial=0)))
    there = np.arange(width)[None, :] < counts[:, None]
    columns = np.full(there.shape, -1, np.int32)
    values = np.zeros(there.shape, np.float32)
    columns[there], values[there] = matrix.indices, matrix.data
    return columns, values


class Content(nn.Module):
    """Item features projected to the model's width: x_m W_m, one W_m shared by all domains.

    Features are frozen; with ``trained`` they are parameters that start at the encoder's, as the
    public code of LATTICE, BM3, FREEDOM and MGCN has them by default (which leaves no feature for
    an item that is not in training).
    """

    def __init__(self, inputs: ModelInputs, dim: int, trained: bool):
        super().__init__()
        self.modalities = inputs.modalities
        widths = inputs.content_dims()
        self.project = nn.ModuleDict({m: nn.Linear(widths[m], dim) for m in inputs.modalities})
        self.features = nn.ParameterDict(
            {
                f"{m}-{d}": nn.Parameter(domain.items.content[m].clone())
                for m in inputs.modalities
                for d, domain in enumerate(inputs.domains)
            }
            if trained
            else {}
        )

    def raw(self, m: str, d: int, side: Side) -> Tensor:
        """Features [n_items, dim_m]."""
        key = f"{m}-{d}"
        return self.features[key] if key in self.features else side.content[m]

    def forward(self, m: str, d: int, side: Side) -> Tensor:
        """Projected features [n_items, dim]; zero rows where they are missing."""
        place = self.modalities.index(m)
        out: Tensor = self.project[m](self.raw(m, d, side))
        return out * side.has[:, place, None]
