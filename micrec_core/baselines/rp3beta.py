"""RP3beta: three random steps, popular items held back (Paudel et al., TiiS 2016).

    S_ji = d_i^-beta * sum over users v of (x_vj / d_j)^alpha (x_vi / d_v)^alpha
    score(u, i) = sum over j in N_u of S_ji

d being train degrees, j running over the ``nearest`` items from which i is most often reached, as
in Ferrari Dacrema et al. (RecSys 2019). Options: ``alpha``, ``beta``, ``nearest``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import Option
from micrec_core.baselines.itemknn import ItemKNN, most_similar
from micrec_core.method.knowledge import Knowledge


class Rp3Beta(ItemKNN):
    """Steps from an item to a user to an item."""

    options = (
        Option("alpha", 0.5, 0, 4),
        Option("beta", 0.1, 0, 2),
        Option("nearest", 500, 1, 10_000),
    )
    grid = ({}, {"alpha": 0.3}, {"alpha": 1, "beta": 0.6}, {"alpha": 0.7, "beta": 0.3})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Steps in each domain, CSC [n_items, n_items]."""
        told = self.settings.options
        self.similar = []
        for part in knowledge.domains:
            x = sparse.csr_matrix(part.train, dtype=np.float64)
            to_users = sparse.diags(_power(part.item_degree, -told["alpha"])) @ x.T
            back = sparse.diags(_power(part.item_degree, -told["beta"]))
            to_items = sparse.diags(_power(part.user_degree, -told["alpha"])) @ x @ back
            found = most_similar(to_users, sparse.csc_matrix(to_items), int(told["nearest"]))
            self.similar.append(found)


def _power(degree: NDArray[np.float32], exponent: float) -> NDArray[np.float64]:
    return np.asarray(np.maximum(degree, 1.0).astype(np.float64) ** exponent)
