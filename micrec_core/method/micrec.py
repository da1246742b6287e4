"""MICRec: inductive templates, modality-based aggregation, propagation, cross-domain links.

``embed`` and ``propagate`` read in the order of docs/method.md, sections 2 to 7, with its symbols:
t templates, e (initial) embeddings, e' after the aggregation, ê final. Tensors only: nothing here
knows an id, a file or a data frame.

Given the gate's weights, everything from templates to ê is linear. So every stage also runs on
embeddings that are kept apart by source, [n, S, dim] instead of [n, dim] (section 8): what came
from interactions stays in the slot ``id``, and each message goes to the slot of its modality.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from micrec_core.graphs.aggregation import aggregate
from micrec_core.graphs.bipartite import Dropout
from micrec_core.graphs.gathering import take, takeable
from micrec_core.graphs.propagation import light_gcn, light_gcn_rows, normalised
from micrec_core.method.gate import Gate
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs, Side

# Where the two learned numbers of a domain start: c of refined templates and k of own templates.
REFINE, OWN_TEMPLATE = 0.5, 1.0
# Parameters that were called otherwise in runs of before.
RENAMED = {"echo": "own_template"}
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Settings:
    """Which mechanisms there are, and their sizes (docs/method.md, section 14).

    ``templates`` off gives every user and item a free vector (LightGCN); ``modalities`` empty
    switches the aggregation off; without ``transfer`` nothing crosses domains, and of what does
    ``transferred`` lets a user's embedding of another domain in and ``bridged`` takes whoever is
    cold there over a bridge (section 11). ``refined`` items share their templates with items alike,
    ``own_template`` adds an item's own to its embedding. ``memory`` is no part of the embeddings:
    whoever answers with the model adds it to their products (section 12).
    """

    dim: int = 64
    layers: int = 2
    templates: bool = True
    modalities: tuple[str, ...] = ()
    transfer: bool = True
    own_template: bool = True
    memory: bool = True
    transferred: bool = True
    refined: bool = True
    bridged: bool = True
    init: float = 0.1


@dataclass(frozen=True)
class Embedded:
    """Embeddings of one domain before its propagation: float [n, dim], or [n, S, dim] by source.

    Attributes
    ----------
    user_templates, item_templates : t, what was learned (section 2), [n, dim] in any case
    template_users : e_u from the templates of this domain alone (sections 2 and 3)
    initial_users, initial_items : e, own templates of items and transfers added (4 and 5)
    aggregated_users, aggregated_items : e' (6)
    """

    user_templates: Tensor
    item_templates: Tensor
    template_users: Tensor
    initial_users: Tensor
    initial_items: Tensor
    aggregated_users: Tensor
    aggregated_items: Tensor


@dataclass(frozen=True)
class Encoded(Embedded):
    """Embeddings of one domain with the final ones, ê, after the propagation (section 7)."""

    users: Tensor
    items: Tensor


class DomainParameters(nn.Module):
    """Templates, global vectors, gates and the self-enhanced diagonal of one domain."""

    def __init__(self, n_users: int, n_items: int, settings: Settings):
        super().__init__()
        dim, n = settings.dim, len(settings.modalities)
        self.users = nn.Parameter(torch.empty(n_users, dim))
        self.items = nn.Parameter(torch.empty(n_items, dim))
        self.any_user = nn.Parameter(torch.zeros(dim))
        self.any_item = nn.Parameter(torch.zeros(dim))
        self.self_enhanced = nn.Parameter(torch.ones(dim))
        self.refine = nn.Parameter(
            torch.tensor(REFINE if settings.refined else 0.0), settings.refined
        )
        own = nn.Parameter(torch.tensor(OWN_TEMPLATE)) if settings.own_template else None
        self.own_template = own
        self.user_gate = Gate(n)
        self.item_gate = Gate(n)
        nn.Module.register_load_state_dict_pre_hook(self, _with_todays_names)


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
        n = len(sizes) if settings.transfer else 0
        self.transfer = nn.ModuleDict(
            {
                f"{a}-{b}": nn.Linear(settings.dim, settings.dim, bias=False)
                for a in range(n)
                for b in range(n)
                if a != b
            }
        )
        # What is switched off stays at 0, so that whoever takes it in has it for nothing.
        self.transfer.requires_grad_(settings.transferred)
        # Exponent of the template normalisation, annealed by the trainer and saved with the rest.
        self.alpha: Tensor
        self.register_buffer("alpha", torch.tensor(0.5))

    @property
    def sources(self) -> tuple[str, ...]:
        """The slots of embeddings kept apart by source, in order."""
        return ("id", *self.settings.modalities, *(("bridge",) if self.transfer else ()))

    def domain(self, d: int) -> DomainParameters:
        """The parameters of domain ``d``."""
        return cast(DomainParameters, self.domains[d])

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew from ``generator``, in the order of their names."""
        refine = REFINE if self.settings.refined else 0.0
        fixed = {"self_enhanced": 1.0, "refine": refine, "own_template": OWN_TEMPLATE}
        for name, parameter in sorted(self.named_parameters()):
            leaf = name.rsplit(".", 1)[-1]
            if "gate" in name:
                continue
            if leaf in fixed:
                nn.init.constant_(parameter, fixed[leaf])
            elif name.startswith("transfer"):
                nn.init.zeros_(parameter)
            else:
                with torch.no_grad():
                    parameter.normal_(0.0, self.settings.init, generator=generator)

    # The whole, in order -----------------------------------------------------------------------

    def forward(self, inputs: ModelInputs) -> list[Encoded]:
        """Embeddings of every domain."""
        found = []
        for domain, e in zip(inputs.domains, self.embed(inputs), strict=True):
            users, items = self.propagate(e.aggregated_users, e.aggregated_items, domain)
            found.append(Encoded(**vars(e), users=users, items=items))
        return found

    def embed(
        self,
        inputs: ModelInputs,
        drops: Sequence[Dropout] | None = None,
        by_source: bool = False,
    ) -> Iterator[Embedded]:
        """Embeddings before the propagation, domain after domain; ``drops`` (one each) in training.

        ``by_source`` keeps them apart (not meant for gradients). Of a million users that is
        gigabytes, so who needs little of each domain keeps little before the next one comes.
        """
        templates = [self.templates(d) for d in range(len(inputs.domains))]
        summed = deque(
            self.sum_templates(
                d, domain, *(self.templates(d, True) if by_source else templates[d]),
                None if drops is None else drops[d],
            )
            for d, domain in enumerate(inputs.domains)
        )  # fmt: skip
        transferred = deque(self.add_transfers([users for users, _ in summed], inputs.links))
        content = self._projected(inputs)
        for d, domain in enumerate(inputs.domains):
            of_domain = (*summed.popleft(), transferred.popleft())
            yield self._aggregated(d, domain, templates[d], of_domain, [c[d] for c in content])

    def _aggregated(
        self,
        d: int,
        domain: DomainInputs,
        templates: Pair,
        summed: tuple[Tensor, Tensor, Tensor],
        content: Sequence[list[Tensor]],
    ) -> Embedded:
        """``summed`` : e_u before transfers, e_i, e_u; ``content`` : P_m x of users and items."""
        own, (template_users, items, users) = self.domain(d), summed
        e_users, e_items = takeable(users), takeable(items)
        users = self.aggregate(e_users, domain.users, own.user_gate, content[0])
        items = self.aggregate(e_items, domain.items, own.item_gate, content[1])
        aggregated = takeable(users), takeable(items)
        return Embedded(*templates, template_users, e_users, e_items, *aggregated)

    # 2 to 4: templates -------------------------------------------------------------------------

    def templates(self, d: int, by_source: bool = False) -> Pair:
        """t of users and of items: [n, dim], or [n, S, dim] with all of it in the slot ``id``."""
        own = self.domain(d)
        if not by_source:
            return takeable(own.users), takeable(own.items)
        empty = own.users.new_zeros(1, len(self.sources), self.settings.dim)
        users, items = (empty.repeat(len(t), 1, 1) for t in (own.users, own.items))
        users[:, 0], items[:, 0] = own.users, own.items
        return users, items

    def refine(self, d: int, items: Side, templates: Tensor) -> Tensor:
        """t~_i = t_i + c sum_m beta_i^m sum_n S_in^m t_n (section 3, ours): as ``templates``.

        What an item says of its takers, items alike say in part too: they share what is learned, of
        which low-degree ones learn too little alone. beta are the gate's shares. Those of users
        are not refined: it helped no more.
        """
        own, refined = self.domain(d), templates
        if not self.settings.refined:
            return templates
        beta = own.refine * own.item_gate.shares(items.signals, items.has)
        for index, m in enumerate(self.settings.modalities):
            near = items.neighbours[m]
            refined = self._into(refined, m, aggregate, whole(templates), beta[:, index], near)
        return refined

    def sum_templates(
        self,
        d: int,
        inputs: DomainInputs,
        user_templates: Tensor,
        item_templates: Tensor,
        drop: Dropout | None = None,
    ) -> Pair:
        """Template embeddings of users and items (sections 2 and 4; INMO, eq. 4-5).

            e_u = (|N_u| + 1)^-alpha (sum over i in N_u of t~_i + g_U)
            e_i = (|N_i| + 1)^-alpha (sum over u in N_i of t_u + g_I) + k t_i

        The summand k t_i is ours: a score then holds how near the item is to what the user took, as
        in a factored item-item model (Kabbur et al., KDD 2013, eq. 4). An item that was not trained
        has no template. Without templates: the free vectors themselves.
        """
        if not self.settings.templates:
            return user_templates, item_templates
        own, graph = self.domain(d), inputs.graph.dropped(drop)
        refined = self.refine(d, inputs.items, item_templates)
        users = self._sum(graph.to_users, refined, inputs.users.degree, drop, own.any_user)
        items = self._sum(graph.to_items, user_templates, inputs.items.degree, drop, own.any_item)
        if own.own_template is not None:
            items = self._into(
                items, "id", Tensor.addcmul_, whole(item_templates), own.own_template
            )
        return users, items

    def _sum(
        self,
        gather: Callable[..., Tensor],
        templates: Tensor,
        degree: Tensor,
        drop: Dropout | None,
        anyone: Tensor,
    ) -> Tensor:
        """What ``gather`` brings of the templates and the global vector, normalised.

        ``degree`` [n] of who receives. What is dropped is made up for.
        """
        scale = (degree + 1.0) ** -self.alpha
        rescaled = scale if drop is None else scale * (1.0 / (1.0 - drop.rate))
        return self._into(gather(templates, rescaled), "id", Tensor.addr_, scale, anyone)

    # 5: transfer between domains ---------------------------------------------------------------

    def add_transfers(self, users: Sequence[Tensor], links: Sequence[Link]) -> list[Tensor]:
        """e_u^B <- e_u^B + W_AB e_u^A for users of both domains (section 5, ours).

        Still nothing but the user's interactions, hence inductive.
        """
        if not self.transfer or not self.settings.transferred:
            return list(users)
        before = [takeable(e) for e in users]
        after = list(before)
        for link in links:
            (there,) = take(whole(before[link.source]), link.source_rows)
            moved = self.transfer[f"{link.source}-{link.target}"](there)
            to, rows = after[link.target], link.target_rows
            after[link.target] = self._into(to, "bridge", torch.index_add, 0, rows, moved)
        return after

    # 6: modality-based aggregation -------------------------------------------------------------

    def aggregate(
        self,
        embedding: Tensor,
        side: Side,
        gate: Gate,
        content: Sequence[Tensor] | None = None,
        anchors: Tensor | None = None,
    ) -> Tensor:
        """e'_v = e_v + sum_m w_v^m (sum_n S_vn^m e_n + P_m x_v^m / (1 + degree_v)) (section 6).

        The projection fades with the degree, for on real data it memorises known users' items, and
        is trained by the loss that simulates new items alone.

        Parameters
        ----------
        embedding : float [n, dim], or [n, S, dim] by source
        content : P_m x one a modality, [n, dim]; by default of ``side``, without gradients
        anchors : e of those who may be neighbours, [n_anchors, dim]; by default ``embedding``
        """
        if not self.settings.modalities:
            return embedding
        if content is None:
            with torch.no_grad():
                content = self.content(side)
        anchors = whole(embedding) if anchors is None else anchors
        weights, fading = gate(side.signals, side.has), 1.0 / (1.0 + side.degree)
        for index, m in enumerate(self.settings.modalities):
            message = anchors, weights[:, index], side.neighbours[m], content[index], fading
            embedding = self._into(embedding, m, aggregate, *message)
        return embedding

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

    # 7: propagation ----------------------------------------------------------------------------

    def propagate(self, users: Tensor, items: Tensor, inputs: DomainInputs) -> Pair:
        """LightGCN eq. 3 and the mean over layers; an entity without edges keeps its embedding."""
        return light_gcn(inputs.graph, _degrees(inputs), users, items, self.settings.layers)

    def propagate_rows(
        self,
        inputs: DomainInputs,
        embedded: Embedded,
        users: Sequence[Tensor],
        items: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Rows of what ``propagate`` gives: by each list of users and of items, [n, dim]."""
        start = embedded.aggregated_users, embedded.aggregated_items
        degrees, layers = _degrees(inputs), self.settings.layers
        of_users, of_items = light_gcn_rows(inputs.graph, degrees, *start, layers, users, items)
        return of_users, of_items

    def layers(self, users: Tensor, items: Tensor, inputs: DomainInputs) -> Iterator[Pair]:
        """The layers of users and items that ``propagate`` takes the mean of, from 0 on."""
        yield users, items
        for _ in range(self.settings.layers):
            users, items = normalised(inputs.graph, _degrees(inputs), users, items)
            yield users, items

    # 9: as if brand-new ------------------------------------------------------------------------

    def new_items(self, d: int, embedded: Sequence[Embedded], items: Side) -> Tensor:
        """Embeddings of items of a domain as if each were brand-new, from features: [n, dim]."""
        own = self.domain(d)
        base = own.any_item.expand(len(items), -1)
        degree = items.unseen.expand(len(items), -1)[..., None]
        signals = torch.cat([items.signals[..., :-1], degree], -1)
        unseen = replace(items, degree=torch.zeros_like(items.degree), signals=signals)
        anchors = embedded[d].initial_items.detach()
        return self.aggregate(base, unseen, own.item_gate, self.content(items), anchors)

    def _into(
        self, x: Tensor, source: str, change: Callable[..., Tensor], *arguments: Any
    ) -> Tensor:
        """``change`` of x [n, dim]; of [n, S, dim], in the slot of ``source`` alone."""
        if x.ndim == 2:
            return change(x, *arguments)
        out, slot = x.clone(), self.sources.index(source)
        out[:, slot] = change(x[:, slot].contiguous(), *arguments)
        return out


def whole(x: Tensor) -> Tensor:
    """Embeddings [n, dim], where they are kept apart by source the sum over it."""
    return x if x.ndim == 2 else x.sum(1)


def _degrees(inputs: DomainInputs) -> Pair:
    return inputs.users.degree, inputs.items.degree


def _with_todays_names(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: object
) -> None:
    """Let parameters be read that were stored under the names of before."""
    for old, new in RENAMED.items():
        if prefix + old in state:
            state[prefix + new] = state.pop(prefix + old)
