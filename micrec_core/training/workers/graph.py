"""A worker's rows of the graph of a domain, and what they need of other workers' rows."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from micrec_core.graphs.aggregation import Brought, NeighbourGraph, NeighbourRows
from micrec_core.graphs.bipartite import BipartiteGraph, Dropout
from micrec_core.graphs.sparse import Pattern, SparseMatrix
from micrec_core.training.workers.owners import Asked, Layout
from micrec_core.training.workers.team import Team

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Received:
    """The edges by which a worker's users, or its items, receive; rows are those of the domain.

    Attributes
    ----------
    pattern : [rows of this worker, rows that it asks for]
    to, of : int64 [n_edges], who receives and of whom
    size : of whom anyone may receive
    asked : what brings the senders here
    kept : float32 [n_edges], 0 for an edge that is left out
    """

    pattern: Pattern
    to: Tensor
    of: Tensor
    size: int
    asked: Asked
    kept: Tensor | None = None

    @classmethod
    def cut(cls, whole: Pattern, layouts: tuple[Layout, Layout], team: Team) -> Received:
        """Those of this worker, of a pattern [receivers, senders]; ``layouts`` of both."""
        mine = layouts[0].owner[whole.rows.long()] == team.rank
        to, of = whole.rows[mine].long(), whole.indices[mine].long()
        indptr = torch.zeros(layouts[0].sizes[team.rank] + 1, dtype=torch.int32)
        degrees = torch.bincount(layouts[0].place[to], minlength=len(indptr) - 1)
        indptr[1:] = degrees.cumsum(0)
        asked, places = Asked.of(team, layouts[1], of, "propagation")
        return cls(Pattern(indptr, places.int(), asked.n), to, of, whole.n_cols, asked)

    def without(self, to: Tensor, of: Tensor) -> Received:
        """Without these edges of the domain, int64 [n] each, as far as they are here."""
        keys, left = self.to * self.size + self.of, to * self.size + of
        at = torch.searchsorted(keys, left).clamp(max=max(len(keys) - 1, 0))
        kept = torch.ones(len(keys))
        if len(keys):
            kept[at[keys[at] == left]] = 0.0
        return self.only(kept)

    def only(self, kept: Tensor) -> Received:
        """Less what ``kept`` [n_edges] has as 0."""
        return replace(self, kept=kept if self.kept is None else self.kept * kept)

    def degrees(self) -> Tensor:
        """Of this worker's rows, float32."""
        if self.kept is None:
            return self.pattern.indptr.diff().float()
        rows = self.pattern.rows
        return self.kept.new_zeros(self.pattern.n_rows).index_add_(0, rows, self.kept)

    def matrix(self, values: Tensor | None, thin: bool) -> Brought:
        """The edges' values [n_edges], ones by default, as what is multiplied with a table."""
        values = torch.ones(len(self.to)) if values is None else values
        return Brought(SparseMatrix(self.pattern, values, thin), self.asked.bring)


class SharedGraph(BipartiteGraph):
    """This worker's rows of a graph: tables that it is multiplied with are this worker's rows.

    Edges that are left out or dropped are those of the whole graph, by the domain's rows, so that
    they are the same however many workers there are.
    """

    def __init__(self, whole: BipartiteGraph, layouts: tuple[Layout, Layout], team: Team):
        self.n_users, self.n_items = (layout.sizes[team.rank] for layout in layouts)
        self.device = whole.device
        self._degrees = whole.degrees()
        users, items = layouts
        self._users = Received.cut(whole.pattern, (users, items), team)
        self._items = Received.cut(whole.pattern.transposed[0], (items, users), team)
        self._thin = False
        self._steps: tuple[Brought, Brought] | None = None

    def without(self, users: Tensor, items: Tensor) -> SharedGraph:
        """What is left without edges of the domain, int64 [n] each."""
        left = self._with(self._users.without(users, items), self._items.without(items, users))
        left._degrees = (_less(self._degrees[0], users), _less(self._degrees[1], items))
        return left

    def dropped(self, drop: Dropout | None) -> SharedGraph:
        """What a dropout leaves; the graph itself without one."""
        if drop is None:
            return self
        ends = (self._users.to, self._users.of), (self._items.of, self._items.to)
        kept = [drop.keep(*pair).float() for pair in ends]
        left = self._with(self._users.only(kept[0]), self._items.only(kept[1]))
        left._thin = True
        return left

    def degrees(self) -> Pair:
        """Float degrees of this worker's users and items."""
        return self._users.degrees(), self._items.degrees()

    def normalised(self, degree: Pair) -> tuple[SparseMatrix | Brought, ...]:
        """The whole graph's D^-1/2 R D^-1/2 to this worker's users, its transposed to items.

        ``degree`` is that of this worker's rows; the ends of their edges are known here.
        """
        if self._steps is None:
            users, items = (d.clamp(min=1.0) ** -0.5 for d in self._degrees)
            steps = []
            for part, of_users, of_items in (
                (self._users, self._users.to, self._users.of),
                (self._items, self._items.of, self._items.to),
            ):
                values = users[of_users] if part.kept is None else part.kept * users[of_users]
                steps.append(part.matrix(values * items[of_items], self._thin))
            self._steps = steps[0], steps[1]
        return self._steps

    def to_users(
        self, x: Tensor, users: Tensor | None = None, items: Tensor | None = None
    ) -> Tensor:
        """diag(users) R x, ``users`` of this worker's rows."""
        return self._send(self._users, x, users)

    def to_items(
        self, x: Tensor, items: Tensor | None = None, users: Tensor | None = None
    ) -> Tensor:
        """diag(items) R^T x, ``items`` of this worker's rows."""
        return self._send(self._items, x, items)

    def _send(self, part: Received, x: Tensor, scale: Tensor | None) -> Tensor:
        values = part.kept
        if scale is not None:
            of_edges = scale.index_select(0, part.pattern.rows)
            values = of_edges if values is None else values * of_edges
        return part.matrix(values, self._thin) @ x

    def _with(self, users: Received, items: Received) -> SharedGraph:
        left = copy.copy(self)
        left._users, left._items, left._steps = users, items, None
        return left


def _less(degrees: Tensor, rows: Tensor) -> Tensor:
    return degrees.index_add(0, rows, -torch.ones(len(rows)))


def neighbours(near: NeighbourRows, layout: Layout, team: Team) -> Brought:
    """Neighbours of this worker's rows, who are rows of the whole table, brought here."""
    there = near.weights != 0
    wanted = near.near[there].long()
    # A table has a row at least: where there is no neighbour, that of weight 0 is any.
    rows = torch.cat([wanted, layout.rows(team.rank)[:1]]) if not len(wanted) else wanted
    asked, places = Asked.of(team, layout, rows, "neighbours")
    here = torch.full(near.near.shape, -1)
    here[there] = places[: len(wanted)]
    graph = NeighbourGraph(here.numpy(), near.weights.numpy(), asked.n)
    return Brought(graph, asked.bring)
