"""A worker's part of a model and of what it is trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from micrec_core.graphs.aggregation import NeighbourRows
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs, Side
from micrec_core.training.workers.graph import SharedGraph, neighbours
from micrec_core.training.workers.owners import Layout
from micrec_core.training.workers.team import Team

# Parameters with a row for each user or item of a domain; the others are the same everywhere.
_TABLE = re.compile(r"domains\.(\d+)\.(users|items)")
Layouts = Sequence[tuple[Layout, Layout]]


def layout_of(parameter: str, layouts: Layouts) -> Layout | None:
    """Where the rows of a parameter are; None where every worker has it in whole."""
    found = _TABLE.fullmatch(parameter)
    return layouts[int(found[1])][found[2] == "items"] if found else None


def own_part(tensor: Tensor, layout: Layout | None, team: Team) -> Tensor:
    """This worker's rows; all of it where there is no layout."""
    return tensor if layout is None else tensor[layout.rows(team.rank)]


def together(tensor: Tensor, layout: Layout | None, team: Team) -> Tensor:
    """The whole of what ``own_part`` gave each worker, on the first; the others' own on others."""
    if layout is None:
        return tensor
    parts = team.gathered(tensor, layout.sizes, "gathering")
    if not parts:
        return tensor
    whole = tensor.new_empty((len(layout.owner), *tensor.shape[1:]))
    for worker, part in enumerate(parts):
        whole[layout.rows(worker)] = part
    return whole


def own_inputs(whole: ModelInputs, layouts: Layouts, team: Team) -> ModelInputs:
    """This worker's rows of both sides of every domain, with what they ask of the others."""
    domains = []
    for domain, (users, items) in zip(whole.domains, layouts, strict=True):
        graph = SharedGraph(domain.graph, (users, items), team)
        sides = (_own_side(domain.users, users, team), _own_side(domain.items, items, team))
        domains.append(DomainInputs(graph, *sides))
    links = tuple(_own_link(link, layouts, team) for link in whole.links)
    return ModelInputs(tuple(domains), links, whole.modalities)


def _own_side(side: Side, layout: Layout, team: Team) -> Side:
    part = side.take(layout.rows(team.rank))
    near = {}
    for m, found in part.neighbours.items():
        assert isinstance(found, NeighbourRows)
        near[m] = neighbours(found, layout, team)
    return replace(part, neighbours=near)


def _own_link(link: Link, layouts: Layouts, team: Team) -> Link:
    """The people of a link who are with this worker: both of their rows are."""
    source, target = layouts[link.source][0], layouts[link.target][0]
    mine = source.owner[link.source_rows] == team.rank
    return replace(
        link,
        source_rows=source.place[link.source_rows[mine]].long(),
        target_rows=target.place[link.target_rows[mine]].long(),
    )
