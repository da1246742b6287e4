"""Attributes: what further columns of the item table say, such as a brand, a price, categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrec_core.modalities.modality import Card, Choice, Modality

if TYPE_CHECKING:
    from micrec_core.data.types import Dataset
    from micrec_core.modalities.base import Encoder


def item_attributes(dataset: Dataset) -> list[str | None]:
    """What columns say of every item, domain after domain (``data.further_columns``)."""
    out: list[str | None] = []
    for domain in dataset.domains:
        said = [""] * domain.n_items if domain.attributes is None else domain.attributes.tolist()
        out += [text or None for text in said]
    return out


def _columns() -> type[Encoder]:
    from micrec_core.modalities.item_columns import Columns

    return Columns


ATTRIBUTES = Modality(
    name="attributes",
    label="Attributes",
    noun="attribute",
    nouns="attributes",
    lacking="any attribute",
    says="what the attributes say",
    colour="#999933",
    symbol="star",
    choices={
        "columns": Choice(
            "columns",
            "columns",
            _columns,
            Card(
                "values, levels of paths and binned amounts of the item table's further columns",
                "this project",
                "Apache-2.0",
                "nothing to install; up to 128 wide",
            ),
        )
    },
    items=item_attributes,
    asks="values",
)
