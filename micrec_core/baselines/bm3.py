"""BM3: bootstrapped latents without negatives (Zhou et al., WWW 2023).

    u = LGC_u,  i = LGC_i + q_i,  f = Linear,  score = f(u) . f(i)
    loss = (1 - cos(f(u), i')) + (1 - cos(f(i), u'))
           + weight sum_m [ 1 - cos(f(x_m W_m), i') + 1 - cos(f(x_m W_m), (x_m W_m)') ]

' is dropout at rate ``drop`` without gradient. A new item has no i: it is scored by the mean of
f(x_m W_m) over what it has. Options: ``weight``, ``edge_drop``, ``drop``, ``train_features``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micrec_core.baselines.contract import (
    EDGE_DROP,
    KNOWN,
    TRAIN_FEATURES,
    Baseline,
    BaselineSettings,
    Embeddings,
    Noise,
    Option,
    Step,
)
from micrec_core.baselines.layers import Content, degrees, dropped
from micrec_core.graphs.propagation import light_gcn
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import DomainInputs, ModelInputs


@dataclass(frozen=True)
class Online(Embeddings):
    """With the embeddings before the predictor f."""

    plain_users: Tensor
    plain_items: Tensor


class Bm3(Baseline):
    """LightGCN trained to predict one view of a pair from another."""

    family = "multimodal"
    options = (Option("weight", 2, 0, 100), Option("drop", 0.3, 0, 0.9), EDGE_DROP, TRAIN_FEATURES)
    grid = ({}, {"learning_rate": 5e-3}, FALLING, {"weight": 0.5})
    answers = KNOWN | {"new-users", "new-items"}
    uses_features = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        self.content = Content(inputs, settings.dim, bool(settings.options["train_features"]))
        self.predict = nn.Linear(settings.dim, settings.dim)

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Predicted embeddings, by which items are ranked."""
        out: list[Embeddings] = []
        for d, domain in enumerate(inputs.domains):
            own, degree = self.table(d), degrees(domain)
            drop = None if noise is None else noise.edges(d)
            users, items = light_gcn(
                domain.graph, degree, own.users, own.items, self.settings.layers, drop
            )
            items = items + own.items
            predicted = torch.where(
                (degree[1] > 0)[:, None], self.predict(items), self._by_content(d, domain)
            )
            out.append(Online(self.predict(users), predicted, users, items))
        return out

    def _by_content(self, d: int, domain: DomainInputs) -> Tensor:
        """Mean over the modalities that an item has, 0 without any: [n_items, dim]."""
        has = domain.items.has
        parts = [
            self.predict(self.content(m, d, domain.items)) * has[:, place, None]
            for place, m in enumerate(self.content.modalities)
        ]
        total: Tensor = torch.stack(parts).sum(0)
        return total / has.sum(1, keepdim=True).clamp(min=1)

    def loss(self, step: Step, found: list[Embeddings]) -> dict[str, Tensor]:
        """The bootstrap terms; there is no negative."""
        own = found[step.d]
        assert isinstance(own, Online)
        rate = self.settings.options["drop"]

        def target(x: Tensor) -> Tensor:
            return dropped(x.detach(), rate, step.generator)

        user_target = target(F.embedding(step.users, own.plain_users))
        item_target = target(F.embedding(step.items, own.plain_items))
        users = self.predict(F.embedding(step.users, own.plain_users))
        items = self.predict(F.embedding(step.items, own.plain_items))
        terms = {"ranking": distance(users, item_target) + distance(items, user_target)}
        side, parts = step.inputs.domains[step.d].items, []
        for place, m in enumerate(step.inputs.modalities):
            has = side.has[step.items, place]
            seen = F.embedding(step.items, self.content(m, step.d, side))
            guess = self.predict(seen)
            parts += [distance(guess, item_target, has), distance(guess, target(seen), has)]
        return terms | {"content": self.settings.options["weight"] * torch.stack(parts).sum()}


def distance(a: Tensor, b: Tensor, has: Tensor | None = None) -> Tensor:
    """Mean of 1 - cosine over the rows that ``has`` marks."""
    apart = 1.0 - F.cosine_similarity(a, b, dim=1)
    if has is None:
        return apart.mean()
    return (apart * has).sum() / has.sum().clamp(min=1)
