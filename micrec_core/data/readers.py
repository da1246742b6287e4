"""Tables, on disk or in memory, to a `Dataset`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.data import further_columns
from micrec_core.data.about import About, read_about
from micrec_core.data.assign import MIN_TO_SPLIT, assign_split, stream
from micrec_core.data.budget import Budget
from micrec_core.data.dialect import Dialect
from micrec_core.data.doubts import doubts
from micrec_core.data.fingerprint import fingerprint
from micrec_core.data.interactions import Log, drop_low_ratings, drop_unknown, read_log
from micrec_core.data.items import Catalogue, read_catalogues
from micrec_core.data.kcore import core_mask
from micrec_core.data.lookalikes import twins_notes
from micrec_core.data.ordering import by_name, in_order
from micrec_core.data.progress import Progress, silent
from micrec_core.data.relations import read_relations, words_of_relations
from micrec_core.data.schema import INTERACTIONS, ITEMS, MAX_TABLE_BYTES, Schema, counted, quote
from micrec_core.data.sources import domain_of, find_sources
from micrec_core.data.table_files import items_of, read_atomic, read_tables, table_of_frame
from micrec_core.data.text_table import Table, encode, join_tables
from micrec_core.data.time_split import split_by_time
from micrec_core.data.types import TRAIN, Dataset, Domain, Edges, Reading, in_two
from micrec_core.data.vocabulary import options, synonym
from micrec_core.errors import DataError
from micrec_core.names import ONE_DOMAIN

_NOTED = 8
# Interactions of which checking takes long enough to be told of.
_MANY = 1_000_000


def read_dataset(
    path: str | Path,
    *,
    unknown_items: str = "error",
    rating_threshold: float | None = None,
    k_core: int = 0,
    seed: int = 0,
    split_by: str = "user",
    test_from: str = "",
    dialect: Dialect | None = None,
    max_table_bytes: int = MAX_TABLE_BYTES,
    progress: Progress = silent,
) -> Dataset:
    """Read and check a dataset folder.

    ``interactions`` and ``items`` as .csv, .csv.gz, .tsv, .tsv.gz, .parquet or .jsonl, or a folder
    of such parts, or RecBole's ``NAME.inter`` with or without ``NAME.item``, and an optional
    ``dataset.toml``. What reading changed stands
    in ``Dataset.notes``. Ratings under the threshold go first, then repeated interactions are
    merged (the earliest stays), then the k-core is taken, then the split is made.

    Parameters
    ----------
    path : the folder
    unknown_items, rating_threshold, k_core, seed, split_by, test_from : as in ``Reading``
    dialect : how the tables are written, in the place of what ``dataset.toml`` says
    max_table_bytes : refuse a table that unpacks to more, whatever its files have
    progress : told how much of large tables is read, and that they are checked

    Returns
    -------
    Dataset
        Edges of a domain are sorted by user id, then item id.

    Raises
    ------
    DataError
        One sentence with the file, the line and the mend.
    ConfigError
        An option is out of range.
    """
    reading = Reading(unknown_items, rating_threshold, k_core, seed, split_by, test_from)
    root = Path(path)
    about = read_about(root)
    if dialect is not None:
        about = replace(about, dialect=dialect)
    interactions, items = read_both(root, about.dialect, max_table_bytes, progress)
    if interactions.n_rows >= _MANY:
        progress(f"checking {counted(interactions.n_rows, 'interaction')}", 0, 0)
    return _from_tables(interactions, items, about, root, reading, Budget(max_table_bytes))


def read_both(
    root: Path, dialect: Dialect, most: int = MAX_TABLE_BYTES, progress: Progress = silent
) -> tuple[Table, Table]:
    """The tables of interactions and of items of a dataset folder, ``most`` bytes each.

    Raises
    ------
    DataError
        As ``read_dataset``.
    """
    sources = find_sources(root)
    read = read_atomic if sources.atomic else read_tables

    def budget() -> Budget:
        return Budget(most, progress)

    items = [read(sources.items, ITEMS, dialect, budget())] if sources.items else []
    interactions = read(sources.interactions, INTERACTIONS, dialect, budget())
    if sources.atomic:
        known = {d for table in items for d in encode(table.columns["domain"]).words()}
        items += [made] if (made := items_of(interactions, known)) else []
    both = interactions, join_tables(items)
    there = {name for table in both for name in table.names}
    dialect.refuse_unmatched(there | words_of_relations(root, dialect))
    return both


def read_items(root: Path) -> Table:
    """The table of items of a dataset folder alone; DataError as ``read_dataset``."""
    sources, dialect = find_sources(root), read_about(root).dialect
    if sources.atomic and len(sources.items) < len({*map(domain_of, sources.interactions)}):
        return read_both(root, dialect)[1]
    return (read_atomic if sources.atomic else read_tables)(sources.items, ITEMS, dialect)


def dataset_of_frames(
    interactions: pd.DataFrame,
    items: pd.DataFrame,
    about: About,
    root: str | Path = ".",
    reading: Reading | None = None,
) -> Dataset:
    """Check two tables in memory: the columns, checks and messages are those of ``read_dataset``.

    Parameters
    ----------
    interactions : user_id, item_id, domain and, optional, timestamp, rating, position, split
    items : item_id, domain, title and, optional, description, image
    about : what ``dataset.toml`` would say
    root : the folder that the paths in ``image`` begin in
    reading : as ``read_dataset`` takes them

    Raises
    ------
    DataError
        One sentence with the table, the position of the row (from 0, as ``iloc`` takes it) and the
        mend.
    """
    tables = (table_of_frame(interactions, INTERACTIONS), table_of_frame(items, ITEMS))
    return _from_tables(*tables, about, Path(root), reading or Reading())


def _from_tables(
    interactions: Table,
    items: Table,
    about: About,
    root: Path,
    reading: Reading,
    related: Budget | None = None,
) -> Dataset:
    """``related``: what relations beside the two tables may unpack to; None looks for none."""
    catalogues = read_catalogues(items, about, root)
    notes = [note for table in (items, interactions) for note in table.notes]
    found = further_columns.kinds(items, about.attributes)
    notes += _unused_notes(items, ITEMS, found) + _unused_notes(interactions, INTERACTIONS)
    if found:
        words = ", ".join(f"{quote(column)} ({kind})" for column, kind in found.items())
        notes.append(f"Attributes in {items.name}: {words}.")
    log = read_log(interactions, catalogues, items.name, reading.unknown_items == "drop")
    notes += twins_notes(log.users, interactions.name, "user")
    for shelf in catalogues:
        notes += twins_notes(shelf.item_ids, f"{items.name}, domain {shelf.name},", "item")
    notes += doubts(log, catalogues, interactions.name, items.name)
    log = drop_unknown(log, notes)
    log = drop_low_ratings(log, reading.rating_threshold, notes, interactions.name)
    if reading.split_by == "time":
        log = split_by_time(log, reading, interactions.name, notes)
    else:
        notes.append(_split_note(log, reading.seed))
    domains = tuple(
        _build_domain(log, d, catalogue, interactions.name, reading, notes)
        for d, catalogue in enumerate(catalogues)
    )
    _overlap_note(domains, notes)
    drop = reading.unknown_items == "drop"
    relations = (
        read_relations(root, catalogues, notes, about.dialect, related, drop=drop)
        if related is not None
        else None
    )
    return Dataset(
        name=about.name,
        root=root,
        domains=domains,
        fingerprint=fingerprint(root, domains, relations.lines() if relations else ()),
        synthetic=about.synthetic,
        source=about.source,
        licence=about.licence,
        notes=tuple(notes),
        reading=reading,
        relations=relations,
    )


def _build_domain(
    log: Log,
    d: int,
    catalogue: Catalogue,
    table_name: str,
    reading: Reading,
    notes: list[str],
) -> Domain:
    """One domain: canonical order, repeats merged, k-core, split."""
    k = reading.k_core
    rows = np.flatnonzero(log.domain == d)
    if len(rows) == 0:
        raise DataError(
            f"{table_name} has no interaction in the domain {quote(catalogue.name)}; add some or "
            "remove its items"
        )
    user_ids, user = _user_rows(log, rows)
    rank = _ranks(catalogue.item_ids)
    rows, user = _merge_repeats(log, rows, user, rank, catalogue.name, notes)
    edges = Edges(user.astype(np.int32), log.item[rows].astype(np.int32))
    keep = core_mask(edges, k, len(user_ids), len(rank))
    if k > 1:
        if not keep.any():
            raise DataError(
                f"{table_name}: nothing is left of the domain {quote(catalogue.name)} in its "
                f"{k}-core; use a smaller k"
            )
        users, items, pairs = len(user_ids), len(rank), len(edges)
        rows = rows[keep]
        edges, user_ids, catalogue = _compact(edges[keep], user_ids, catalogue)
        notes.append(
            f"The {k}-core of the domain {catalogue.name} has {len(user_ids):,} of {users:,} "
            f"users, {len(catalogue.item_ids):,} of {items:,} items and {len(edges):,} of "
            f"{pairs:,} interactions."
        )
    if log.split is not None:
        split = log.split[rows]
    else:
        rng = stream(reading.seed, "split", catalogue.name)
        split = assign_split(edges.user, tuple(o[rows] for o in log.orders), rng)
    if not (split == TRAIN).any():
        raise DataError(
            f"{table_name} has no train interaction in the domain {quote(catalogue.name)}; mark "
            "some as train"
        )
    return Domain(**vars(catalogue), user_ids=user_ids, edges=edges, split=split)


def _user_rows(log: Log, rows: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Sorted ids of the users of some interactions, and each interaction's row among them."""
    here = log.user[rows]
    codes = np.flatnonzero(np.bincount(here, minlength=len(log.users)))
    codes = codes[by_name(log.users[codes])]
    row_of = np.zeros(len(log.users), np.int64)
    row_of[codes] = np.arange(len(codes))
    return log.users[codes], row_of[here]


def _ranks(names: NDArray[np.object_]) -> NDArray[np.int64]:
    """Position of each distinct name in sorted order."""
    out = np.empty(len(names), dtype=np.int64)
    out[by_name(names)] = np.arange(len(names))
    return out


def _merge_repeats(
    log: Log,
    rows: NDArray[np.int64],
    user: NDArray[np.int64],
    rank: NDArray[np.int64],
    name: str,
    notes: list[str],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort by user and item id, and keep the earliest of each pair.

    Of equally early ones the one in train stays, then in validation: no order of rows in the file
    decides, and a pair that was trained on is never a test pair.
    """
    pair = user * len(rank) + rank[log.item[rows]]
    split = () if log.split is None else (log.split[rows],)
    order = in_order(pair, (*(o[rows] for o in log.orders), *split))
    first = np.r_[True, pair[order[1:]] != pair[order[:-1]]]
    merged = int((~first).sum())
    if merged:
        notes.append(
            f"Merged {counted(merged, 'repeated interaction')} of the domain {name}, the earliest "
            "of each kept."
        )
    kept = order[first]
    return rows[kept], user[kept]


def _compact(
    edges: Edges, user_ids: NDArray[np.object_], catalogue: Catalogue
) -> tuple[Edges, NDArray[np.object_], Catalogue]:
    """Renumber users and items so that only those with an edge are left, in the same order."""
    users = np.bincount(edges.user, minlength=len(user_ids)) > 0
    items = np.bincount(edges.item, minlength=len(catalogue.item_ids)) > 0
    renumbered = Edges(
        (np.cumsum(users) - 1)[edges.user].astype(np.int32),
        (np.cumsum(items) - 1)[edges.item].astype(np.int32),
    )
    return renumbered, user_ids[users], catalogue.take(items)


def _unused_notes(table: Table, schema: Schema, used: Collection[str] = ()) -> list[str]:
    """What is left out of a table, one note a column unless there are many."""
    unused = [column for column in table.unused if column not in used]
    columns = [column for column in unused if column.strip()]
    notes = []
    if bare := len(unused) - len(columns):
        are = "is" if bare == 1 else "are"
        notes = [f"{counted(bare, 'column')} of {table.name} without a name {are} not used."]
    if len(columns) > _NOTED:
        first = ", ".join(quote(column) for column in columns[:_NOTED])
        return [*notes, f"{len(columns):,} columns of {table.name} are not used: {first}, ..."]
    return [*notes, *(_unused_note(column, table, schema) for column in columns)]


def _unused_note(column: str, table: Table, schema: Schema) -> str:
    """That a column is left out, and what it may be meant for: nothing goes unsaid."""
    free = [c for c in schema.optional if not table.has(c)]
    meant = next((ours for ours in free if synonym(ours, [column])), None)
    mend = f": if it is the {meant}, say {options({meant: column})}" if meant else ""
    return f"The column {quote(column)} of {table.name} is not used{mend}."


def _split_note(log: Log, seed: int) -> str:
    if log.split is not None:
        return "The split is the table's own."
    how = f"by {log.ordered_by}" if log.ordered_by else f"at random (seed {seed})"
    return (
        f"The split was made per user {how}: the last tenth to test, the tenth before to "
        f"validation, users with fewer than {MIN_TO_SPLIT} interactions all in training."
    )


def _overlap_note(domains: tuple[Domain, ...], notes: list[str]) -> None:
    if len(domains) < 2:
        notes.append(ONE_DOMAIN)
    elif not in_two(d.ids_of(d.edges[d.split == TRAIN]) for d in domains):
        notes.append(
            "No user has train interactions in two domains: nothing can be carried across; check "
            "that both domains use the same user ids."
        )
