"""The memory of docs/method.md without anything trained: ``method.memory`` has its formula.

S and K are of all modalities: means over those in which an item has neighbours, S with MICRec's
weights, K cosines to the nearest 30. Options are its constants.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm, Option
from micrec_core.method.knowledge import DomainKnowledge, Knowledge, items_alike
from micrec_core.method.memory import Constants, blend, fit, scores
from micrec_core.method.taken import Taken, taken_elsewhere

_NEAREST = 30
_BY_DEFAULT = Constants()


class MemoryAlone(ClosedForm):
    """Counts of what was taken together, lent to similar items."""

    family = "multimodal"
    options = (
        Option("lend", _BY_DEFAULT.lend, 0, 10),
        Option("activity", _BY_DEFAULT.activity, 0, 2),
        Option("seen", _BY_DEFAULT.seen, 0, 2),
        Option("popular", _BY_DEFAULT.popular, 0, 2),
        # Not 0: a user of other domains alone has nothing else to go by.
        Option("elsewhere", _BY_DEFAULT.elsewhere, 1e-6, 10),
        Option("content", _BY_DEFAULT.content, 0, 1000),
    )
    grid = (
        {},
        {"lend": 0.3, "activity": 0.35, "popular": 0},
        {"lend": 0.1, "seen": 0.5, "popular": 0.15, "elsewhere": 0.02, "content": 0.05},
        {"lend": 0.05, "activity": 1, "seen": 0.5, "popular": 0.3, "content": 0},
    )
    answers = KNOWN | {"new-users", "new-items", "cold-domain"}
    uses_features = True
    uses_overlap = True

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Count in each domain."""
        constants = Constants(**self.settings.options)
        trains = [part.train for part in knowledge.domains]
        self.memories = []
        for d, part in enumerate(knowledge.domains):
            elsewhere = taken_elsewhere(trains, knowledge.links, d)
            near = self._neighbours(part, knowledge.settings.temperature, str(device))
            self.memories.append(fit(part.train, elsewhere, *near, constants))

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Products from the left."""
        found = scores(self.memories[d], *Taken.of(taken, d))
        return found.astype(np.float32, copy=False)

    @property
    def n_learned(self) -> int:
        return sum(memory.n_stored for memory in self.memories)

    @staticmethod
    def _neighbours(
        part: DomainKnowledge, temperature: float, device: str
    ) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """S and K."""
        more = items_alike(part.features, part.item_degree, _NEAREST, device).values()
        few = list(part.item_neighbours.values())
        s = blend([(found.rows, found.weights(temperature)) for found in few])
        return s, blend([(found.rows, found.similarity) for found in more])
