"""How much memory a training needs, by arithmetic: what ``docs/scale.md`` says, and what holds it.

Rows are those of all domains together: a user of two domains has two rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FLOAT, INDEX = 4, 4


@dataclass(frozen=True)
class World:
    """Sizes of a training.

    Attributes
    ----------
    users, items : rows, over all domains
    edges : train interactions
    content : width of the dense features of each modality
    float_bytes : of activations; parameters and what Adam keeps are float32
    index_bytes : of an index in the graphs
    edge_values : whether the interactions carry a value each, as torch's sparse matrices do
    edge_bytes : of an interaction beside both matrices
    blocked : whether scores of a batch are made block by block, as on a CPU
    recomputed : whether the modalities' messages are made anew in backward and not kept
    averaged : whether the mean of the parameters is kept
    """

    users: int
    items: int
    edges: int
    content: tuple[int, ...] = ()
    dim: int = 64
    neighbours: int = 10
    batch: int = 2**20
    negatives: int = 512
    float_bytes: int = FLOAT
    index_bytes: int = INDEX
    edge_values: bool = False
    edge_bytes: int = 0
    blocked: bool = False
    recomputed: bool = False
    averaged: bool = True

    @property
    def rows(self) -> int:
        return self.users + self.items


def training(world: World) -> dict[str, float]:
    """Bytes held at the peak of a step of MICRec (INMO without ``content``), by what holds them."""
    table = world.rows * world.dim * FLOAT
    active = world.rows * world.dim * world.float_bytes
    modalities = len(world.content)
    entry = world.index_bytes + (FLOAT if world.edge_values else 0)
    links = world.rows * world.neighbours * (world.index_bytes + FLOAT)
    # Own embeddings, with what comes from other domains, mixed with the modalities', final.
    kept = (4 if modalities else 3) + (0 if world.recomputed else modalities)
    # In backward: the gradient of the final ones, Horner's two tables of the propagation, that of
    # what it began from, and one on its way.
    moving = 5
    return {
        "parameters": table,
        "gradients": table,
        "moments of Adam": 2 * table,
        "mean of the parameters": table if world.averaged else 0,
        "best parameters so far": table,
        "interactions, both directions": (2 * entry + world.edge_bytes) * world.edges
        + 2 * INDEX * world.rows,
        "content": sum(world.content) * world.rows * world.float_bytes,
        "neighbours, both directions": 2 * modalities * (links + INDEX * world.rows),
        "activations kept for backward": kept * active,
        "tables of backward": moving * active,
        "scores and vectors of a batch": world.batch
        * ((0 if world.blocked else world.negatives) + 5 * world.dim)
        * world.float_bytes,
    }


# What a GPU has of an edge beside that: the pair and its place in the epoch's order; the key and
# the place by which a batch is found, factors for what is left out and for what is dropped, two
# more matrices of values in each direction, and three numbers of 64 bits while a step's dropout is
# drawn (``graphs/bipartite.py``).
ON_DEVICE = 24 + 16 + 2 * FLOAT + 4 * FLOAT + 24
# Ten million users, two million items, 200 million interactions, as the sample generator shares
# them out; the columns of the table in docs/scale.md.
TEN_MILLION = World(14_500_000, 2_000_000, 150_000_000)
PLANS = {
    "INMO": TEN_MILLION,
    # An entry's column, row and value are as many bytes as an int64 index and a value.
    "text, as the code is": replace(
        TEN_MILLION, content=(128,), index_bytes=8, edge_values=True, edge_bytes=ON_DEVICE
    ),
    "text and pictures (512 wide)": replace(TEN_MILLION, content=(128, 512)),
    "text and pictures, made to fit": replace(
        TEN_MILLION, content=(128, 512), float_bytes=2, recomputed=True, averaged=False
    ),
}


def table() -> str:
    """The rows of that table, in GB."""
    parts = {name: training(world) for name, world in PLANS.items()}
    lines = [
        f"| {what} | " + " | ".join(f"{p[what] / 1e9:.1f}" for p in parts.values()) + " |"
        for what in parts["INMO"]
    ]
    totals = " | ".join(f"**{total(p):.0f}**" for p in parts.values())
    return "\n".join([*lines, f"| **in all** | {totals} |"])


def total(parts: dict[str, float]) -> float:
    """Gigabytes (10^9 bytes) in all."""
    return sum(parts.values()) / 1e9
