"""FREEDOM: a frozen graph between items, a pruned graph of interactions (Zhou and Shen, MM 2023).

    S = share S_image + (1 - share) S_text,   S_m: k nearest items, equal weights, never learned
    u = LGC_u,   i = LGC_i + S q_i,   score = u . i
    loss = ranking(u, i) + weight sum_m ranking(u, x_im W_m)

LGC is LightGCN; in training it runs on a share 1 - ``drop`` of the edges, drawn anew each epoch
with probability in proportion to 1 / sqrt(d_u d_i). Options: ``image_share``, ``drop``,
``weight``, ``train_features``. The neighbours are those that MICRec takes. Modalities
without an option for their share have equal parts of what is left.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from micrec_core.baselines.contract import (
    KNOWN,
    TRAIN_FEATURES,
    Baseline,
    BaselineSettings,
    Embeddings,
    Noise,
    Option,
    Step,
)
from micrec_core.baselines.layers import Content, degrees, uniform_neighbours
from micrec_core.graphs.aggregation import NeighbourGraph
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.graphs.propagation import light_gcn
from micrec_core.method.configurations import FALLING
from micrec_core.method.inputs import ModelInputs

# What the name of an option that is a modality's share ends with.
_SHARE = "_share"


class Freedom(Baseline):
    """LightGCN with what similar items have learned added to each item."""

    family = "multimodal"
    options = (
        Option("image_share", 0.1, 0, 1),
        Option("drop", 0.8, 0, 0.95),
        Option("weight", 1e-3, 0, 1),
        TRAIN_FEATURES,
    )
    grid = ({}, {"drop": 0.5}, FALLING, {"weight": 0.1})
    answers = KNOWN | {"new-users", "new-items"}
    uses_features = True

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__(inputs, settings)
        self.content = Content(inputs, settings.dim, bool(settings.options["train_features"]))
        shares = {
            name.removesuffix(_SHARE): value
            for name, value in settings.options.items()
            if name.endswith(_SHARE)
        }
        others = [m for m in inputs.modalities if m not in shares]
        shares |= dict.fromkeys(others, (1.0 - sum(shares.values())) / max(len(others), 1))
        self.similar = [
            uniform_neighbours(
                cast(dict[str, NeighbourGraph], d.items.neighbours),
                shares,
            )
            for d in inputs.domains
        ]
        self.pruned: list[BipartiteGraph] = []

    def start_epoch(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """Draw the edges that stay."""
        drop = self.settings.options["drop"]
        self.pruned = [prune(d.graph, drop, generator) for d in inputs.domains]

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """On the pruned graphs in training, on the whole ones otherwise."""
        out = []
        for d, domain in enumerate(inputs.domains):
            graph, degree, own = domain.graph, degrees(domain), self.table(d)
            if noise is not None:
                graph = self.pruned[d]
                degree = graph.degrees()
            users, items = light_gcn(graph, degree, own.users, own.items, self.settings.layers)
            out.append(Embeddings(users, items + self.similar[d] @ own.items))
        return out

    def loss(self, step: Step, found: list[Embeddings]) -> dict[str, Tensor]:
        """Ranking by embeddings and, a little, by each projected modality."""
        terms = super().loss(step, found)
        side, users = step.inputs.domains[step.d].items, found[step.d].users
        weight = self.settings.options["weight"]
        parts = [step.rank(users, self.content(m, step.d, side)) for m in step.inputs.modalities]
        return terms | {"content": weight * torch.stack(parts).sum()}


def prune(graph: BipartiteGraph, drop: float, generator: torch.Generator) -> BipartiteGraph:
    """A share 1 - ``drop`` of the edges, without replacement, weighed by 1 / sqrt(d_u d_i).

    By the Gumbel keys log w + G, whose largest are such a sample.
    """
    rows, columns = (ends.cpu().numpy() for ends in (graph.pattern.rows, graph.pattern.indices))
    of_users, of_items = (degree.cpu().numpy() for degree in graph.degrees())
    log_weight = -0.5 * np.log(of_users[rows] * of_items[columns])
    uniform = torch.rand(len(rows), generator=generator).clamp(min=1e-20)
    keys = torch.from_numpy(log_weight) - torch.log(-torch.log(uniform))
    keep = torch.topk(keys, max(1, round(len(rows) * (1.0 - drop)))).indices.numpy()
    kept = sparse.csr_matrix(
        (np.ones(len(keep), np.float32), (rows[keep], columns[keep])),
        shape=(graph.n_users, graph.n_items),
    )
    return BipartiteGraph(kept, graph.device)
