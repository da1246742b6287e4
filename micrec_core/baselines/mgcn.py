"""MGCN: content purified by behaviour, then fused with it (Yu et al., MM 2023).

    c = LGC of the free vectors                              what behaviour says
    s_im = S_m (q_i * sigmoid(G_m(x_im W_m))),  s_um = A~ s_im   what each modality says
    common = sum_m softmax_m(v tanh(Q s_m)) s_m
    side = mean of common and sigmoid(H_m c) * (s_m - common) over the modalities
    score = (c_u + side_u) . (c_i + side_i)
    loss = ranking + weight [ InfoNCE(side_i, c_i) + InfoNCE(side_u, c_u) ],  tau 0.2,
           of the first 2,048 interactions of a batch (the original's batch)

A~ is the normalised user-item block, S_m MICRec's frozen neighbours, G_m, H_m, Q linear. A new
item has q_i = 0 and is what its neighbours are. Options: ``weight``, ``edge_drop``,
``train_features``.
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
from micrec_core.baselines.layers import Content, degrees
from micrec_core.graphs.bipartite import Dropout
from micrec_core.graphs.propagation import light_gcn, normalised
from micrec_core.method import contrast
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import DomainInputs, ModelInputs

TEMPERATURE = 0.2
# Each row is compared with all others: the cost is the square of this.
CONTRASTED = 2048


@dataclass(frozen=True)
class Fused(Embeddings):
    """With the two parts that add up to the embeddings, users above items: [n_users + n_items]."""

    behaviour: Tensor
    side: Tensor


class Mgcn(Baseline):
    """LightGCN beside what each modality says, purified and fused."""

    family = "multimodal"
    options = (Option("weight", 1e-3, 0, 1), EDGE_DROP, TRAIN_FEATURES)
    grid = ({}, {"edge_drop": 0.3}, FALLING, {"weight": 1e-2})
    answers = KNOWN | {"new-users", "new-items"}
    uses_features = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        dim, modalities = settings.dim, inputs.modalities
        self.content = Content(inputs, dim, bool(settings.options["train_features"]))
        self.purify = nn.ModuleDict({m: nn.Linear(dim, dim) for m in modalities})
        self.prefer = nn.ModuleDict({m: nn.Linear(dim, dim) for m in modalities})
        self.query = nn.Linear(dim, dim)
        self.attend = nn.Linear(dim, 1, bias=False)

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Behaviour and side information added."""
        out: list[Embeddings] = []
        for d, domain in enumerate(inputs.domains):
            own, n = self.table(d), len(domain.users)
            drop = None if noise is None else noise.edges(d)
            layers, degree = self.settings.layers, degrees(domain)
            behaviour = torch.cat(
                light_gcn(domain.graph, degree, own.users, own.items, layers, drop)
            )
            seen = [self._seen(m, d, domain, drop) for m in inputs.modalities]
            side = self._fuse(seen, behaviour, inputs.modalities)
            both = behaviour + side
            out.append(Fused(both[:n], both[n:], behaviour, side))
        return out

    def _seen(self, m: str, d: int, domain: DomainInputs, drop: Dropout | None) -> Tensor:
        """What one modality says, users above items: [n_users + n_items, dim]."""
        own = self.table(d)
        pure = own.items * torch.sigmoid(self.purify[m](self.content(m, d, domain.items)))
        items = domain.items.neighbours[m] @ pure
        users, _ = normalised(domain.graph, degrees(domain), own.users, items, drop)
        return torch.cat([users, items])

    def _fuse(self, seen: list[Tensor], behaviour: Tensor, modalities: tuple[str, ...]) -> Tensor:
        scores = torch.cat([self.attend(torch.tanh(self.query(s))) for s in seen], 1)
        shares = torch.softmax(scores, 1)
        common: Tensor = torch.stack([shares[:, p, None] * s for p, s in enumerate(seen)]).sum(0)
        parts = [common]
        for m, own in zip(modalities, seen, strict=True):
            parts.append(torch.sigmoid(self.prefer[m](behaviour)) * (own - common))
        return torch.stack(parts).mean(0)

    def loss(self, step: Step, found: list[Embeddings]) -> dict[str, Tensor]:
        """Ranking, and the two parts of an embedding told apart from those of others."""
        terms, own = super().loss(step, found), found[step.d]
        assert isinstance(own, Fused)
        parts = []
        for drawn, first in ((step.users, 0), (step.items, len(own.users))):
            rows, counted = contrast.distinct(drawn[:CONTRASTED])
            side, there = (F.embedding(rows + first, x) for x in (own.side, own.behaviour))
            parts.append(contrast.info_nce(side, there, TEMPERATURE, counted))
        return terms | {"contrast": self.settings.options["weight"] * torch.stack(parts).sum()}
