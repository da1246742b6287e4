"""Presets for the cold-start page: made-up people, drawn from the archetypes, and their likes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micrec_core.sample.choices import Choices
from micrec_core.sample.words import CULTURES, ETHICS, PALETTES, PATTERNS
from micrec_core.sample.world import COLUMNS, N_ARCHETYPES, World

# Name and reader share: who reads labels, who looks, and who does both.
_PEOPLE = (("Mina", 0.15), ("Bruno", 0.85), ("Asha", 0.5), ("Leif", 0.85), ("Odile", 0.15),
           ("Tariq", 0.5), ("Greta", 0.85), ("Jonas", 0.15))  # fmt: skip
_LIKES = (5, 4)


def make_personas(world: World, choices: Sequence[Choices]) -> list[dict[str, Any]]:
    """Eight people of different archetypes.

    Returns
    -------
    For each ``name``, ``sentence`` and ``likes`` (domain name -> item ids, best liked first): items
    with text and picture, the text telling the truth.
    """
    out = []
    archetypes = _different_archetypes(world)
    for (name, share), archetype in zip(_PEOPLE, archetypes, strict=True):
        tastes = _pronounced(world.archetype_tastes[archetype])
        likes = {
            part.name: _likes(world, d, choices[d], tastes, share, _LIKES[d])
            for d, part in enumerate(world.domains)
        }
        out.append({"name": name, "sentence": _sentence(tastes, share), "likes": likes})
    return out


def _different_archetypes(world: World) -> list[int]:
    """Archetypes with pronounced tastes, one after the other the least like those taken."""
    favourites = np.stack(
        [world.archetype_tastes[:, COLUMNS[a]].argmax(axis=1) for a in COLUMNS if a != "quality"],
        axis=1,
    )
    strength = sum(
        world.archetype_tastes[:, COLUMNS[a]].max(axis=1) for a in COLUMNS if a != "quality"
    )
    taken: list[int] = []
    for _ in _PEOPLE:
        same = np.zeros(N_ARCHETYPES)
        for other in taken:
            same += (favourites == favourites[other]).sum(axis=1)
        same[taken] = np.inf
        taken.append(int(np.argmax(0.5 * np.asarray(strength) - 2.0 * same)))
    return taken


def _pronounced(tastes: NDArray[np.float32]) -> NDArray[np.float32]:
    """An archetype's tastes [47] as one would tell them: favourites count more, quality nothing.

    Otherwise the likes would be true and the sentence beside them hard to believe.
    """
    out = tastes.copy()
    for name, columns in COLUMNS.items():
        if name == "quality":
            out[columns] = 0.0
        else:
            out[columns.start + int(tastes[columns].argmax())] += 1.5
    return out


def _likes(
    world: World,
    domain: int,
    choices: Choices,
    tastes: NDArray[np.float32],
    reader_share: float,
    count: int,
) -> list[str]:
    """The items such a person would like best, at most two of a category."""
    part = world.domains[domain]
    share = np.array([reader_share], dtype=np.float32)
    utility = (world.weighted(tastes[None, :], share) @ part.item_factors().T)[0]
    # Known ones rather than obscure ones: someone who makes up a person picks what one recognises.
    utility = utility + 0.5 * np.log(part.popularity)
    plain = part.has_text & part.has_image
    for attribute, told in part.told.items():
        plain &= told == part.attributes[attribute]
    seen = np.bincount(choices.item, minlength=part.n_items)
    order = np.lexsort((-utility, seen < 3, ~plain))
    category = part.attributes["category"]
    chosen: list[int] = []
    for item in order.tolist():
        if sum(category[item] == category[other] for other in chosen) < 2:
            chosen.append(item)
        if len(chosen) == count:
            break
    names = part.item_ids()
    return [names[item] for item in chosen]


def _sentence(tastes: NDArray[np.float32], reader_share: float) -> str:
    """What an archetype likes, what it minds most first."""
    best = {a: int(tastes[c].argmax()) for a, c in COLUMNS.items() if a != "quality"}
    culture = CULTURES[best["culture"]].word
    ethics = ETHICS[best["ethics"]].word.lower()
    palette, pattern = PALETTES[best["palette"]], PATTERNS[best["pattern"]]
    if reader_share > 0.6:
        return f"Reads labels, cooks {culture}, buys {ethics}, and has an eye for {palette}."
    if reader_share < 0.4:
        return f"Buys with the eye: {palette} and {pattern}; cooks mostly {culture}."
    return f"Reads and looks: cooks {culture}, buys {ethics}, likes {palette} and {pattern}."
