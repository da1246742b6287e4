"""One training step's loss: what is drawn, which terms there are, and how they are weighed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from micrec_core.config import TrainSettings
from micrec_core.graphs.bipartite import Dropout
from micrec_core.graphs.gathering import take
from micrec_core.method import contrast
from micrec_core.method.inputs import Link, ModelInputs
from micrec_core.method.micrec import Embedded, MICRec
from micrec_core.training import losses
from micrec_core.training.softmax import sampled_softmax

M = TypeVar("M")
Add = Callable[[str, float, Tensor], None]


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
        degrees = self.inputs.domains[d].users.degree[batch.users]
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
    """L = sum_d [ ranking + beta SE + lambda reg ] + gamma CL + new items + views + KL."""

    def __call__(
        self, batches: list[Batch], drops: list[Dropout] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Weighed terms by name; their sum is the loss."""
        known = self._known(batches)
        mixed = self.model.embed(known, drops)
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
            rows = [batch.users, *asked[d]], [batch.items, drawn]
            (users, *others), items = self.model.propagate_rows(known.domains[d], mixed[d], *rows)
            taken.append(others)
            self._domain_terms(d, batch, drawn, users, items, mixed, generator, add)
        for link, _ in pairs:
            a, b = taken[link.source].pop(0), taken[link.target].pop(0)
            loss = contrast.symmetric_info_nce(a, b, self.settings.temperature)
            add("contrast", self.settings.contrast, loss)
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
        drawn: Tensor,
        users: Tensor,
        items: list[Tensor],
        mixed: list[Embedded],
        generator: torch.Generator,
        add: Add,
    ) -> None:
        """The terms of one domain; ``users``, ``items``: final rows of the batch and ``drawn``."""
        settings, model, own = self.settings, self.model, mixed[d]
        positives, negatives = items
        weights = self._weights(d, batch)
        ranking = self.ranking(users, positives, negatives, batch.items, drawn, d, weights)
        add("ranking", 1.0, ranking)
        add("regularisation", settings.l2, losses.squared_length(users, positives, negatives))
        parameters = model.domain(d)
        if model.settings.templates and settings.self_enhanced > 0:
            paired = drawn
            if settings.loss != "bpr":
                paired = self._negatives(d, len(batch.users), generator)
            taken, untaken = take(own.item_templates, batch.items, paired)
            (takers,) = take(own.user_templates, batch.users)
            add(
                "self-enhanced",
                settings.self_enhanced,
                losses.self_enhanced(takers, taken, untaken, parameters.self_enhanced),
            )
        if model.settings.modalities:
            domain = self.inputs.domains[d]
            for gate, side in (
                (parameters.user_gate, domain.users),
                (parameters.item_gate, domain.items),
            ):
                add("gate", settings.gate, gate.divergence(side.signals, side.has))
            if settings.views > 0:
                add("views", settings.views, self._views(batch, own))
            if settings.new_items > 0:
                self._new_items(d, users.detach(), batch.items, drawn, weights, mixed, add)

    def _views(self, batch: Batch, own: Embedded) -> Tensor:
        """What neighbours lend told by the template that it goes with: MGCN's contrast of side
        information and behaviour (Yu et al., 2023), before the propagation."""
        n, heat = self.settings.contrast_batch, self.settings.temperature
        told = []
        for rows, mixed, templates in (
            (batch.users[:n], own.aggregated_users, own.initial_users),
            (batch.items[:n], own.aggregated_items, own.initial_items),
        ):
            rows, counted = contrast.distinct(rows)
            (there,), (here,) = take(templates, rows), take(mixed, rows)
            told.append(contrast.info_nce(here - there, there, heat, counted))
        return torch.stack(told).sum()

    def _new_items(
        self,
        d: int,
        users: Tensor,
        items: Tensor,
        drawn: Tensor,
        weights: Tensor | None,
        mixed: list[Embedded],
        add: Add,
    ) -> None:
        """Rank a part of the batch with every item as if it were brand-new."""
        n = self.settings.new_items_batch
        users, items = users[:n], items[:n]
        drawn = drawn[:n] if self.settings.loss == "bpr" else drawn
        asked = self.inputs.domains[d].items.take(torch.cat([items, drawn]))
        unseen = self.model.new_items(d, mixed, asked)
        positives, negatives = unseen.split([len(items), len(drawn)])
        weights = None if weights is None else weights[:n]
        ranking = self.ranking(users, positives, negatives, items, drawn, d, weights)
        add("new items", self.settings.new_items, ranking)

    def _pairs(self, generator: torch.Generator) -> list[tuple[Link, Tensor]]:
        """Links of two domains, each once, with the overlapping users drawn for the contrast."""
        links = self.inputs.links if self.settings.contrast > 0 else ()
        pairs = []
        for link in links:
            n = len(link.source_rows)
            if link.source < link.target and n > 1:
                order = torch.randperm(n, generator=generator, device=generator.device)
                pairs.append((link, order[: self.settings.contrast_batch]))
        return pairs
