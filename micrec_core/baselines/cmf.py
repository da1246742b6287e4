"""CMF: collective matrix factorisation (Singh and Gordon, KDD 2008), users shared by domains.

    score_d(u, i) = p_u . q_i^d

One vector for a user in all domains, one table of items for each; the domains' losses are added,
as for every model here. A user without a trace in a domain has the vector learned elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from micrec_core.baselines.contract import (
    KNOWN,
    Baseline,
    BaselineSettings,
    Embeddings,
    Noise,
    Tables,
)
from micrec_core.method.inputs import Link, ModelInputs
from micrec_core.method.profiles import Links


class Cmf(Baseline):
    """Matrix factorisation in which an overlapping user is one user."""

    family = "cross-domain"
    answers = KNOWN | {"cold-domain"}
    free = ("tables.", "users")
    uses_overlap = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        self.tables = nn.ModuleList(
            Tables(0, d.graph.n_items, settings.dim) for d in inputs.domains
        )
        links = {(a.source, a.target): (a.source_rows, a.target_rows) for a in inputs.links}
        rows = {pair: (x.cpu().numpy(), y.cpu().numpy()) for pair, (x, y) in links.items()}
        found = people([d.graph.n_users for d in inputs.domains], rows)
        self.person = [torch.from_numpy(part).to(inputs.device) for part in found]
        n = 1 + max(int(rows.max()) for rows in self.person)
        self.users = nn.Parameter(torch.empty(n, settings.dim))

    def clear_untrained(self, inputs: ModelInputs) -> None:
        """Of a person: without train interactions in any domain."""
        total = torch.zeros(len(self.users), device=inputs.device)
        with torch.no_grad():
            for d, domain in enumerate(inputs.domains):
                users, items = domain.graph.degrees()
                total.index_add_(0, self.person[d], users)
                self.table(d).items[items == 0] = 0.0
            self.users[total == 0] = 0.0

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """The persons' vectors at their rows in each domain."""
        return [
            Embeddings(torch.nn.functional.embedding(rows, self.users), self.table(d).items)
            for d, rows in enumerate(self.person)
        ]

    def cold_users(self, inputs: ModelInputs, link: Link) -> Tensor:
        """The vector that the source taught."""
        return self.users[self.person[link.source][link.source_rows]]


def people(sizes: Sequence[int], links: Links) -> list[NDArray[np.int64]]:
    """Per domain, int64 [n_users]: which person a row is; the same one where rows are linked.

    ``sizes``: number of users of each domain.
    """
    ends = np.cumsum(sizes)
    out = [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    for (source, target), (there, here) in sorted(links.items(), key=lambda link: link[0]):
        if source < target:
            out[target][here] = out[source][there]
    _, numbers = np.unique(np.concatenate(out), return_inverse=True)
    return [part.astype(np.int64) for part in np.split(numbers, ends[:-1])]
