"""LATTICE: a graph between items that is mined while training (Zhang et al., MM 2021).

    S_m = raw S_m^raw + (1 - raw) S_m^learned,   S = sum_m softmax(a)_m S_m
    u = LGC_u,   i = LGC_i + norm(S q_i),   score = u . i

S^learned: the k nearest by cosine of x_m W_m, weights the positive cosines, rows adding up to 1;
which they are is found anew every epoch, their cosines pass gradient at every step. S^raw is
MICRec's frozen neighbours. (The public code normalises by degree instead of rows, and lets
gradient pass in the first batch of an epoch only.) Options: ``raw``, ``edge_drop``,
``train_features``.
"""

from __future__ import annotations

import numpy as np
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
)
from micrec_core.baselines.layers import Content, degrees
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.graphs.propagation import light_gcn
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import DomainInputs, ModelInputs

Found = dict[tuple[str, int], Tensor]


class Lattice(Baseline):
    """LightGCN with what items near in a learned space have learned."""

    family = "multimodal"
    options = (Option("raw", 0.9, 0, 1), EDGE_DROP, TRAIN_FEATURES)
    grid = ({}, {"raw": 0.5}, FALLING, {"edge_drop": 0.3})
    answers = KNOWN | {"new-users", "new-items"}
    uses_features = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        self.content = Content(inputs, settings.dim, bool(settings.options["train_features"]))
        self.mix = nn.Parameter(torch.zeros(len(inputs.modalities)))
        self._near: Found = {}

    def start_epoch(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """Find the neighbours in the space as it is now."""
        self._near = self.find(inputs)

    def find(self, inputs: ModelInputs) -> Found:
        """Rows of the k nearest items, -1 for none, int64 [n_items, k], by modality and domain."""
        out: Found = {}
        for d, domain in enumerate(inputs.domains):
            for place, m in enumerate(inputs.modalities):
                unit = self._unit(m, d, domain).detach().cpu().numpy()
                has = domain.items.has[:, place].cpu().numpy()
                degree = domain.items.degree.cpu().numpy()
                rows = nearest(
                    unit, unit, self.settings.neighbours, same=np.arange(len(unit)),
                    anchor_ok=has & (degree > 0), device=str(inputs.device),
                ).rows  # fmt: skip
                out[m, d] = torch.from_numpy(rows.astype(np.int64)).to(inputs.device)
        return out

    def _unit(self, m: str, d: int, domain: DomainInputs) -> Tensor:
        return F.normalize(self.content(m, d, domain.items), dim=1)

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Neighbours of the epoch in training, those of the parameters as they are otherwise."""
        near = self.find(inputs) if noise is None else self._near
        raw, mix, out = self.settings.options["raw"], torch.softmax(self.mix, 0), []
        for d, domain in enumerate(inputs.domains):
            own, drop = self.table(d), None if noise is None else noise.edges(d)
            users, items = light_gcn(
                domain.graph, degrees(domain), own.users, own.items, self.settings.layers, drop
            )
            parts = [
                share * (
                    raw * (domain.items.neighbours[m] @ own.items)
                    + (1.0 - raw) * cosine_means(self._unit(m, d, domain), near[m, d], own.items)
                )
                for share, m in zip(mix, inputs.modalities, strict=True)
            ]  # fmt: skip
            around: Tensor = torch.stack(parts).sum(0)
            out.append(Embeddings(users, items + F.normalize(around, dim=1)))
        return out


def cosine_means(unit: Tensor, near: Tensor, values: Tensor) -> Tensor:
    """Means of ``values`` over neighbours, weighed by their positive cosines (eq. 5 and 6).

    Parameters
    ----------
    unit : [n, width], what the cosines are of
    near : int64 [n, k], rows of neighbours, -1 for none
    values : [n, dim]

    Returns
    -------
    [n, dim]; zeros for a row without a neighbour at a positive cosine
    """
    rows = near.clamp(min=0)
    cosines = (unit[:, None, :] * F.embedding(rows, unit)).sum(-1)
    weights = torch.where(near >= 0, cosines.clamp(min=0.0), 0.0)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-12)
    return (weights[..., None] * F.embedding(rows, values)).sum(1)
