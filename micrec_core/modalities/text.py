"""Text: an item's title and description, or a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrec_core.modalities.modality import CLIP, Choice, Modality

if TYPE_CHECKING:
    from micrec_core.data.types import Dataset
    from micrec_core.modalities.base import Encoder


def item_texts(dataset: Dataset) -> list[str | None]:
    """Title and description of every item, domain after domain; None where both are empty."""
    out: list[str | None] = []
    for domain in dataset.domains:
        for title, description in zip(domain.titles, domain.descriptions, strict=True):
            out.append("\n".join(part for part in (title, description) if part) or None)
    return out


def _classic() -> type[Encoder]:
    from micrec_core.modalities.classic_text import ClassicText

    return ClassicText


def _sentence() -> type[Encoder]:
    from micrec_core.modalities.sentence import SentenceEncoder

    return SentenceEncoder


TEXT = Modality(
    name="text",
    label="Text",
    noun="text",
    nouns="texts",
    lacking="any text",
    says="what the text says",
    colour="#009E73",
    symbol="square",
    encoder="classic",
    choices={
        "classic": Choice("classic", "classic-text", _classic),
        "sentence": Choice("sentence:NAME_OR_DIR", "sentence", _sentence),
        "clip": CLIP,
    },
    items=item_texts,
    asks="sentence",
)
