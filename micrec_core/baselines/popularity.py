"""Popularity: everyone is given the items with most train interactions. No source needed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm


class Popularity(ClosedForm):
    """score(u, i) = number of train interactions of i."""

    family = "plain"
    answers = KNOWN | {"new-users", "new-items", "cold-domain"}

    def solve(self, trains: list[sparse.csr_matrix], device: str | torch.device = "cpu") -> None:
        """Count."""
        self.counts = [np.asarray(t.sum(axis=0), np.float32).ravel() for t in trains]

    def scores(self, d: int, taken: sparse.csr_matrix) -> NDArray[np.float32]:
        """The same row for everyone."""
        return np.tile(self.counts[d], (taken.shape[0], 1))

    @property
    def n_learned(self) -> int:
        return 0
