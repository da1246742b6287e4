"""Lists of the same trained model with parts of its vectors left out, at inference.

An embedding is a sum of parts, so leaving some out is exact and needs no training. It says what
they bring to this list, not what a model without them would have learned: that is an ablation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import ConfigError
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.arrays import Floats, Rows
from micrec_core.method.foldin import NEIGHBOURS, PROPAGATION, TEMPLATES, Block, Folded, FoldIn
from micrec_core.names import MEMORY
from micrec_core.serving.contents import Bundle

BRIDGE = "bridge"
# Items at a time, of which all sources are at hand.
_BLOCK = 4096


def switches(bundle: Bundle, d: int) -> tuple[str, ...]:
    """What can be left out of lists in a domain: modalities, parts of the method, the memory."""
    there = {
        TEMPLATES: bundle.templates,
        NEIGHBOURS: bool(bundle.modalities),
        PROPAGATION: bundle.layers > 0,
        BRIDGE: BRIDGE in bundle.sources,
        MEMORY: bundle.memory[d] is not None,
    }
    return (*bundle.modalities, *(name for name, has in there.items() if has))


def checked(bundle: Bundle, d: int, off: Collection[str]) -> frozenset[str]:
    """The switches turned off; ConfigError where one is not the model's."""
    unknown = sorted(set(off) - set(switches(bundle, d)))
    if unknown:
        known = ", ".join(switches(bundle, d))
        raise ConfigError(f"there is no '{unknown[0]}' to leave out here; choose among: {known}")
    return frozenset(off)


def stays(block: Block, off: Collection[str]) -> bool:
    """Whether a part of an embedding is there without what is left out.

    What came over a bridge is the bridge's, whatever it was before, but keeps its part of the
    method.
    """
    return block.source not in off and block.part not in off


def without(folded: Folded, off: Collection[str]) -> Folded:
    """A user or an item with parts left out; weights and neighbours stay as they were."""
    blocks = tuple(
        b if stays(b, off) else replace(b, vectors=np.zeros_like(b.vectors)) for b in folded.blocks
    )
    return replace(folded, blocks=blocks)


def items_without(fold: FoldIn, d: int, rows: Rows, off: Collection[str]) -> Floats:
    """Embeddings of items of the catalogue with parts left out, float32 [n, S, dim].

    What ``without`` makes of each by itself, for many at once.
    """
    model, part = fold.model, fold.model.domains[d]
    joined = part.joined[rows]
    if joined.any():
        every = np.empty((len(rows), len(model.sources), model.dim), np.float32)
        every[~joined] = items_without(fold, d, rows[~joined], off)
        for at in np.flatnonzero(joined):
            folded = without(fold.joined_item(d, int(rows[at])), off)
            every[at] = folded.by_source(model.sources)
        return every
    layers = part.item_layers[rows]
    total = layers[:, 0].copy() if PROPAGATION in off else layers.sum(axis=1)
    if TEMPLATES in off:
        total[:, 0] -= layers[:, 0, 0]
    if NEIGHBOURS in off:
        weights = fold.item_weights(d, rows)
        for place, x in enumerate(part.modalities.values()):
            near = x.item_neighbours
            some = Neighbours(near.rows[rows], near.similarity[rows])
            shares = some.weights(model.temperature) * weights[:, [place]]
            lent = part.initial_items[np.maximum(some.rows, 0)]
            total[:, 1 + place] -= np.einsum("nk,nkd->nd", shares, lent)
    for place, source in enumerate(model.sources):
        if source in off:
            total[:, place] = 0
    mean = np.where(part.item_degree[rows] > 0, 1.0 / part.item_layers.shape[1], 1.0)
    out: Floats = total * mean[:, None, None].astype(np.float32)
    return out


def scores_without(fold: FoldIn, folded: Folded, off: Collection[str]) -> NDArray[np.float32]:
    """Scores of all items by embeddings alone, float32 [n_items]; ``folded`` is whole."""
    user = without(folded, off).vector()
    pieces = [
        items_without(fold, folded.domain, rows, off).sum(axis=1) @ user
        for rows in _pieces(len(fold.model.domains[folded.domain].item_degree))
    ]
    return np.concatenate(pieces).astype(np.float32)


def _pieces(n: int) -> Iterator[Rows]:
    for begin in range(0, n, _BLOCK):
        yield np.arange(begin, min(begin + _BLOCK, n))
