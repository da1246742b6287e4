"""Knowledge: what ``relations.csv`` says of an item and of what it is joined to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrec_core.modalities.modality import Card, Choice, Modality

if TYPE_CHECKING:
    from micrec_core.data.types import Dataset
    from micrec_core.modalities.base import Encoder


def item_knowledge(dataset: Dataset) -> list[str | None]:
    """Where walks over the relations lead from every item, domain after domain."""
    from micrec_core.modalities.walks import item_walks

    return item_walks(dataset)


def _walks() -> type[Encoder]:
    from micrec_core.modalities.walks import Walks

    return Walks


KNOWLEDGE = Modality(
    name="knowledge",
    label="Knowledge",
    noun="relation",
    nouns="relations",
    lacking="any relation",
    says="what is known of it and of what it is joined to",
    colour="#AA3377",
    symbol="hexagon",
    choices={
        "walks": Choice(
            "walks",
            "walks",
            _walks,
            Card(
                "where random walks of three statements lead over relations.csv",
                "this project; the method is personalised PageRank",
                "Apache-2.0",
                "nothing to install; up to 128 wide",
            ),
        )
    },
    items=item_knowledge,
)
