"""Popularity: everyone is given the items with most train interactions. No source needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm
from micrec_core.method.knowledge import Knowledge


def by_popularity(degree: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float32]:
    """Scores [n_items] that rank by train interactions, and equals in a fixed random order.

    Rankings put equals by their rows, and catalogues are often sorted by what came first or sells
    best: without this, the rows of items that nobody took yet would foretell who takes them.
    """
    shuffled = np.random.default_rng(0).permutation(len(degree)) / (len(degree) + 1)
    found: NDArray[np.float32] = (np.asarray(degree) + 0.5 * shuffled).astype(np.float32)
    return found


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

    def ranked(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """The same, equals in random order."""
        return np.tile(by_popularity(self.counts[d]), (taken[d].shape[0], 1))

    @property
    def n_learned(self) -> int:
        return 0
