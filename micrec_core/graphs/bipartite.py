"""The train interactions of a domain as a graph, and the dropout of its edges.

Edges that are left out or dropped in a step are factors of 0 and 1 on the stored ones, computed
where the edges are: the structure stays as it was sent to the device, and nothing asks the host.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from scipy import sparse
from torch import Tensor

from micrec_core.graphs.aggregation import Brought
from micrec_core.graphs.sparse import Pattern, SparseMatrix

_LOW = 0xFFFFFFFF  # the lower 32 bits


@dataclass(frozen=True)
class Dropout:
    """Drop each edge with probability ``rate``, as the hash of (edge, ``seed``) says.

    Nothing is drawn and nothing stored: a seed says the same of an edge in both directions, on
    every device and in any order (INMO drops summands of templates, Wu et al., 2022).
    """

    rate: float
    seed: int

    def keep(self, users: Tensor, items: Tensor) -> Tensor:
        """Which of the edges (users, items) stay: bool [...], as the rows, integers [...] each.

        A 32-bit mix of both rows and the seed, uniform enough for dropout. It is computed in
        int64: where a product runs over, the bits that are looked at are right.
        """
        x = (users.long() * 0x9E3779B1) ^ (items.long() * 0x85EBCA77)
        x += self.seed
        x &= _LOW
        x ^= x >> 16
        x *= 0x7FEB352D
        x &= _LOW
        x ^= x >> 15
        x *= 0x846CA68B
        x &= _LOW
        x ^= x >> 16
        return x >= min(int(self.rate * 2**32), _LOW)


class BipartiteGraph:
    """Binary train interactions [n_users, n_items] of one domain.

    Parameters
    ----------
    matrix : CSR [n_users, n_items]; every stored entry counts as 1
    device : where the tables live that it is multiplied with

    Attributes
    ----------
    pattern : the edges, by user and item, with those that are left out
    kept : float32 [n_edges], 0 for an edge that is left out; None where none is
    """

    def __init__(self, matrix: sparse.csr_matrix, device: torch.device | str = "cpu"):
        matrix = sparse.csr_matrix(matrix, copy=True)
        matrix.sum_duplicates()
        matrix.sort_indices()
        self.n_users, self.n_items = matrix.shape
        self.device = torch.device(device)
        self.pattern = Pattern.of(matrix, device)
        self.kept: Tensor | None = None
        self._thin = False
        self._normalised: tuple[Any, tuple[SparseMatrix, ...]] | None = None

    @property
    def n_edges(self) -> int:
        """How many edges are stored."""
        return len(self.pattern.indices)

    @cached_property
    def _keys(self) -> Tensor:
        """user * n_items + item of every edge, ascending."""
        keys: Tensor = self.pattern.rows.long() * self.n_items + self.pattern.indices
        return keys

    def without(self, users: Tensor, items: Tensor) -> BipartiteGraph:
        """What is left without the edges (users, items), int64 [n] each; they must be edges."""
        left = torch.ones(self.n_edges, device=self.device)
        left[torch.searchsorted(self._keys, users * self.n_items + items)] = 0.0
        return self._only(left, self._thin)

    def dropped(self, drop: Dropout | None) -> BipartiteGraph:
        """What a dropout leaves; the graph itself without one."""
        if drop is None:
            return self
        return self._only(drop.keep(self.pattern.rows, self.pattern.indices).float(), True)

    def _only(self, kept: Tensor, thin: bool) -> BipartiteGraph:
        left = copy.copy(self)
        left.kept = kept if self.kept is None else self.kept * kept
        left._thin, left._normalised = thin, None
        return left

    def degrees(self) -> tuple[Tensor, Tensor]:
        """Float degrees of users [n_users] and of items [n_items]."""
        pattern, kept = self.pattern, self.kept
        if kept is None:
            return pattern.indptr.diff().float(), pattern.transposed[0].indptr.diff().float()
        # Sums of ones are exact in any order.
        users = kept.new_zeros(self.n_users).index_add_(0, pattern.rows, kept)
        return users, kept.new_zeros(self.n_items).index_add_(0, pattern.indices, kept)

    def scaled(self, users: Tensor | None, items: Tensor | None) -> tuple[SparseMatrix, ...]:
        """What sends to users and what sends to items: diag(users) R diag(items), its transposed.

        Scales are float [n_users] and [n_items]; None counts as ones.
        """
        pattern, values = self.pattern, self.kept
        for scale, ends in ((users, pattern.rows), (items, pattern.indices)):
            if scale is not None:
                of_edges = scale.index_select(0, ends)
                values = of_edges if values is None else values * of_edges
        if values is None:
            values = torch.ones(self.n_edges, device=self.device)
        matrix = SparseMatrix(pattern, values, self._thin)
        return matrix, matrix.T

    def normalised(self, degree: tuple[Tensor, Tensor]) -> tuple[SparseMatrix | Brought, ...]:
        """``scaled`` by D^-1/2, kept for as long as it is asked of the same degrees."""
        asked = [(d, d._version) for d in degree]
        known = self._normalised
        if known is None or any(a is not b or n != m for (a, n), (b, m) in zip(known[0], asked)):
            scales = (d.clamp(min=1.0) ** -0.5 for d in degree)
            self._normalised = known = asked, self.scaled(*scales)
        return known[1]

    def to_users(
        self, x: Tensor, users: Tensor | None = None, items: Tensor | None = None
    ) -> Tensor:
        """diag(users) R diag(items) x: [n_items, ...] -> [n_users, ...]."""
        return self.scaled(users, items)[0] @ x

    def to_items(
        self, x: Tensor, items: Tensor | None = None, users: Tensor | None = None
    ) -> Tensor:
        """diag(items) R^T diag(users) x: [n_users, ...] -> [n_items, ...]."""
        return self.scaled(users, items)[1] @ x
