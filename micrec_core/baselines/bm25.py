"""Item neighbours by BM25-weighted co-occurrence (Robertson et al., TREC-3, 1994).

    S = W^T W,   score(u, i) = sum over j in N_u of S_ji

W as in ``method.cooccurrence``, j running over the ``nearest`` items most similar to i; users are
documents and items their terms, as in the public library ``implicit``. Options: ``nearest``,
``k1``, ``b``.
"""

from __future__ import annotations

import torch

from micrec_core.baselines.contract import Option
from micrec_core.baselines.itemknn import ItemKNN, most_similar
from micrec_core.method.cooccurrence import K1, B, bm25_weights
from micrec_core.method.knowledge import Knowledge


class Bm25(ItemKNN):
    """Products of weighted columns, the nearest items of each item."""

    options = (
        Option("nearest", 500, 1, 10_000),
        Option("k1", K1, 0, 1000),
        Option("b", B, 0, 1),
    )
    grid = ({}, {"k1": 1.2, "b": 0.75}, {"nearest": 50}, {"k1": 0.1, "b": 1})

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Similarities of each domain, CSC [n_items, n_items]."""
        told = self.settings.options
        self.similar = []
        for part in knowledge.domains:
            w = bm25_weights(part.train, told["k1"], told["b"])
            self.similar.append(most_similar(w.T, w, int(told["nearest"])))
