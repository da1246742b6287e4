"""MICRec: inductive templates, modality-based aggregation, propagation, cross-domain links.

INMO (Wu et al., SIGIR 2022) gives the templates, LightGCN (He et al., 2020) the propagation.
Equations of the aggregation, the gate and the cross-domain terms are ours; docs/method.md says
where each comes from. Tensors only: nothing here knows an id, a file or a data frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from micrec_core.graphs.lending import NeighbourGraph, NeighbourRows
from micrec_core.graphs.mixing import mix
from micrec_core.graphs.operators import Dropout
from micrec_core.graphs.propagation import light_gcn, light_gcn_rows
from micrec_core.graphs.shared import add_shared
from micrec_core.graphs.taking import take, takeable
from micrec_core.method.gate import Gate
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs, Side

# Where the learned refinement of templates starts, and how much of its own an item takes in.
REFINE, ECHO = 0.5, 1.0


@dataclass(frozen=True)
class Settings:
    """Which mechanisms there are, and their sizes (DESIGN 3.1 to 3.4).

    ``templates`` off gives every user and item a free vector (LightGCN); ``modalities`` empty
    switches the aggregation off; ``transfer`` lets a user's templates of another domain in;
    ``echo`` lets an item's own template into its embedding.
    """

    dim: int = 64
    layers: int = 2
    templates: bool = True
    modalities: tuple[str, ...] = ("text", "image")
    transfer: bool = True
    echo: bool = True
    init: float = 0.1


@dataclass(frozen=True)
class Mixed:
    """Embeddings of one domain before its propagation, each [n, dim].

    ``template_users``: E of 3.1 from this domain alone; ``own_users``, ``own_items``: with the
    transfer from other domains, what neighbours lend; ``mixed_users``, ``mixed_items``: after the
    aggregation, E'; ``user_vectors``, ``item_vectors``: the template vectors they were made of.
    """

    template_users: Tensor
    own_users: Tensor
    own_items: Tensor
    mixed_users: Tensor
    mixed_items: Tensor
    user_vectors: Tensor
    item_vectors: Tensor


@dataclass(frozen=True)
class Encoded(Mixed):
    """Embeddings of one domain: ``users``, ``items`` are the final ones, Ê of DESIGN 3.3."""

    users: Tensor
    items: Tensor


class DomainParameters(nn.Module):
    """Template vectors, global vectors, gates and the self-enhanced diagonal of one domain."""

    def __init__(self, n_users: int, n_items: int, settings: Settings):
        super().__init__()
        dim = settings.dim
        self.users = nn.Parameter(torch.empty(n_users, dim))
        self.items = nn.Parameter(torch.empty(n_items, dim))
        self.any_user = nn.Parameter(torch.zeros(dim))
        self.any_item = nn.Parameter(torch.zeros(dim))
        self.self_enhanced = nn.Parameter(torch.ones(dim))
        n = len(settings.modalities)
        # How much of their neighbours' template vectors items take in.
        self.refine = nn.Parameter(torch.tensor(REFINE))
        # How much of its own template an item takes in; nobody has it who takes in none.
        self.echo = nn.Parameter(torch.tensor(ECHO)) if settings.echo else None
        self.user_gate = Gate(n)
        self.item_gate = Gate(n)


class MICRec(nn.Module):
    """The full model and, by its settings, each of its variants.

    Parameters
    ----------
    sizes : (n_users, n_items) of each domain
    content_dims : modality -> width of its features
    """

    def __init__(
        self, sizes: list[tuple[int, int]], content_dims: dict[str, int], settings: Settings
    ):
        super().__init__()
        self.settings = settings
        self.domains = nn.ModuleList(DomainParameters(u, i, settings) for u, i in sizes)
        self.project = nn.ModuleDict(
            {m: nn.Linear(content_dims[m], settings.dim, bias=False) for m in settings.modalities}
        )
        pairs = (
            [(a, b) for a in range(len(sizes)) for b in range(len(sizes)) if a != b]
            if settings.transfer
            else []
        )
        self.transfer = nn.ModuleDict(
            {f"{a}-{b}": nn.Linear(settings.dim, settings.dim, bias=False) for a, b in pairs}
        )
        # Exponent of the template normalisation, annealed by the trainer and saved with the rest.
        self.alpha: Tensor
        self.register_buffer("alpha", torch.tensor(0.5))

    def domain(self, d: int) -> DomainParameters:
        """The parameters of domain ``d``."""
        return cast(DomainParameters, self.domains[d])

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew from ``generator``, in the order of their names."""
        for name, parameter in sorted(self.named_parameters()):
            leaf = name.rsplit(".", 1)[-1]
            if "gate" in name:
                continue
            if leaf == "self_enhanced":
                nn.init.ones_(parameter)
            elif leaf == "refine":
                nn.init.constant_(parameter, REFINE)
            elif leaf == "echo":
                nn.init.constant_(parameter, ECHO)
            elif name.startswith("transfer"):
                nn.init.zeros_(parameter)
            else:
                with torch.no_grad():
                    parameter.normal_(0.0, self.settings.init, generator=generator)

    # 3.1 ---------------------------------------------------------------------------------------

    def item_templates(self, d: int, inputs: DomainInputs) -> dict[str, Tensor]:
        """Refined item templates by source (ours): t~_i = t_i + c sum_m beta_im S_m t.

        What an item says of its takers, items alike say in part too: they share what is learned,
        of which low-degree ones learn too little alone. ``id`` holds t, a modality what neighbours
        in it bring; beta are the gate's shares. Those of users are not refined: it helped no more.
        """
        templates = self.domain(d).items
        parts = {
            m: share[:, None] * (neighbours @ templates)
            for m, share, neighbours in self._refinements(d, inputs.items)
        }
        return {"id": templates, **parts}

    def _refinements(
        self, d: int, items: Side
    ) -> Iterator[tuple[str, Tensor, NeighbourGraph | NeighbourRows]]:
        """Every modality with c beta_im, [n_items], and S_m."""
        if not self.settings.modalities:
            return
        own = self.domain(d)
        shares = own.refine * own.item_gate.shares(items.signals, items.has)
        for place, m in enumerate(self.settings.modalities):
            yield m, shares[:, place], items.neighbours[m]

    def _refined_items(self, d: int, inputs: DomainInputs, templates: Tensor) -> Tensor:
        """What ``item_templates`` add up to."""
        refined = templates
        for _, share, neighbours in self._refinements(d, inputs.items):
            refined = mix(refined, templates, share, neighbours)
        return refined

    def own_users(self, d: int, inputs: DomainInputs) -> dict[str, Tensor]:
        """Template embeddings of users by source; they add up to those of ``own``.

        The global vector is of the source ``id``.
        """
        own = self.domain(d)
        if not self.settings.templates:
            return {"id": own.users}
        return {
            source: self._sum_users(
                inputs, templates, own.any_user if source == "id" else None, None
            )
            for source, templates in self.item_templates(d, inputs).items()
        }

    def own(
        self,
        d: int,
        inputs: DomainInputs,
        drop: Dropout | None,
        vectors: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Template embeddings, e_u = r_u^-alpha (sum of t~_i over N_u + g_U), items symmetric.

        INMO eq. 4-5 with the exponent of its annealed normalisation; r counts the global vector.
        Items add k t_i (ours): a score then holds how near the item is to what the user took, as
        in a factored item-item model (Kabbur et al., KDD 2013, eq. 4). An item that was not
        trained has no template. Without templates: the free vectors themselves. ``vectors``: those
        of users and items, by default the parameters.
        """
        own = self.domain(d)
        of_users, of_items = vectors or (own.users, own.items)
        if not self.settings.templates:
            return of_users, of_items
        refined = self._refined_items(d, inputs, of_items)
        users = self._sum_users(inputs, refined, own.any_user, drop)
        rescale = _rescale(drop)
        scale = (inputs.items.degree + 1.0) ** -self.alpha
        ones = torch.ones_like(inputs.users.degree)
        items = inputs.graph.to_items(of_users, scale * rescale, ones, drop)
        echoed = () if own.echo is None else (of_items, own.echo)
        return users, add_shared(items, scale, own.any_item, *echoed)

    def _sum_users(
        self, inputs: DomainInputs, templates: Tensor, shared: Tensor | None, drop: Dropout | None
    ) -> Tensor:
        rescale = _rescale(drop)
        scale = (inputs.users.degree + 1.0) ** -self.alpha
        ones = torch.ones_like(inputs.items.degree)
        users = inputs.graph.to_users(templates, scale * rescale, ones, drop)
        return users if shared is None else add_shared(users, scale, shared)

    def add_transfer(
        self, own: list[tuple[Tensor, Tensor]], links: tuple[Link, ...]
    ) -> list[tuple[Tensor, Tensor]]:
        """Let overlapping users' templates of the source domain into the target (ours).

        e_u^B += W_AB e_u^A: still nothing but the user's interactions, hence inductive, and what
        a user cold in B has instead of templates of B.
        """
        if not self.transfer:
            return own
        givers = [takeable(u) for u, _ in own]
        users = list(givers)
        for link in links:
            (there,) = take(givers[link.source], link.source_rows)
            moved = self.transfer[f"{link.source}-{link.target}"](there)
            users[link.target] = users[link.target].index_add(0, link.target_rows, moved)
        return [(u, items) for u, (_, items) in zip(users, own, strict=True)]

    # 3.2 ---------------------------------------------------------------------------------------

    def content(self, side: Side) -> list[Tensor]:
        """P_m x of users or items, one a modality: [n, dim]."""
        return [self.project[m](side.content[m]) for m in self.settings.modalities]

    def _projected(self, inputs: ModelInputs) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """P_m x of users and of items in every domain, one a modality, without gradients.

        Users' features are sums of items', so what is projected of items can be summed instead.
        """
        with torch.no_grad():
            items = [self.content(domain.items) for domain in inputs.domains]
            together = [torch.cat(of_all) for of_all in zip(*items, strict=True)]
            users = []
            for side in (domain.users for domain in inputs.domains):
                names = zip(self.settings.modalities, together, strict=True)
                users.append(
                    [
                        side.sums[m] @ of_items
                        if m in side.sums
                        else self.project[m](side.content[m])
                        for m, of_items in names
                    ]
                )
        return users, items

    def aggregate(
        self,
        embedding: Tensor,
        lenders: Tensor,
        side: Side,
        gate: Gate,
        content: list[Tensor] | None = None,
    ) -> Tensor:
        """E' = E + sum_m w_m (S_m E + share(degree) P_m x): [n, dim].

        ``lenders`` are the embeddings that neighbours lend, [n_anchors, dim]. The projection
        fades as 1 / (1 + degree), for on real data it memorises known users' items, and is
        trained only by the loss that simulates new items, which gives it as ``content``; by
        default it is that of ``side`` without gradients.
        """
        if not self.settings.modalities:
            return embedding
        if content is None:
            with torch.no_grad():
                content = self.content(side)
        weights = gate(side.signals, side.has)
        share = 1.0 / (1.0 + side.degree)
        for index, m in enumerate(self.settings.modalities):
            graph, said = side.neighbours[m], content[index]
            embedding = mix(embedding, lenders, weights[:, index], graph, said, share)
        return embedding

    # 3.3 ---------------------------------------------------------------------------------------

    def propagate(
        self, users: Tensor, items: Tensor, inputs: DomainInputs
    ) -> tuple[Tensor, Tensor]:
        """LightGCN eq. 3 and the mean over layers; an entity without edges keeps its embedding."""
        degree = inputs.users.degree, inputs.items.degree
        return light_gcn(inputs.graph, degree, users, items, self.settings.layers)

    def propagate_rows(
        self,
        inputs: DomainInputs,
        mixed: Mixed,
        users: Sequence[Tensor],
        items: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Rows of what ``propagate`` gives: by each list of users and of items, [n, dim]."""
        degree = inputs.users.degree, inputs.items.degree
        tables = mixed.mixed_users, mixed.mixed_items
        return light_gcn_rows(inputs.graph, degree, *tables, self.settings.layers, users, items)

    def before_propagation(
        self, inputs: ModelInputs, drops: list[Dropout] | None = None
    ) -> list[Mixed]:
        """Embeddings of every domain before propagation; ``drops`` (one a domain) in training."""
        vectors = [
            (takeable(self.domain(d).users), takeable(self.domain(d).items))
            for d in range(len(inputs.domains))
        ]
        own = [
            self.own(d, domain, None if drops is None else drops[d], vectors[d])
            for d, domain in enumerate(inputs.domains)
        ]
        templates = [users for users, _ in own]
        own = self.add_transfer(own, inputs.links)
        of_users, of_items = self._projected(inputs)
        out = []
        for d, domain in enumerate(inputs.domains):
            gates = self.domain(d).user_gate, self.domain(d).item_gate
            users, items = map(takeable, own[d])
            mixed_users = self.aggregate(users, users, domain.users, gates[0], of_users[d])
            mixed_items = self.aggregate(items, items, domain.items, gates[1], of_items[d])
            mixed_users, mixed_items = takeable(mixed_users), takeable(mixed_items)
            out.append(Mixed(templates[d], users, items, mixed_users, mixed_items, *vectors[d]))
        return out

    def forward(self, inputs: ModelInputs) -> list[Encoded]:
        """Embeddings of every domain."""
        out = []
        for domain, mixed in zip(inputs.domains, self.before_propagation(inputs), strict=True):
            users, items = self.propagate(mixed.mixed_users, mixed.mixed_items, domain)
            out.append(Encoded(**vars(mixed), users=users, items=items))
        return out

    # 3.6 ---------------------------------------------------------------------------------------

    def alone_users(
        self, d: int, inputs: DomainInputs, encoded: list[Encoded], side: Side, rows: Tensor
    ) -> Tensor:
        """Final embeddings of users of one domain without anything from another: [n, dim].

        Templates of the domain, ``side`` with features inferred from its items alone, and the
        items' layers as they are; for whoever took nothing elsewhere, the embedding they have.
        """
        found = encoded[d]
        own = found.template_users[rows]
        mixed = self.aggregate(own, found.own_users, side, self.domain(d).user_gate)
        # Propagation is linear: what comes through the items stays, only E' of the user changes.
        mean = torch.where(inputs.users.degree[rows] > 0, 1.0 / (self.settings.layers + 1), 1.0)
        return found.users[rows] + mean[:, None] * (mixed - found.mixed_users[rows])

    def new_items(self, d: int, encoded: Sequence[Mixed], items: Side) -> Tensor:
        """Embeddings of items of a domain as if each were brand-new, from features: [n, dim]."""
        own = self.domain(d)
        base = own.any_item.expand(len(items), -1)
        signals = torch.stack([items.signals[..., 0], items.unseen.expand(len(items), -1)], -1)
        unseen = replace(items, degree=torch.zeros_like(items.degree), signals=signals)
        lenders = encoded[d].own_items.detach()
        return self.aggregate(base, lenders, unseen, own.item_gate, self.content(items))


def _rescale(drop: Dropout | None) -> float:
    """What keeps the expectation of a sum over edges as it is without dropout."""
    return 1.0 if drop is None else 1.0 / (1.0 - drop.rate)
