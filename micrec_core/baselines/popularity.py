"""Popularity: everyone is given the items with most train interactions. No source needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm
from micrec_core.method.knowledge import Knowledge


class Popularity(ClosedForm):
    """score(u, i) = number of train interactions of i."""

    family = "plain"
    answers = KNOWN | {"new-users", "new-items", "cold-domain"}

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Count."""
        self.counts = [part.item_degree for part in knowledge.domains]

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """The same row for everyone."""
        return np.tile(self.counts[d], (taken[d].shape[0], 1))

    @property
    def n_learned(self) -> int:
        return 0
