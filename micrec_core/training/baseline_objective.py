"""A baseline's loss on a step: its own terms on the batch, negatives and ranking loss of MICRec."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from micrec_core.baselines.contract import Baseline, Embeddings, Noise, Step
from micrec_core.graphs.bipartite import Dropout
from micrec_core.training import losses
from micrec_core.training.objective import Batch, Ranker


class BaselineObjective(Ranker[Baseline]):
    """L = sum_d [ the baseline's terms + lambda reg ]."""

    def __call__(
        self, batches: list[Batch], drops: list[Dropout] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Weighed terms by name; their sum is the loss."""
        found = self.model(self.inputs, Noise(generator, drops))
        terms: dict[str, Tensor] = {}
        for d, batch in enumerate(batches):
            for name, value in self._terms(d, batch, found, generator).items():
                terms[name] = terms[name] + value if name in terms else value
        return terms

    def _terms(
        self, d: int, batch: Batch, found: list[Embeddings], generator: torch.Generator
    ) -> dict[str, Tensor]:
        drawn = self._batch_negatives(d, batch, generator)
        weights = self._weights(d, batch)

        def picked(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return (
                F.embedding(batch.users, users),
                F.embedding(batch.items, items),
                F.embedding(drawn, items),
            )

        def rank(users: Tensor, items: Tensor) -> Tensor:
            return self.ranking(*picked(users, items), batch.items, drawn, d, weights)

        terms = self.model.loss(
            Step(d, batch.users, batch.items, self.inputs, rank, generator), found
        )
        lengths = losses.squared_length(*picked(found[d].users, found[d].items))
        return terms | {"regularisation": self.settings.l2 * lengths}
