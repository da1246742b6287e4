"""Which worker owns which rows of a table, and how the others come by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from micrec_core.graphs.gathering import take
from micrec_core.method.inputs import Link
from micrec_core.training.workers.team import Team


@dataclass(frozen=True)
class Layout:
    """Where the rows of a table are: the rows of a worker stand in the order of the whole table.

    Attributes
    ----------
    owner : int64 [n], the worker
    place : int32 [n], the row among those of its owner
    sizes : rows of each worker
    """

    owner: Tensor
    place: Tensor
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, owner: Tensor, workers: int) -> Layout:
        """The layout in which every row is with its owner, int64 [n]."""
        order = torch.argsort(owner, stable=True)
        sizes = torch.bincount(owner, minlength=workers)
        first = (sizes.cumsum(0) - sizes)[owner[order]]
        place = torch.empty(len(owner), dtype=torch.int32)
        place[order] = (torch.arange(len(owner)) - first).int()
        return cls(owner, place, tuple(sizes.tolist()))

    def rows(self, worker: int) -> Tensor:
        """The rows that a worker owns, int64, ascending."""
        return torch.nonzero(self.owner == worker).flatten()


def owners(
    sizes: Sequence[tuple[int, int]], links: Sequence[Link], workers: int
) -> list[tuple[Layout, Layout]]:
    """Layouts of the users and of the items of every domain: rows in turn over the workers.

    The rows of one person in several domains are with one worker, so that what crosses domains
    crosses no machines.

    Parameters
    ----------
    sizes : (n_users, n_items) of each domain
    links : of whole domains
    """
    users = [torch.arange(n) % workers for n, _ in sizes]
    for target in range(len(sizes)):
        for link in links:
            if link.target == target and link.source < target:
                users[target][link.target_rows] = users[link.source][link.source_rows]
    return [
        (Layout.of(own, workers), Layout.of(torch.arange(n) % workers, workers))
        for own, (_, n) in zip(users, sizes, strict=True)
    ]


class Asked:
    """Rows of a table that are asked of their owners once and then brought as often as wanted.

    Attributes
    ----------
    given : int64, this worker's rows that others (and itself) asked for, worker by worker
    n : how many rows ``bring`` gives
    """

    def __init__(self, team: Team, given: Tensor, to: list[int], of: list[int], what: str):
        self.team, self.given, self.what = team, given, what
        self._to, self._of = to, of
        self.n = sum(of)

    @classmethod
    def of(cls, team: Team, layout: Layout, rows: Tensor, what: str) -> tuple[Asked, Tensor]:
        """Ask for rows of the whole table, int64 [n], each once however often it is among them.

        Returns
        -------
        what brings them, and where each of ``rows`` will be among what is brought, int64 [n]
        """
        distinct, places = torch.unique(rows, return_inverse=True)
        owner = layout.owner[distinct]
        order = torch.argsort(owner, stable=True)
        at = torch.empty_like(order)
        at[order] = torch.arange(len(order))
        counts = torch.bincount(owner, minlength=team.size)
        ones = [1] * team.size
        to = team.exchange(counts, ones, ones, "asking").tolist()
        wanted = layout.place[distinct[order]]
        given = team.exchange(wanted, counts.tolist(), to, "asking")
        return cls(team, given.long(), to, counts.tolist(), what), at[places]

    def bring(self, table: Tensor) -> Tensor:
        """This worker's rows of a table to what was asked for: [n_own, dim] -> [n, dim].

        Gradients go back to the owners, who add them up.
        """
        (given,) = take(table, self.given)
        return self.swap(given)

    def swap(self, given: Tensor) -> Tensor:
        """The same where what is of ``given`` was computed: [len(given), dim] -> [n, dim]."""
        found: Tensor = _Swapped.apply(given, self)
        return found

    def _forth(self, rows: Tensor) -> Tensor:
        return self.team.exchange(rows, self._to, self._of, self.what)

    def _back(self, rows: Tensor) -> Tensor:
        return self.team.exchange(rows, self._of, self._to, self.what + ", gradients")


class _Swapped(torch.autograd.Function):
    """Every worker makes the same graph, and so the engine calls back in one order on all."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, asked: Asked) -> Tensor:
        ctx.asked = asked
        return asked._forth(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.asked._back(gradient), None
