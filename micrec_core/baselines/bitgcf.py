"""BiTGCF: graph layers with transfer between domains in each (Liu et al., CIKM 2020).

    graph     y = x + A~ x + x * A~ x                                  in each domain
    transfer  x_u^d = 1/2 [ own y_u^d + (1 - own) y_u^d' + mean of y_u^d and y_u^d' by n^d, n^d' ]
    embedding = x^0 || norm(x^1) || ... || norm(x^L),   score = product

for overlapping users, n their train degrees; other users and items have x = y. The original's loss
is binary cross-entropy, here the one that all models share. A user without a trace in the target
has x^0 = 0 and n = 0 there, and so takes part in the transfer. For more than two
domains transfers are applied pair after pair. Options: ``own``, ``edge_drop``.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from micrec_core.baselines.contract import EDGE_DROP, KNOWN, Baseline, Embeddings, Noise, Option
from micrec_core.baselines.layers import degrees
from micrec_core.graphs.bipartite import Dropout
from micrec_core.graphs.propagation import normalised
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import Link, ModelInputs


class BiTgcf(Baseline):
    """Graph convolution in two domains that exchange their overlapping users."""

    family = "cross-domain"
    options = (Option("own", 0.8, 0, 1), EDGE_DROP)
    grid = ({}, {"own": 0.5}, FALLING, {"edge_drop": 0.3})
    answers = KNOWN | {"cold-domain"}
    uses_overlap = True

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """All layers side by side: [n, (layers + 1) dim]."""
        n = range(len(inputs.domains))
        now: list[tuple[Tensor, Tensor]] = [(self.table(d).users, self.table(d).items) for d in n]
        kept: list[tuple[list[Tensor], list[Tensor]]] = [([u], [i]) for u, i in now]
        for _ in range(self.settings.layers):
            now = [
                self._convolve(inputs, d, *now[d], None if noise is None else noise.edges(d))
                for d in n
            ]
            moved = self._transfer(inputs, [u for u, _ in now])
            now = [(moved[d], now[d][1]) for d in n]
            for d in n:
                for side in (0, 1):
                    kept[d][side].append(F.normalize(now[d][side], dim=1))
        return [Embeddings(torch.cat(u, 1), torch.cat(i, 1)) for u, i in kept]

    def _convolve(
        self, inputs: ModelInputs, d: int, users: Tensor, items: Tensor, drop: Dropout | None
    ) -> tuple[Tensor, Tensor]:
        domain = inputs.domains[d]
        to_users, to_items = normalised(domain.graph, degrees(domain), users, items, drop)
        return users + to_users + users * to_users, items + to_items + items * to_items

    def _transfer(self, inputs: ModelInputs, users: list[Tensor]) -> list[Tensor]:
        """Every link changes its target, by what the source was before."""
        own, out = self.settings.options["own"], list(users)
        for link in inputs.links:
            here = out[link.target][link.target_rows]
            there = users[link.source][link.source_rows]
            n_here = inputs.domains[link.target].users.degree[link.target_rows, None]
            n_there = inputs.domains[link.source].users.degree[link.source_rows, None]
            mean = (n_here * here + n_there * there) / (n_here + n_there).clamp(min=1.0)
            mixed = 0.5 * (own * here + (1.0 - own) * there + mean)
            out[link.target] = out[link.target].index_copy(0, link.target_rows, mixed)
        return out

    def cold_users(self, inputs: ModelInputs, link: Link) -> Tensor:
        """The forward pass with the cold users linked to the target, the source as it was."""
        pair = link.source, link.target
        links = [k for k in inputs.links if (k.source, k.target) != pair]
        known = [k for k in inputs.links if (k.source, k.target) == pair]
        source = torch.cat([k.source_rows for k in known] + [link.source_rows])
        target = torch.cat([k.target_rows for k in known] + [link.target_rows])
        wider = replace(link, source_rows=source, target_rows=target)
        found = self(replace(inputs, links=(*links, wider)))
        return found[link.target].users[link.target_rows]
