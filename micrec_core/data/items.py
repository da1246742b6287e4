"""The item table, domain by domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.data import columns, further_columns, paths
from micrec_core.data.about import FILE, About, label_of
from micrec_core.data.schema import MAX_DOMAINS, listed, nearest, quote
from micrec_core.data.text_table import Coded, Table
from micrec_core.errors import DataError


@dataclass(frozen=True)
class Catalogue:
    """The items of one domain in the order of the table.

    Attributes
    ----------
    item_ids, titles, descriptions, images : str objects [n_items]
    attributes : str objects [n_items], what further columns say (``data.further_columns``)
    """

    name: str
    label: str
    item_ids: NDArray[np.object_]
    titles: NDArray[np.object_]
    descriptions: NDArray[np.object_]
    images: NDArray[np.object_]
    attributes: NDArray[np.object_]

    def take(self, keep: NDArray[np.bool_]) -> Catalogue:
        """The items that ``keep`` [n_items] marks."""
        arrays = (self.item_ids, self.titles, self.descriptions, self.images, self.attributes)
        return Catalogue(self.name, self.label, *(a[keep] for a in arrays))


def read_catalogues(table: Table, about: About, root: Path) -> tuple[Catalogue, ...]:
    """Check the item table and split it by domain, in the order of ``dataset.toml`` or sorted.

    Raises
    ------
    DataError
        A bad id, an item twice in a domain, a domain that ``dataset.toml`` does not know or that
        has no item, an image path that leads out of the folder or to nothing.
    """
    item = columns.ids(table, "item_id")
    domain = columns.ids(table, "domain")
    names = list(domain.words())
    _check_domains(table, domain, names, about)
    _check_unique(table, item, domain)
    texts = (
        item.words()[item.codes],
        columns.titles(table),
        columns.descriptions(table),
        paths.images(table, root),
        further_columns.said(table, about.attributes),
    )
    order = list(about.domains) or sorted(names)
    out = []
    for name in order:
        rows = np.flatnonzero(domain.codes == names.index(name))
        label = about.domains.get(name, label_of(name))
        out.append(Catalogue(name, label, *(t[rows] for t in texts)))
    return tuple(out)


def _check_domains(table: Table, domain: Coded, names: list[str], about: About) -> None:
    if len(names) > MAX_DOMAINS:
        raise DataError(
            f"{table.name} has {len(names):,} domains where {MAX_DOMAINS} are allowed; write the "
            "name of the shop into the column 'domain'"
        )
    if not about.domains:
        return
    for name in about.domains:
        if name not in names:
            close = nearest(name, names)
            mend = f"write {quote(close)}" if close else "add its items or leave it out"
            raise DataError(f"{FILE}: the domain {quote(name)} has no item in {table.name}; {mend}")
    strange = np.array([n not in about.domains for n in names])
    if strange.any():
        row = int(np.argmax(strange[domain.codes]))
        name = names[domain.codes[row]]
        raise table.refuse(
            row, f"the domain {quote(name)} is not among those of {FILE}; add it there", "domain"
        )


def _check_unique(table: Table, item: Coded, domain: Coded) -> None:
    keys = pd.Series(domain.codes.astype(np.int64) * len(item.values) + item.codes)
    again = keys.duplicated().to_numpy()
    if not again.any():
        return
    row = int(np.argmax(again))
    first = int(np.argmax((keys == keys[row]).to_numpy()))
    name, place = quote(item.values[item.codes[row]].as_py()), table.place(first)
    shop = quote(domain.values[domain.codes[row]].as_py())
    raise table.refuse(
        row, f"the item {name} of domain {shop} is there already ({place}); keep one", "item_id"
    )


def unknown_domain(name: str, catalogues: tuple[Catalogue, ...]) -> str:
    """What to say of a domain that no item is in."""
    known = [c.name for c in catalogues]
    close = nearest(name, known)
    mend = f"write {quote(close)}" if close else "add its items or remove the row"
    return f"no item is in the domain {quote(name)} (known: {listed(known, len(known))}); {mend}"
