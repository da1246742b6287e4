"""What else is known of the sample's items: their makers and prices, and how things hang together.

The quality of an item, which neither text nor picture tells, is what its maker stands for: an item
is made by the maker nearest to it in quality, and makers that are alike live in one valley. A price
rises with the first part of the quality. Categories of both domains are used for the same things.
So ``--attributes columns`` and ``--knowledge walks`` have something to find that the rest lacks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import vq

from micrec_core.sample.words import CATEGORIES
from micrec_core.sample.world import MAKERS, QUALITY_DIM, World, stream

MAKER_NAMES = (
    "Alder & Rowe", "Bellwick Works", "Carrow Brothers", "Dunmere Guild", "Eskdale Workshop",
    "Farrow & Daughters", "Gilden Hall", "Hartwell Co-op", "Inglenook Makers", "Jessop & Vane",
    "Kestrel Yard", "Larkhill Sons", "Marl & Thorne", "Netherby House", "Oakum Street",
    "Pennant & Pike", "Quarry Lane Guild", "Rushby Works", "Sedgemoor Co-op", "Thistle & Bray",
    "Umberfield", "Vesper Mill", "Withy & Crane", "Yewtree Workshop",
)  # fmt: skip
VALLEYS = ("Amberdale", "Brackwater", "Copperglen", "Driftholm", "Elmsrun", "Foxhollow")
OCCASIONS = (
    "making tea", "brewing coffee", "cooking rice", "dressing salads", "sweetening",
    "melting chocolate", "cooking pasta", "eating noodles", "seasoning", "serving cheese",
    "toasting bread", "pouring juice",
)  # fmt: skip
MADE_BY, LIVES_IN, IS_A, USED_FOR = "made by", "lives in", "is a", "used for"
# What an item of each domain costs on average, and how strongly that rises with the quality.
_PRICES, _RISE = (6.0, 24.0), 0.5


def maker_qualities(world: World) -> NDArray[np.float32]:
    """What each maker stands for [24, 8]."""
    rng = stream(world.seed, MAKERS)
    return rng.standard_normal((len(MAKER_NAMES), QUALITY_DIM)).astype(np.float32)


def makers(world: World, domain: int) -> NDArray[np.int32]:
    """The maker of each item [n_items], of ``MAKER_NAMES``: the nearest in quality."""
    nearest, _ = vq(world.domains[domain].quality, maker_qualities(world))
    return np.asarray(nearest)


def made_by(world: World, domain: int) -> list[str]:
    """The name of each item's maker."""
    return [MAKER_NAMES[maker] for maker in makers(world, domain)]


def prices(world: World, domain: int) -> list[str]:
    """What each item costs, with two decimals."""
    quality = world.domains[domain].quality[:, 0]
    return [f"{price:.2f}" for price in _PRICES[domain] * np.exp(_RISE * quality)]


def relations(world: World) -> Iterator[tuple[list[str], str, list[str]]]:
    """Heads, relation and tails of all that is known, a kind of relation and domain at a time."""
    qualities = maker_qualities(world)
    for d, part in enumerate(world.domains):
        yield part.item_ids(), MADE_BY, made_by(world, d)
        nouns = [kind.noun for kind in CATEGORIES[d]]
        yield part.item_ids(), IS_A, [nouns[c] for c in part.attributes["category"]]
        yield nouns, USED_FOR, list(OCCASIONS)
    homes, _ = vq(qualities, qualities[:: len(MAKER_NAMES) // len(VALLEYS)])
    yield list(MAKER_NAMES), LIVES_IN, [VALLEYS[v] for v in homes]
