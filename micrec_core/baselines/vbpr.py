"""VBPR: factors of interactions beside factors of content (He and McAuley, AAAI 2016).

    score(u, i) = [p_u || theta_u] . [q_i || sum_m x_im W_m]

without the bias terms, as in MMRec's public code; one W_m for each modality is one W for their
concatenation. A new item has q_i = 0 and is scored by its content. Option: ``train_features``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from micrec_core.baselines.contract import (
    KNOWN,
    TRAIN_FEATURES,
    Baseline,
    BaselineSettings,
    Embeddings,
    Noise,
)
from micrec_core.baselines.layers import Content
from micrec_core.method.inputs import ModelInputs


class Vbpr(Baseline):
    """Two pairs of vectors: of interactions and of content."""

    family = "multimodal"
    options = (TRAIN_FEATURES,)
    answers = KNOWN | {"new-items"}
    free = ("tables.", "wants.")
    uses_features = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        self.content = Content(inputs, settings.dim, bool(settings.options["train_features"]))
        # theta: what users want of the projected content.
        self.wants = nn.ParameterList(
            nn.Parameter(torch.empty(d.graph.n_users, settings.dim)) for d in inputs.domains
        )

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Both pairs side by side: [n, 2 dim]."""
        out = []
        for d, domain in enumerate(inputs.domains):
            parts = [self.content(m, d, domain.items) for m in inputs.modalities]
            looks: Tensor = torch.stack(parts).sum(0)
            out.append(
                Embeddings(
                    torch.cat([self.table(d).users, self.wants[d]], 1),
                    torch.cat([self.table(d).items, looks], 1),
                )
            )
        return out
