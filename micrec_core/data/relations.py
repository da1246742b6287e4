"""``relations.csv``: what is known of items and of other things, a statement a line.

``head,relation,tail``, each head and tail an item or an entity. An item is ``DOMAIN:ID``, or its
id alone where one domain has it; anything else is an entity, and ``entity:NAME`` is one whatever
items are called. RecBole's ``NAME.kg``, with ``NAME.link`` from its entities to items, is read in
its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from micrec_core.data import columns
from micrec_core.data.budget import Budget
from micrec_core.data.dialect import Dialect
from micrec_core.data.items import Catalogue
from micrec_core.data.schema import RELATIONS, Schema, counted, listed, quote
from micrec_core.data.sources import tables_of
from micrec_core.data.table_files import PLAIN, read_atomic, read_tables
from micrec_core.data.text_table import Coded, RowError, Table, join_tables
from micrec_core.data.types import Relations
from micrec_core.errors import DataError

KG = Schema("kg", ("head_id", "relation_id", "tail_id"), ())
LINK = Schema("link", ("item_id", "entity_id"), ())
ENTITY = "entity:"


def read_relations(
    root: Path,
    catalogues: Sequence[Catalogue],
    notes: list[str],
    dialect: Dialect = PLAIN,
    budget: Budget | None = None,
    *,
    drop: bool = False,
) -> Relations | None:
    """The relations of a dataset folder; None where there are none.

    Parameters
    ----------
    notes : gets a sentence on what was read
    dialect : how ``relations.csv`` is written; RecBole's files are as they are
    budget : bytes that its tables may unpack to
    drop : leave out statements about items that there are not, instead of refusing them

    Raises
    ------
    DataError
        One sentence with the file, the line and the mend.
    """
    found = tables_of(root, RELATIONS)
    if found:
        return related(read_tables(found, RELATIONS, dialect, budget), catalogues, notes, drop)
    ids = {c.name: frozenset(c.item_ids.tolist()) for c in catalogues}
    files = [p for p in sorted((*root.glob("*.kg"), *root.glob("*/*.kg"))) if p.stem in ids]
    tables = [statements(*linked(kg, budget), kg.stem, ids[kg.stem]) for kg in files]
    return related(join_tables(tables), catalogues, notes, drop) if tables else None


def words_of_relations(root: Path, dialect: Dialect) -> set[str]:
    """Names of the columns of ``relations.csv``, which is read for them where a dialect may mean
    some; DataError as ``read_relations``."""
    found = tables_of(root, RELATIONS) if set(RELATIONS.columns) & {*dialect.columns} else ()
    return {*read_tables(found, RELATIONS, dialect).names} if found else set()


def linked(kg: Path, budget: Budget | None = None) -> tuple[Table, dict[str, str]]:
    """The statements of RecBole's ``NAME.kg``, and the item that an entity is by ``NAME.link``.

    Raises
    ------
    DataError
        A file is not what its name says.
    """
    table, link = read_atomic([kg], KG, budget=budget), kg.with_suffix(".link")
    if not link.exists():
        return table, {}
    links = read_atomic([link], LINK, budget=budget)
    items, entities = columns.ids(links, "item_id"), columns.ids(links, "entity_id")
    pairs = zip(entities.words()[entities.codes], items.words()[items.codes], strict=True)
    return table, dict(pairs)


def statements(
    table: Table, items: Mapping[str, str], domain: str, known: Collection[str]
) -> Table:
    """RecBole's statements as ``relations.csv`` has them.

    Parameters
    ----------
    items : entity -> item id; without any, an entity is the item of its name
    known : item ids of the domain; an item that is not among them is an entity
    """

    def node(word: str) -> str:
        item = items.get(word) if items else word
        return f"{domain}:{item}" if item in known else f"{ENTITY}{word}"

    made: dict[str, pa.Array] = {}
    for ours, theirs in zip(RELATIONS.required, KG.required, strict=True):
        coded = columns.ids(table, theirs)
        words = [w if ours == "relation" else node(w) for w in coded.words()]
        made[ours] = pa.array(words, pa.large_string()).take(pa.array(coded.codes))
    return replace(table, columns=made)


def related(
    table: Table, catalogues: Sequence[Catalogue], notes: list[str], drop: bool
) -> Relations:
    """The relations that a table states; DataError and ``notes`` as ``read_relations``."""
    coded = {c: columns.ids(table, c) for c in RELATIONS.required}
    nodes = _Nodes(catalogues)
    ends = {c: nodes.rows(table, c, coded[c], drop) for c in ("head", "tail")}
    triples = np.stack([ends["head"], coded["relation"].codes, ends["tail"]], axis=1)
    known = triples[(triples >= 0).all(axis=1)]
    triples = np.unique(known, axis=0)
    lost = table.n_rows - len(known)
    if lost:
        notes.append(f"Left out {counted(lost, 'relation')} of {table.name} of unknown items.")
    if len(known) > len(triples):
        notes.append(
            f"Merged {counted(len(known) - len(triples), 'repeated relation')} of {table.name}."
        )
    found = Relations(
        np.array(nodes.names, object), np.array(nodes.domain, np.int32), coded["relation"].words(),
        *(triples[:, k].astype(np.int32) for k in range(3)),
    )  # fmt: skip
    notes.append(_note(found, table, catalogues))
    return found


class _Nodes:
    """Items and entities as they are named, a row each."""

    def __init__(self, catalogues: Sequence[Catalogue]) -> None:
        self._domains = [c.name for c in catalogues]
        self._items = [set(c.item_ids.tolist()) for c in catalogues]
        self._row: dict[tuple[int, str], int] = {}
        self.names: list[str] = []
        self.domain: list[int] = []

    def rows(self, table: Table, column: str, coded: Coded, drop: bool) -> NDArray[np.int64]:
        """The row of each node; -1 of unknown items, which are refused unless they are dropped."""
        words, codes = coded.words(), coded.codes

        def refuse(word: str, problem: str) -> RowError:
            return table.refuse(int(np.argmax(codes == list(words).index(word))), problem, column)

        present = np.isin(np.arange(len(words)), codes)  # of rows left out, words stay
        found = [self._meant(word, refuse) if p else None for word, p in zip(words, present)]
        unknown = [str(w) for w, node, p in zip(words, found, present) if p and node is None]
        if unknown and not drop:
            more = f" (and of {listed(unknown[1:], len(unknown) - 1)})" if unknown[1:] else ""
            raise refuse(
                unknown[0],
                f"there is no item {quote(unknown[0])}{more}; add it to the items, or leave such "
                "relations out (--unknown-items drop)",
            )
        rows = [-1 if node is None else self._place(*node) for node in found]
        return np.array(rows, np.int64)[codes]

    def _meant(self, word: str, refuse: Callable[[str, str], RowError]) -> tuple[int, str] | None:
        """(domain or -1, id or name); None for an item that there is not."""
        prefix, colon, rest = word.partition(":")
        if colon and prefix in self._domains:
            d = self._domains.index(prefix)
            return (d, rest) if rest in self._items[d] else None
        if word.startswith(ENTITY) and rest:
            return -1, rest
        having = [d for d, items in enumerate(self._items) if word in items]
        if len(having) > 1:
            names = " and ".join(self._domains[d] for d in having)
            raise refuse(
                word,
                f"{quote(word)} is an item of {names}; write {self._domains[having[0]]}:{word}, or "
                f"{ENTITY}{word} if it is none",
            )
        return (having[0], word) if having else (-1, word)

    def _place(self, domain: int, name: str) -> int:
        row = self._row.setdefault((domain, name), len(self.names))
        if row == len(self.names):
            self.names.append(name)
            self.domain.append(domain)
        return row


def _note(found: Relations, table: Table, catalogues: Sequence[Catalogue]) -> str:
    """How many items are joined, and how many entities lead to none.

    Raises
    ------
    DataError
        No statement is about an item.
    """
    n, items = len(found.names), found.domain >= 0
    if not items.any():
        example = catalogues[0]
        raise DataError(
            f"no head or tail of {table.name} is an item (the first is "
            f"{quote(found.names[found.head[0]] if len(found) else '')}); write item ids as they "
            f"are in the items, such as {quote(f'{example.name}:{example.item_ids[0]}')}"
        )
    ones = np.ones(len(found), bool)
    _, part = connected_components(coo_matrix((ones, (found.head, found.tail)), shape=(n, n)))
    dangling = int((~np.isin(part, part[items])).sum())
    total = sum(len(c.item_ids) for c in catalogues)
    lost = f", {dangling:,} of which lead to no item" if dangling else ""
    return (
        f"{table.name} has {counted(len(found), 'relation')} of "
        f"{counted(len(found.kinds), 'kind')}, of {int(items.sum()):,} of {total:,} items and "
        f"{int((~items).sum()):,} entities{lost}."
    )
