"""What is wrong with a dataset, all of it at once.

``read_dataset`` ends at the first thing that is wrong. Here each check goes on without the row that
it refused, so that one look tells what there is to mend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from micrec_core.data import columns, paths
from micrec_core.data.about import About, read_about
from micrec_core.data.budget import Budget
from micrec_core.data.delimited import read_delimited, text_at
from micrec_core.data.dialect import Dialect
from micrec_core.data.interactions import read_log
from micrec_core.data.items import Catalogue, read_catalogues
from micrec_core.data.relations import read_relations, related
from micrec_core.data.schema import INTERACTIONS, ITEMS, RELATIONS, Schema
from micrec_core.data.sources import Sources, find_sources, read_bytes, tables_of
from micrec_core.data.table_files import read_atomic, read_tables
from micrec_core.data.text_table import MANY, RowError, Table
from micrec_core.data.write import constant
from micrec_core.errors import DataError

MOST = 20
_PLACE = re.compile(r"(.+?), (?:line|row) (\d+)(?:: |$)")
_CHECKS: dict[str, Callable[[Table], object]] = {
    "user_id": lambda table: columns.ids(table, "user_id"),
    "item_id": lambda table: columns.ids(table, "item_id"),
    "domain": lambda table: columns.ids(table, "domain"),
    "timestamp": columns.times,
    "position": lambda table: columns.numbers(table, "position"),
    "rating": lambda table: columns.numbers(table, "rating"),
    "split": columns.splits,
    "title": columns.titles,
    "description": columns.descriptions,
    **{c: partial(columns.ids, column=c) for c in RELATIONS.columns},
}
T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    said : the sentence, with its mend
    file, line : the row at fault; line 0 where it is no row's
    column, value : at fault, where one is
    """

    said: str
    file: str = ""
    line: int = 0
    column: str = ""
    value: str = ""


@dataclass
class _Found:
    """Problems so far; a sentence is there once."""

    problems: dict[str, Problem] = field(default_factory=dict)

    def note(self, error: DataError, table: Table | None = None) -> None:
        said, row, column = str(error), getattr(error, "row", -1), getattr(error, "column", "")
        place = _PLACE.match(said) if isinstance(error, RowError) else None
        value = ""
        if table is not None and table.has(column) and 0 <= row < table.n_rows:
            value = str(table.columns[column][row].as_py())
        file, line = (place[1], int(place[2])) if place else ("", 0)
        self.problems.setdefault(said, Problem(said, file, line, column, value))

    def tried(self, what: Callable[[], T]) -> T | None:
        """What ``what`` gives; None where it refuses, which is noted."""
        try:
            return what()
        except DataError as error:
            for one in (error, *getattr(error, "others", ())):
                self.note(one)
        return None

    def sifted(self, table: Table, check: Callable[[Table], T]) -> tuple[Table, T | None]:
        """What a check gives of the rows that it does not refuse, ``MANY`` at most."""
        for _ in range(MANY):
            try:
                return table, check(table)
            except RowError as error:
                self.note(error, table)
                if table.n_rows < 2:
                    break
                table = table.without(error.row)
            except DataError as error:
                self.note(error)
                break
        return table, None


def all_problems(
    root: Path, first: DataError, dialect: Dialect, *, drop: bool, most_bytes: int
) -> list[Problem]:
    """What is wrong with a dataset folder that ``read_dataset`` refuses, ``MOST`` at most.

    Parameters
    ----------
    first : the refusal
    dialect : how the tables are written, in the place of what ``dataset.toml`` says
    drop : whether interactions with unknown items are left out
    most_bytes : that a table may unpack to
    """
    found = _Found()
    about = found.tried(lambda: read_about(root)) or About(root.name)
    dialect = dialect or about.dialect
    sources = found.tried(lambda: find_sources(root))
    if sources is not None:
        _tables(found, sources, replace(about, dialect=dialect), root, drop, most_bytes)
    found.note(first)
    return list(found.problems.values())[:MOST]


def _tables(
    found: _Found, sources: Sources, about: About, root: Path, drop: bool, most: int
) -> None:
    items, log = (
        _read(found, files, schema, about.dialect, sources.atomic, most) if files else None
        for schema, files in ((ITEMS, sources.items), (INTERACTIONS, sources.interactions))
    )
    stated = found.tried(lambda: tables_of(root, RELATIONS))
    relations = _read(found, stated, RELATIONS, about.dialect, False, most) if stated else None
    if items is not None and log is not None:
        there = {*items.names, *log.names, *(relations.names if relations else ())}
        found.tried(lambda: about.dialect.refuse_unmatched(there))
    catalogues: tuple[Catalogue, ...] | None = None
    if items is not None:
        sound = _column_by_column(found, items, ITEMS)
        found.sifted(sound, lambda table: paths.images(table, root))
        # An item whose picture is missing is known all the same.
        ids = {c: items.columns[c] for c in ("item_id", "domain")}
        bare = replace(items, columns=ids | {"title": constant("", items.n_rows)})
        _, catalogues = found.sifted(bare, lambda table: read_catalogues(table, about, root))
    if log is not None:
        log = _column_by_column(found, log, INTERACTIONS)
        if items is not None and catalogues is not None:
            known, name = catalogues, items.name
            found.sifted(log, lambda table: read_log(table, known, name, drop))
    if catalogues is not None:
        there_are = catalogues
        if relations is not None:
            relations = _column_by_column(found, relations, RELATIONS)
            found.sifted(relations, lambda table: related(table, there_are, [], drop))
        elif not stated:
            found.tried(lambda: read_relations(root, there_are, [], drop=drop))


def _read(
    found: _Found, files: Sequence[Path], schema: Schema, dialect: Dialect, atomic: bool, most: int
) -> Table | None:
    """A table, without the lines that cannot be parsed."""
    read = read_atomic if atomic else read_tables
    try:
        return read(files, schema, dialect, Budget(most))
    except RowError as error:
        for one in (error, *error.others):
            found.note(one)
        if len(files) > 1 or atomic:
            return None
    except DataError as error:
        found.note(error)
        return None
    return found.tried(lambda: _straight(files[0], schema, dialect, most))


def _straight(path: Path, schema: Schema, dialect: Dialect, most: int) -> Table:
    """A table of text without the lines that have too many fields or too few."""
    data = read_bytes(path, Budget(most), encoding=dialect.encoding)
    text, _ = text_at(data, path, dialect)
    gone = {error.row: None for error in text.crooked(len(text.header()[1]))}
    return read_delimited(text.rewritten(gone), path.name, schema, text.delimiter, dialect=dialect)


def _column_by_column(found: _Found, table: Table, schema: Schema) -> Table:
    for column in schema.columns:
        if table.has(column) and column in _CHECKS:
            table, _ = found.sifted(table, _CHECKS[column])
    return table
