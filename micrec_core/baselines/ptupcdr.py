"""PTUPCDR: a bridge of its own for every user (Zhu et al., WSDM 2022).

    c_u = sum over j in N_u^A of softmax_j(v relu(W q_j^A + b)) q_j^A      what u likes in A
    W_u = reshape(M2 relu(M1 c_u)) in R^(D x D),   score_B(u, i) = (W_u p_u^A) . q_i^B

Matrix factorisation first; then, on frozen vectors, attention and meta-network for each ordered
pair of domains by the task itself: overlapping users' interactions in B, here by BPR with uniform
negatives (the original predicts ratings). Options: ``width`` of the meta-network, ``steps``.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micrec_core.baselines.contract import KNOWN, Baseline, BaselineSettings, Option
from micrec_core.baselines.mapping import fit_map
from micrec_core.method.inputs import Link, ModelInputs

_BATCH = 1024


class Bridge(nn.Module):
    """The attention over items and the meta-network of one ordered pair of domains."""

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.dim = dim
        self.attend = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1, bias=False))
        self.meta = nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, dim * dim))

    def likes(self, inputs: ModelInputs, source: int, items: Tensor) -> Tensor:
        """c of every user of the source, 0 without items: [n_users, dim]."""
        domain = inputs.domains[source]
        scores = self.attend(items)
        weight = torch.exp(scores - scores.max())
        ones_u, ones_i = torch.ones_like(domain.users.degree), torch.ones_like(domain.items.degree)
        total = domain.graph.to_users(torch.cat([weight * items, weight], 1), ones_u, ones_i)
        return total[:, :-1] / total[:, -1:].clamp(min=1e-12)

    def forward(self, users: Tensor, likes: Tensor) -> Tensor:
        """W_u p_u: both [n, dim]."""
        own = self.meta(likes).view(-1, self.dim, self.dim)
        return (own @ users[:, :, None])[:, :, 0]


class Ptupcdr(Baseline):
    """Matrix factorisation, and personalised bridges between its domains."""

    family = "cross-domain"
    options = (Option("width", 50, 1, 4096), Option("steps", 500, 1, 100_000))
    answers = KNOWN | {"cold-domain"}
    uses_overlap = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        width = int(settings.options["width"])
        self.bridges = nn.ModuleDict(
            {f"{k.source}-{k.target}": Bridge(settings.dim, width) for k in inputs.links}
        )

    def finish(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """Fit the bridges; the tables stay."""
        for link in inputs.links:
            task = _Task(self, inputs, link, generator)
            steps = int(self.settings.options["steps"])
            fit_map(task.bridge, task.loss, len(link.source_rows), steps, generator)

    def bridge(self, link: Link) -> Bridge | None:
        """That of a pair of domains, None where nobody was in both."""
        name = f"{link.source}-{link.target}"
        return cast(Bridge, self.bridges[name]) if name in self.bridges else None

    def cold_users(self, inputs: ModelInputs, link: Link) -> Tensor:
        """Each user through its own bridge; 0 where nobody was in both."""
        own, bridge = self.table(link.source), self.bridge(link)
        users = own.users[link.source_rows]
        if bridge is None:
            return torch.zeros_like(users)
        likes = bridge.likes(inputs, link.source, own.items)[link.source_rows]
        parts = zip(users.split(_BATCH), likes.split(_BATCH), strict=True)
        return torch.cat([bridge(*part) for part in parts])


class _Task:
    """Ranking what overlapping users took in the target, by their bridged vectors."""

    def __init__(self, model: Ptupcdr, inputs: ModelInputs, link: Link, generator: torch.Generator):
        bridge = model.bridge(link)
        assert bridge is not None
        self.bridge, self.inputs, self.link, self.generator = bridge, inputs, link, generator
        self.users = model.table(link.source).users.detach()
        self.source_items = model.table(link.source).items.detach()
        self.items = model.table(link.target).items.detach()
        pattern = inputs.domains[link.target].graph.pattern
        self.pointers, self.taken = pattern.indptr.cpu().long(), pattern.indices.cpu().long()
        self.pool = torch.unique(self.taken)

    def loss(self, rows: Tensor) -> Tensor:
        """BPR of one interaction of each of some users, at most a batch of them."""
        if len(rows) > _BATCH:
            rows = rows[torch.randint(len(rows), (_BATCH,), generator=self.generator)]
        there = self.link.source_rows[rows.to(self.users.device)]
        here = self.link.target_rows.cpu()[rows]
        first, last = self.pointers[here], self.pointers[here + 1]
        drawn = torch.rand(len(rows), generator=self.generator)
        positives = self.taken[first + (drawn * (last - first)).long()]
        others = torch.randint(len(self.pool), (len(rows),), generator=self.generator)
        negatives = self.pool[others].to(self.items.device)
        likes = self.bridge.likes(self.inputs, self.link.source, self.source_items)
        moved = self.bridge(self.users[there], likes[there])
        apart = self.items[negatives] - self.items[positives.to(self.items.device)]
        return F.softplus((moved * apart).sum(1)).mean()
