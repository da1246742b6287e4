"""What the workers of a training send each other and hold, by arithmetic.

``step`` is exact where the rows are counted, which a test holds against what a training counted;
``docs/scale.md`` has it with the most rows that there can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.benchmarks.arithmetic import FLOAT, INDEX, TEN_MILLION, World, training

COUNT = 8
# Asked in a step and domain: rows of the batch, final and as templates, of users and of items;
# those of the contrast within the domain; items as if they were new.
ASKS = 7
# Bytes a second that an Ethernet of 25 Gbit/s carries.
NETWORK = 25e9 / 8
# Every edge, in each direction: its column in the worker's matrix and in the transposed one, the
# rows of both ends and the entry's place (int64 each), its row, and three values.
EDGE = 2 * (2 * INDEX + 3 * 8 + INDEX + 3 * FLOAT)
# In whole on every worker: of each train pair both rows and its place in an epoch's order, of each
# row its owner, its place there and its degree.
PAIR, ROW = 3 * 8, 8 + INDEX + FLOAT


@dataclass(frozen=True)
class Rows:
    """Rows that a worker asks of the others (``asked``) or gives them, over all domains.

    Attributes
    ----------
    graph : users and items at the other ends of its edges
    users, items : neighbours of its users and of its items, over all modalities
    batch : rows of every ask of a step, added up, once for each table that they are brought of
    """

    graph: int
    users: int
    items: int
    batch: int


@dataclass(frozen=True)
class Sizes:
    """What does not hang on the rows: workers, domains, width, parameters in whole, terms."""

    workers: int
    domains: int
    parameters: int
    terms: int
    dim: int = 64
    layers: int = 2
    asks: int = ASKS


def step(sizes: Sizes, given: Rows, asked: Rows, distinct: int) -> dict[str, int]:
    """Bytes that a worker sends in a step, by what for.

    Parameters
    ----------
    given, asked : rows sent on the way forward, and rows whose gradients are sent back
    distinct : rows of the batch that it asks others for, those of two tables once
    """
    row, others = sizes.dim * FLOAT, sizes.workers - 1
    passes = 1 + sizes.layers  # sums of templates, and a step for each layer
    return {
        "propagation": passes * given.graph * row,
        "propagation, gradients": passes * asked.graph * row,
        # Of items in refined templates, in the aggregation and, without gradient, as if new.
        "neighbours": (given.users + 3 * given.items) * row,
        "neighbours, gradients": (asked.users + 2 * asked.items) * row,
        "batch": given.batch * row,
        "batch, gradients": asked.batch * row,
        "asking": distinct * INDEX + sizes.asks * sizes.domains * COUNT * others,
        "gradients": sizes.parameters * FLOAT * others,
        "terms": (sizes.terms + 1) * FLOAT * others,
    }


def most(world: World, workers: int) -> Rows:
    """The most rows that a worker can ask others for, on average: all of theirs, or one an edge."""
    elsewhere = 1 - 1 / workers
    edges = world.edges / workers

    def reached(rows: int, entries: float) -> int:
        return round(min(rows, entries) * elsewhere)

    near = world.neighbours / workers * len(world.content)
    pairs, drawn = world.batch / workers, world.negatives * 2
    # Final rows and templates of users and of items, twice drawn; as new, of 2,048 a domain.
    batch = 4 * pairs + 3 * drawn + 2 * 2048 / workers
    return Rows(
        reached(world.users, edges) + reached(world.items, edges),
        reached(world.users, near * world.users),
        reached(world.items, near * world.items),
        round(batch * elsewhere),
    )


def held(world: World, workers: int) -> float:
    """Bytes on a worker amid a training: its share of a training's, and what it has in whole."""
    if workers == 1:
        alone = training(replace(world, edge_values=True))
        return sum(alone.values()) + PAIR * world.edges
    share = replace(
        world,
        users=world.users // workers,
        items=world.items // workers,
        edges=world.edges // workers,
        batch=world.batch // workers,
        edge_bytes=0,
    )
    parts = training(share)
    parts["interactions, both directions"] = EDGE * share.edges
    # Rows on their way: given, and brought.
    brought = 2 * most(world, workers).graph * world.dim * FLOAT
    whole = PAIR * world.edges + ROW * world.rows
    return sum(parts.values()) + brought + whole


TEXT = replace(TEN_MILLION, content=(128,), blocked=True)
MACHINES = (1, 8, 64)


def table() -> str:
    """The rows of the table in ``docs/scale.md``: of one step on so many machines."""
    lines = []
    for workers in MACHINES:
        parameters = 128 * 64 + 2 * 64 * 64 + 2 * (3 * 64 + 2)
        sizes = Sizes(workers, 2, parameters, 7)
        rows = most(TEXT, workers)
        sent = step(sizes, rows, rows, rows.batch)
        gb = {name: sent[name] / 1e9 for name in sent}
        graph = gb["propagation"] + gb["propagation, gradients"]
        near = gb["neighbours"] + gb["neighbours, gradients"]
        rest = sum(gb.values()) - graph - near
        total = sum(sent.values())
        lines.append(
            f"| {workers} | {graph:.1f} | {near:.1f} | {rest:.1f} | {total / 1e9:.1f} "
            f"| {total / NETWORK:.1f} | {held(TEXT, workers) / 1e9:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(table() + "\n")
