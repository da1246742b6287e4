"""More rows for data that is known already: new items, and interactions with any of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from micrec_core.data.about import About
from micrec_core.data.interactions import Log, drop_low_ratings, drop_unknown, read_log
from micrec_core.data.items import Catalogue, read_catalogues
from micrec_core.data.schema import INTERACTIONS, ITEMS, Schema, counted, quote
from micrec_core.data.table_files import read_tables, table_of_frame
from micrec_core.data.text_table import Table
from micrec_core.data.types import Dataset, Domain, Edges
from micrec_core.errors import ConfigError, DataError


@dataclass(frozen=True)
class Additions:
    """What is new.

    Attributes
    ----------
    items : the new items alone, without interactions; one domain for each that is known
    log : interactions; rows of items are those of the known ones, then of the new ones
    notes : sentences on what was left out
    """

    items: Dataset
    log: Log | None
    notes: tuple[str, ...]


def read_additions(
    interactions: Path | pd.DataFrame | None,
    items: Path | pd.DataFrame | None,
    known: tuple[Catalogue, ...],
    *,
    images: Path = Path(),
    drop_unknown_items: bool = False,
    rating_threshold: float | None = None,
) -> Additions:
    """Read and check one or two tables, of the columns that a dataset's have.

    Parameters
    ----------
    known : the items there are, domain by domain
    images : the folder that the paths of pictures begin in
    drop_unknown_items : leave out interactions with items that are nowhere, instead of refusing
    rating_threshold : keep interactions that are rated so or more

    Raises
    ------
    DataError
        One sentence with the table, the line and the mend.
    ConfigError
        There is neither table.
    """
    if interactions is None and items is None:
        raise ConfigError("there is nothing to add; give new interactions, new items or both")
    notes: list[str] = []
    new, items_name = _new_items(items, known, images, notes)
    both = tuple(_joined(a, b) for a, b in zip(known, new, strict=True))
    log = None
    if interactions is not None:
        table = _table(interactions, INTERACTIONS)
        log = drop_unknown(read_log(table, both, items_name, drop_unknown_items), notes)
        log = drop_low_ratings(log, rating_threshold, notes, table.name)
    domains = tuple(
        Domain(
            **vars(catalogue),
            user_ids=np.zeros(0, object),
            edges=Edges.empty(),
            split=np.zeros(0, np.int8),
        )
        for catalogue in new
    )
    return Additions(Dataset("new items", images, domains, ""), log, tuple(notes))


def _new_items(
    items: Path | pd.DataFrame | None,
    known: tuple[Catalogue, ...],
    images: Path,
    notes: list[str],
) -> tuple[tuple[Catalogue, ...], str]:
    """Of each known domain the items that are not there yet; and how the table is called."""
    nothing = np.zeros(0, object)
    none = {c.name: Catalogue(c.name, c.label, *[nothing] * 5) for c in known}
    if items is None:
        return tuple(none.values()), "the run"
    table = _table(items, ITEMS)
    again = 0
    for found in read_catalogues(table, About(""), images):
        if found.name not in none:
            names = ", ".join(none)
            raise DataError(
                f"{table.name}, column domain: {quote(found.name)} is not a domain of this run; "
                f"use {names}, or train anew with it"
            )
        there = next(c for c in known if c.name == found.name)
        fresh = ~np.isin(found.item_ids.astype(str), there.item_ids.astype(str))
        none[found.name] = found.take(fresh)
        again += int((~fresh).sum())
    if again:
        notes.append(f"{counted(again, 'item')} of {table.name} are known already and stay.")
    return tuple(none.values()), table.name


def _joined(a: Catalogue, b: Catalogue) -> Catalogue:
    pairs = (
        (getattr(a, n), getattr(b, n))
        for n in ("item_ids", "titles", "descriptions", "images", "attributes")
    )
    return Catalogue(a.name, a.label, *(np.concatenate(pair) for pair in pairs))


def _table(source: Path | pd.DataFrame, schema: Schema) -> Table:
    if isinstance(source, Path):
        return read_tables([source], schema)
    return table_of_frame(source, schema)
