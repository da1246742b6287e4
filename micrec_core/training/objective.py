"""One training step's loss: what is drawn, which terms there are, and how they are weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from micrec_core.config import TrainSettings
from micrec_core.graphs.bipartite import Dropout
from micrec_core.graphs.gathering import take
from micrec_core.method import contrast
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs
from micrec_core.method.micrec import Embedded, MICRec
from micrec_core.training import losses
from micrec_core.training.softmax import sampled_softmax

M = TypeVar("M")
Add = Callable[[str, float, Tensor], None]
# Rows of a contrast that counts for nothing.
FEWEST = 2


@dataclass(frozen=True)
class Batch:
    """Train pairs of one domain: int64 [batch] rows of users and items."""

    users: Tensor
    items: Tensor


class Ranker(Generic[M]):
    """What the losses of all models share: negatives, weights of the pairs, the ranking loss.

    Parameters
    ----------
    trained_items : per domain, int64 rows with train interactions; negatives come from these, so
        that withheld items are not taught to be bad
    """

    def __init__(
        self,
        model: M,
        inputs: ModelInputs,
        settings: TrainSettings,
        trained_items: list[Tensor],
    ):
        self.model = model
        self.inputs = inputs
        self.settings = settings
        self.trained_items = trained_items
        # Of whole domains, where ``inputs`` are one process's part.
        self.degrees = [domain.users.degree for domain in inputs.domains]
        self.links = inputs.links

    def _draw(self, n: int, upper: int, generator: torch.Generator) -> Tensor:
        return torch.randint(upper, (n,), generator=generator, device=generator.device)

    def _negatives(self, d: int, n: int, generator: torch.Generator) -> Tensor:
        pool = self.trained_items[d]
        return pool[self._draw(n, len(pool), generator)]

    def _batch_negatives(self, d: int, batch: Batch, generator: torch.Generator) -> Tensor:
        """One a pair for BPR, else as many as the settings say, shared by the batch."""
        bpr = self.settings.loss == "bpr"
        return self._negatives(d, len(batch.users) if bpr else self.settings.negatives, generator)

    def _weights(self, d: int, batch: Batch) -> Tensor | None:
        """Weights of the pairs, [batch]; None where all weigh the same."""
        if not self.settings.user_weight:
            return None
        degrees = self.degrees[d][batch.users]
        return losses.user_weights(degrees, self.settings.user_weight)

    def ranking(
        self,
        users: Tensor,
        positives: Tensor,
        negatives: Tensor,
        items: Tensor,
        drawn: Tensor,
        d: int,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The batch loss that the settings name, its pairs weighed."""
        if self.settings.loss == "bpr":
            return losses.bpr(users, positives, negatives, weights)
        n_items = len(self.trained_items[d])
        return sampled_softmax(users, positives, negatives, items, drawn, n_items, weights)


class Objective(Ranker[MICRec]):
    """L = sum_d [ ranking + beta SE + lambda reg ] + gamma CL + new items + views + KL.

    What several processes share among them (``training.workers``) is asked of a method each.
    """

    def mine(self, of_pairs: Tensor) -> Tensor:
        """This process's part of what a batch has for each of its pairs, [batch, ...]."""
        return of_pairs

    def count(self, n: int) -> int:
        """How many of the first ``n`` pairs of a batch are this process's."""
        return n

    def share(self, n: int) -> float:
        """The weight of a mean over this process's part of ``n`` pairs in that over all."""
        return 1.0

    def turn(self, k: int) -> float:
        """The weight of the ``k``-th contrast, in which all rows meet: 0 where another does it."""
        return 1.0

    def share_of_rows(self, d: int, kind: str) -> float:
        """The same of a mean over users or items, which ``kind`` says."""
        return 1.0

    def final_rows(
        self,
        d: int,
        known: DomainInputs,
        embedded: Embedded,
        users: list[Tensor],
        items: list[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Final embeddings by lists of rows of users and of items."""
        return self.model.propagate_rows(known, embedded, users, items)

    def rows(
        self, d: int, kind: str, tables: Sequence[Tensor], *rows: Tensor
    ) -> list[list[Tensor]]:
        """Rows of tables of users or items, of each table by each list."""
        return [take(table, *rows) for table in tables]

    def as_new(self, d: int, mixed: list[Embedded], items: Tensor) -> Tensor:
        """Embeddings of items, int64 [n], as if each were brand-new: [n, dim]."""
        asked = self.inputs.domains[d].items.take(items)
        return self.model.new_items(d, mixed, asked)

    def __call__(
        self, batches: list[Batch], drops: list[Dropout] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Weighed terms by name; their sum is the loss."""
        known = self._known(batches)
        mixed = list(self.model.embed(known, drops))
        terms: dict[str, Tensor] = {}

        def add(name: str, weight: float, value: Tensor) -> None:
            terms[name] = terms.get(name, torch.zeros((), device=value.device)) + weight * value

        pairs = self._pairs(generator)
        asked: list[list[Tensor]] = [[] for _ in batches]
        for link, picked in pairs:
            asked[link.source].append(link.source_rows[picked])
            asked[link.target].append(link.target_rows[picked])
        taken = []
        for d, batch in enumerate(batches):
            drawn = self._batch_negatives(d, batch, generator)
            mine = Batch(self.mine(batch.users), self.mine(batch.items))
            ranked = self.mine(drawn) if self.settings.loss == "bpr" else drawn
            rows = [mine.users, *asked[d]], [mine.items, ranked]
            (users, *others), items = self.final_rows(d, known.domains[d], mixed[d], *rows)
            taken.append(others)
            self._domain_terms(d, batch, mine, ranked, users, items, mixed, generator, add)
        for k, (link, _) in enumerate(pairs):
            a, b = taken[link.source].pop(0), taken[link.target].pop(0)
            loss = contrast.symmetric_info_nce(a, b, self.settings.temperature)
            add("contrast", self.turn(k) * self.settings.contrast, loss)
        return terms

    def _known(self, batches: list[Batch]) -> ModelInputs:
        """The inputs, without what is to be predicted where ``leave_out`` says so.

        An item of few users is told by its templates who took it, the user in question among
        them; asked for someone new to it, it is not (Zhu et al., 2023, "SpotTarget").
        """
        if not self.settings.leave_out:
            return self.inputs
        pairs = zip(self.inputs.domains, batches, strict=True)
        left = tuple(domain.without(batch.users, batch.items) for domain, batch in pairs)
        return replace(self.inputs, domains=left)

    def _domain_terms(
        self,
        d: int,
        batch: Batch,
        mine: Batch,
        drawn: Tensor,
        users: Tensor,
        items: list[Tensor],
        mixed: list[Embedded],
        generator: torch.Generator,
        add: Add,
    ) -> None:
        """The terms of one domain; ``users``, ``items``: final rows of ``mine`` and ``drawn``."""
        settings, model, own = self.settings, self.model, mixed[d]
        positives, negatives = items
        share, weights = self.share(len(batch.users)), self._weights(d, batch)
        weights = None if weights is None else self.mine(weights)
        ranking = self.ranking(users, positives, negatives, mine.items, drawn, d, weights)
        add("ranking", share, ranking)
        lengths = losses.squared_length(users, positives, negatives)
        add("regularisation", share * settings.l2, lengths)
        parameters = model.domain(d)
        if model.settings.templates and settings.self_enhanced > 0:
            paired = drawn
            if settings.loss != "bpr":
                paired = self.mine(self._negatives(d, len(batch.users), generator))
            taken, untaken = self.rows(d, "items", [own.item_templates], mine.items, paired)[0]
            ((takers,),) = self.rows(d, "users", [own.user_templates], mine.users)
            add(
                "self-enhanced",
                share * settings.self_enhanced,
                losses.self_enhanced(takers, taken, untaken, parameters.self_enhanced),
            )
        if model.settings.modalities:
            domain = self.inputs.domains[d]
            for kind, gate, side in (
                ("users", parameters.user_gate, domain.users),
                ("items", parameters.item_gate, domain.items),
            ):
                value = gate.divergence(side.signals, side.has)
                add("gate", self.share_of_rows(d, kind) * settings.gate, value)
            if settings.views > 0:
                add("views", self.turn(d) * settings.views, self._views(d, batch, own))
            if settings.new_items > 0:
                n = min(settings.new_items_batch, len(batch.users))
                self._new_items(d, n, users.detach(), mine.items, drawn, weights, mixed, add)

    def _views(self, d: int, batch: Batch, own: Embedded) -> Tensor:
        """What neighbours lend told by the template that it goes with: MGCN's contrast of side
        information and behaviour (Yu et al., 2023), before the propagation."""
        n, heat = self.settings.contrast_batch, self.settings.temperature
        n = n if self.turn(d) else FEWEST
        told = []
        for kind, rows, mixed, templates in (
            ("users", batch.users[:n], own.aggregated_users, own.initial_users),
            ("items", batch.items[:n], own.aggregated_items, own.initial_items),
        ):
            rows, counted = contrast.distinct(rows)
            (there,), (here,) = self.rows(d, kind, [templates, mixed], rows)
            told.append(contrast.info_nce(here - there, there, heat, counted))
        return torch.stack(told).sum()

    def _new_items(
        self,
        d: int,
        n: int,
        users: Tensor,
        items: Tensor,
        drawn: Tensor,
        weights: Tensor | None,
        mixed: list[Embedded],
        add: Add,
    ) -> None:
        """Rank the first ``n`` of the batch with every item as if it were brand-new."""
        share, n = self.share(n), self.count(n)
        users, items = users[:n], items[:n]
        drawn = drawn[:n] if self.settings.loss == "bpr" else drawn
        unseen = self.as_new(d, mixed, torch.cat([items, drawn]))
        positives, negatives = unseen.split([len(items), len(drawn)])
        weights = None if weights is None else weights[:n]
        ranking = self.ranking(users, positives, negatives, items, drawn, d, weights)
        add("new items", share * self.settings.new_items, ranking)

    def _pairs(self, generator: torch.Generator) -> list[tuple[Link, Tensor]]:
        """Links of two domains, each once, with the overlapping users drawn for the contrast."""
        links = self.links if self.settings.contrast > 0 else ()
        pairs: list[tuple[Link, Tensor]] = []
        for link in links:
            n = len(link.source_rows)
            if link.source < link.target and n > 1:
                order = torch.randperm(n, generator=generator, device=generator.device)
                most = self.settings.contrast_batch if self.turn(len(pairs)) else FEWEST
                pairs.append((link, order[:most]))
        return pairs
