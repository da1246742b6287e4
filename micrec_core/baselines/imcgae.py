"""IMC-GAE: node-agnostic beside node-specific inputs (Shen et al., IMC-GAE, CIKM 2021).

    x_v = [ id_v || general_user or general_item || identical ],   score = r_u . r_i
    r = x + sum over l of A~^l x / (l + 1)

A~ is symmetric-normalised; in training the rows sent in layer l = 1, 2, ... are dropped whole with
probability max(drop - 0.1 l, 0). A new user has id 0 and gets the rest from its interactions.
As in the public code of INMO's authors, who rank with it. Options: ``drop``, ``edge_drop``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from micrec_core.baselines.contract import (
    EDGE_DROP,
    KNOWN,
    Baseline,
    BaselineSettings,
    Embeddings,
    Noise,
    Option,
)
from micrec_core.baselines.layers import degrees, dropped
from micrec_core.graphs.propagation import normalised
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import ModelInputs


class ImcGae(Baseline):
    """Free vectors, a vector of the side and one of everybody, side by side."""

    family = "inductive"
    options = (Option("drop", 0.3, 0, 0.9), EDGE_DROP)
    grid = ({}, {"drop": 0}, FALLING, {"edge_drop": 0.3})
    answers = KNOWN | {"new-users"}
    free = ("tables.", "shared.")

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        # Per domain: any user, any item, anything.
        self.shared = nn.ParameterList(
            nn.Parameter(torch.empty(3, settings.dim)) for _ in inputs.domains
        )

    def start(self, d: int) -> tuple[Tensor, Tensor]:
        """x of users and of items, [n, 3 dim]."""
        own, shared = self.table(d), self.shared[d]
        out = []
        for side, vectors in enumerate((own.users, own.items)):
            same = [shared[row].expand(len(vectors), -1) for row in (side, 2)]
            out.append(torch.cat([vectors, *same], 1))
        return out[0], out[1]

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Sums over layers, the later ones less."""
        out, rate = [], self.settings.options["drop"]
        for d, domain in enumerate(inputs.domains):
            users, items = self.start(d)
            sums = users, items
            drop = None if noise is None else noise.edges(d)
            for layer in range(1, self.settings.layers + 1):
                if noise is not None and rate > 0.1 * layer:
                    now = rate - 0.1 * layer
                    users = dropped(users, now, noise.generator, rows=True)
                    items = dropped(items, now, noise.generator, rows=True)
                users, items = normalised(domain.graph, degrees(domain), users, items, drop)
                sums = sums[0] + users / (layer + 1), sums[1] + items / (layer + 1)
            out.append(Embeddings(*sums))
        return out
