"""A score as it grows along the fold-in: what each stage of a user's computation adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from micrec_core.method.foldin import (
    CONTENT,
    NEIGHBOURS,
    PROPAGATION,
    TEMPLATES,
    Block,
    Folded,
    Vectors,
)
from micrec_core.names import MEMORY
from micrec_core.serving.what_if import BRIDGE

STAGES = (TEMPLATES, CONTENT, NEIGHBOURS, BRIDGE, PROPAGATION, MEMORY)


@dataclass(frozen=True)
class Stage:
    """What one stage adds to the score of an item.

    Attributes
    ----------
    name : of ``STAGES``
    parts : source -> what its vectors add; all parts of all stages add up to the score
    contributors : of how many items and users these vectors are
    so_far : float64 [dim], the user's vector after it
    """

    name: str
    parts: dict[str, float]
    contributors: int
    so_far: Vectors

    @property
    def adds(self) -> float:
        """All of it."""
        return sum(self.parts.values())


def flow(user: Folded, item: Folded, sources: Sequence[str], memory: float | None) -> list[Stage]:
    """The stages that have anything, in the order of the computation.

    Parameters
    ----------
    memory : what it adds; None where the model has none
    """
    vector = item.vector()
    parts: dict[str, dict[str, float]] = {name: {} for name in STAGES}
    counts = dict.fromkeys(STAGES, 0)
    vectors = {name: np.zeros_like(vector) for name in STAGES}
    for block in user.blocks:
        name = _stage(block, user.degree)
        brought = block.vectors.sum(axis=0)
        vectors[name] += brought
        value = float(brought @ vector)
        parts[name][block.source] = parts[name].get(block.source, 0.0) + value
        counts[name] = max(counts[name], len(block.rows))
    if memory is not None:
        parts[MEMORY] = {MEMORY: memory}
    so_far = dict(zip(STAGES, np.cumsum(list(vectors.values()), axis=0), strict=True))
    return [
        Stage(name, {s: found[s] for s in sources if found.get(s)}, counts[name], so_far[name])
        for name, found in parts.items()
        if any(found.values())
    ]


def _stage(block: Block, degree: int) -> str:
    """What came over a bridge is the bridge's; beside likes here it is propagated as all is."""
    if block.source == BRIDGE and not (degree and block.part == PROPAGATION):
        return BRIDGE
    return block.part or TEMPLATES
