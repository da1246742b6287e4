"""EMCDR: embed, then map (Man et al., IJCAI 2017).

    score_d(u, i) = p_u^d . q_i^d;   for a user known in A alone   score_B(u, i) = f(p_u^A) . q_i^B
    f = argmin sum over overlapping users of |f(p_u^A) - p_u^B|^2,   f(x) = W2 tanh(W1 x + b1) + b2

Matrix factorisation first, then f for each ordered pair of domains on frozen vectors, stopped by
the error on a tenth of the overlapping users. For everyone else it is BPR-MF. Options: ``width``
of f, ``steps`` at most.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from micrec_core.baselines.contract import KNOWN, Baseline, BaselineSettings, Option
from micrec_core.baselines.mapping import fit_map
from micrec_core.method.inputs import Link, ModelInputs


class Emcdr(Baseline):
    """Matrix factorisation, and maps between the user spaces of its domains."""

    family = "cross-domain"
    options = (Option("width", 128, 1, 4096), Option("steps", 500, 1, 100_000))
    answers = KNOWN | {"cold-domain"}
    uses_overlap = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        width = int(settings.options["width"])
        self.maps = nn.ModuleDict(
            {
                f"{link.source}-{link.target}": nn.Sequential(
                    nn.Linear(settings.dim, width), nn.Tanh(), nn.Linear(width, settings.dim)
                )
                for link in inputs.links
            }
        )

    def finish(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """Fit the maps; the tables stay."""
        for link in inputs.links:
            source = self.table(link.source).users.detach()[link.source_rows]
            target = self.table(link.target).users.detach()[link.target_rows]
            f = self.maps[f"{link.source}-{link.target}"]

            def error(
                rows: Tensor, f: nn.Module = f, a: Tensor = source, b: Tensor = target
            ) -> Tensor:
                out: Tensor = (f(a[rows]) - b[rows]).square().sum(1).mean()
                return out

            fit_map(f, error, len(source), int(self.settings.options["steps"]), generator)

    def cold_users(self, inputs: ModelInputs, link: Link) -> Tensor:
        """f of the source's vectors; 0 where nobody was in both."""
        own = self.table(link.source).users[link.source_rows]
        name = f"{link.source}-{link.target}"
        if name not in self.maps:
            return torch.zeros_like(own)
        out: Tensor = self.maps[name](own)
        return out
