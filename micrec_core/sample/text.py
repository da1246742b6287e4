"""Titles and descriptions of sample items: they tell of culture, ethics and category only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from micrec_core.sample.words import (
    ADJECTIVES,
    BRANDS,
    CATEGORIES,
    CLOSINGS,
    CULTURES,
    ETHICS,
    OPENINGS,
    PLAIN_OPENINGS,
)
from micrec_core.sample.world import WORDS, World, stream

_DRAWS = 13


def write_texts(world: World, domain: int) -> tuple[list[str], list[str]]:
    """Titles and descriptions of one domain's items; both are empty where the text is missing."""
    part = world.domains[domain]
    draws = stream(world.seed, WORDS, domain).integers(0, 1 << 30, (part.n_items, _DRAWS))
    titles, descriptions = [], []
    for row in range(part.n_items):
        if not part.has_text[row]:
            titles.append("")
            descriptions.append("")
            continue
        title, description = _describe(
            domain,
            int(part.attributes["category"][row]),
            int(part.told["culture"][row]),
            int(part.told["ethics"][row]),
            draws[row],
        )
        titles.append(title)
        descriptions.append(description)
    return titles, descriptions


def _describe(
    domain: int, category: int, culture: int, ethics: int, draw: NDArray[np.int64]
) -> tuple[str, str]:
    """One title and description; ``culture`` or ``ethics`` is -1 where the text is silent."""
    kind = CATEGORIES[domain][category]
    draws = iter(draw.tolist())

    def one(options: Sequence[str]) -> str:
        return options[next(draws) % len(options)]

    # All drawn in this order whatever is told: one item's words do not hang on its silence.
    brand, adjective, phrase = one(BRANDS), one(ADJECTIVES[domain]), one(kind.phrases)
    detail, size, closing = one(kind.details), one(kind.sizes), one(CLOSINGS)
    with_culture, with_ethics, with_detail, with_size = (next(draws) % 4 for _ in range(4))
    occasion_draw, opening_draw = next(draws), next(draws)

    words = [brand]
    if ethics >= 0 and with_ethics:
        words.append(ETHICS[ethics].word)
    if culture >= 0 and with_culture:
        words.append(CULTURES[culture].word)
    title = " ".join([*words, kind.noun]) + (f", {size}" if with_size == 0 else "")

    article = _article(adjective) + " "
    parts = {"adjective": adjective, "Adjective": _capital(adjective), "phrase": phrase}
    parts["Phrase"] = _capital(phrase if kind.mass else f"{_article(phrase)} {phrase}")
    parts |= {"culture": "", "occasion": ""}
    openings: tuple[str, ...] = PLAIN_OPENINGS
    if culture >= 0:
        # Where the title is silent, an opening that has the word.
        openings = OPENINGS if with_culture else OPENINGS[:-2]
        occasions = CULTURES[culture].phrases[domain]
        parts["culture"] = CULTURES[culture].word
        parts["occasion"] = occasions[occasion_draw % len(occasions)]
    opening = openings[opening_draw % len(openings)]
    if kind.mass and "{phrase}" in opening:
        article = ""  # "A mild rice" is no English
    sentences = [_capital(opening.replace("{A} ", article).format(**parts))]
    if ethics >= 0 and (not with_ethics or with_size % 2):
        sentences.append(one(ETHICS[ethics].phrases[domain]))
    if with_detail == 0:
        sentences.append(detail)
    return title, " ".join(filter(None, [*sentences, closing]))


def _article(word: str) -> str:
    """``An`` before a vowel and the silent h of "honest"."""
    return "An" if word.startswith(("a", "e", "i", "o", "u", "honest")) else "A"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
