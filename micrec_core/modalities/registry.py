"""The modalities there are, in the order of columns, charts and sentences.

A new one is a file beside this one with its ``Modality``, and a line here. A dataset may bring
more under other names, as supplied vectors (``precomputed:PATH``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from micrec_core.errors import ConfigError
from micrec_core.modalities.attributes import ATTRIBUTES
from micrec_core.modalities.image import IMAGE
from micrec_core.modalities.knowledge_graph import KNOWLEDGE
from micrec_core.modalities.modality import NO_ENCODER, Modality
from micrec_core.modalities.text import TEXT

MODALITIES: dict[str, Modality] = {
    TEXT.name: TEXT,
    IMAGE.name: IMAGE,
    ATTRIBUTES.name: ATTRIBUTES,
    KNOWLEDGE.name: KNOWLEDGE,
}
# Those that are taken where nobody says which; the others are asked for.
USUAL: dict[str, Modality] = {
    name: found for name, found in MODALITIES.items() if found.encoder != NO_ENCODER
}

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
# Other sources of a score, columns beside the sources, and words for several modalities at once.
_TAKEN = frozenset(
    (
        "id",
        "bridge",
        "memory",
        "item_id",
        "title",
        "score",
        "domain",
        "rank",
        "move",
        "all",
        "full",
        "none",
    )
)
# For modalities that a dataset brings; in no other use here.
_COLOURS = ("#661100", "#4B5D16", "#6A5ACD")
_SYMBOLS = ("cross", "triangle-down", "pentagon")


def modality(name: str) -> Modality:
    """The modality of a name: a registered one, or one made of supplied vectors alone.

    Raises
    ------
    ConfigError
        The name cannot be one of a modality.
    """
    if name in MODALITIES:
        return MODALITIES[name]
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ConfigError(
            f"'{name}' cannot be the name of a modality; use lower-case letters, digits and _, "
            f"and none of: {', '.join(sorted(_TAKEN))}"
        )
    words = name.replace("_", " ")
    place = sum(name.encode()) % len(_COLOURS)
    return Modality(
        name=name,
        label=words.capitalize(),
        noun=words,
        nouns=words,
        lacking=words,
        says=f"what the {words} says",
        colour=_COLOURS[place],
        symbol=_SYMBOLS[place],
    )


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Registered modalities first, in their order, then the others as they come."""
    given = list(dict.fromkeys(names))
    known = [name for name in MODALITIES if name in given]
    return (*known, *(name for name in given if name not in MODALITIES))


def default_encoders() -> dict[str, str]:
    """The spec of each registered modality where nobody says which."""
    return {name: found.encoder for name, found in MODALITIES.items()}


def spoken_to() -> list[Modality]:
    """The modalities in which someone new can say something."""
    return [found for found in MODALITIES.values() if found.asks]


def nouns(last: str = "and") -> str:
    """``texts and pictures``: what the usual modalities are said by."""
    return listed((found.nouns for found in USUAL.values()), last)


def given(documents: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody really said or showed, by modality: neither None nor blank."""
    return {
        name: value
        for name, value in documents.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def listed(words: Iterable[str], last: str = "and") -> str:
    """``text and image``, ``text, image and audio``."""
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end
