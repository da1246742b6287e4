"""The gate on observable statistics that weighs the modalities of a user or an item (ours)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from micrec_core.method.profiles import SIGNALS


class Gate(nn.Module):
    """w = strength * softmax of b_m + g_m z(coherence) + r_m z(log degree) over what is present.

    A handful of scalars per domain and entity type, so that a weight has a reason one can name
    and an unseen entity gets one too; a free softmax against the id path collapses onto id.
    ``strength`` = exp(s_0 + s_1 z(log degree)) scales the sum of the modality weights.
    """

    def __init__(self, n_modalities: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_modalities))
        self.slope = nn.Parameter(torch.zeros(n_modalities, len(SIGNALS)))
        self.strength = nn.Parameter(torch.zeros(2))

    def shares(self, signals: Tensor, has: Tensor) -> Tensor:
        """Softmax over present modalities, rows sum to 1, or to 0 where none is: [n, m]."""
        if len(self.bias) == 1:  # nothing to share
            return has.to(self.bias.dtype)
        logits = self.bias + (signals * self.slope).sum(-1)
        logits = logits.masked_fill(~has, float("-inf"))
        logits = torch.where(has.any(1, keepdim=True), logits, torch.zeros_like(logits))
        return torch.softmax(logits, dim=1) * has

    def forward(self, signals: Tensor, has: Tensor) -> Tensor:
        """Weights [n, n_modalities] from signals [n, n_modalities, signals], has, bool [n, m]."""
        strength = torch.exp(self.strength[0] + self.strength[1] * signals[:, 0, -1])
        return strength[:, None] * self.shares(signals, has)

    def divergence(self, signals: Tensor, has: Tensor) -> Tensor:
        """Mean KL of the shares from uniform over the modalities present, a scalar."""
        if len(self.bias) == 1:
            return self.bias.new_zeros(())
        shares = self.shares(signals, has)
        count = has.sum(1, keepdim=True).clamp(min=1)
        terms = torch.where(has, shares * torch.log(shares.clamp(min=1e-12) * count), 0.0)
        return terms.sum(1).mean()
