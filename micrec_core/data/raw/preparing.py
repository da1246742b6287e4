"""``prepare``: raw files of domains to a dataset folder."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from micrec_core.data.about import FILE, label_of
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.folders import new_folder
from micrec_core.data.progress import Progress, silent
from micrec_core.data.raw import mmrec
from micrec_core.data.raw.blocks import SUFFIXES, write_interactions, write_items
from micrec_core.data.raw.filters import Part, Rules, filter_log
from micrec_core.data.raw.formats import FORMATS, Format
from micrec_core.data.raw.lines import check_file
from micrec_core.data.raw.picture_folder import copy_pictures
from micrec_core.data.raw.rows import empty_shelf, read_log, read_shelf, split_of
from micrec_core.data.raw.texts import DESCRIPTION_LIMIT, TITLE_LIMIT
from micrec_core.data.raw.vectors import write_vectors
from micrec_core.data.relations import linked, statements
from micrec_core.data.schema import MAX_DOMAIN, RELATIONS, counted, nearest, quote
from micrec_core.data.sources import domain_of
from micrec_core.data.text_table import join_tables
from micrec_core.data.write import TEXT, table_writer
from micrec_core.engines import HERE, Engine
from micrec_core.errors import ConfigError, DataError
from micrec_core.names import ONE_DOMAIN

# Beyond these, parquet: read by row groups with ids as codes, where csv is read whole.
CSV_INTERACTIONS = 5_000_000
CSV_ITEMS = 500_000
_NAME = re.compile(r"[^\W_][\w.-]*")


@dataclass(frozen=True)
class Source:
    """The files of one domain; ``pictures`` is a folder of files called by item id.

    Without a file of items, they are titled by their ids.
    """

    name: str
    interactions: Path
    items: Path | None = None
    pictures: Path | None = None


@dataclass(frozen=True)
class Options:
    """What is kept.

    Attributes
    ----------
    min_rating : interactions rated so or more; None for all
    k_core : iteratively drop users and items with fewer interactions, per domain; 0 keeps all
    unknown_items : ``keep`` items without metadata, their id for a title, or ``drop`` them
    bad_lines : ``error``, or ``skip`` and count lines that are not what they must be
    tables : ``csv``, ``parquet``, or ``auto`` by the number of rows
    dialect : names of columns and marks of the files
    """

    min_rating: float | None = None
    k_core: int = 0
    unknown_items: str = "keep"
    bad_lines: str = "error"
    tables: str = "auto"
    dialect: Dialect = PLAIN


def prepare(
    form: str,
    sources: Sequence[Source],
    out: str | Path,
    options: Options | None = None,
    progress: Progress = silent,
    engine: Engine = HERE,
) -> dict[str, Any]:
    """Write ``interactions``, ``items``, ``dataset.toml`` and perhaps ``images`` and ``relations``
    below ``out``.

    Nothing is downloaded. Items without interactions are left out, repeated interactions merged
    (the earliest stays), titles and descriptions made plain and cut.

    Parameters
    ----------
    form : a name in ``FORMATS``
    sources : domains, in the order that they are to be in
    out : a folder that does not exist or is empty
    progress : told (what, done, of how many) now and then, of what is done in this process
    engine : what reads and filters the domains, each where it finds the files

    Returns
    -------
    Counts per domain with what was dropped for which reason, the overlap, notes, ``seconds``.

    Raises
    ------
    ConfigError
        The format, an option or a domain's name is not usable.
    DataError
        One sentence with the file, the line and the mend; ``out`` is then left as it was.
    """
    started = time.perf_counter()
    chosen = options or Options()
    reader = _format(form)
    _check_options(chosen)
    _check_sources(sources, chosen)
    with new_folder(Path(out), "the dataset") as work:
        parts = list(
            engine.map(_part, _Reading(form, work, chosen, progress), map(_whole, sources))
        )
        tables = _tables(chosen.tables, parts)
        if there := {name for part in parts for name in part.names}:
            chosen.dialect.refuse_unmatched(there)
        pictures, copied = _pictures(sources, parts, work, progress)
        blanks = write_items(work, parts, pictures, tables)
        partial = write_interactions(work, parts, tables, progress)
        for part in parts:
            part.shelf.path.unlink()
        found = write_vectors(work, [_vectors(form, s) for s in sources], parts)
        found += _relations(work, form, sources, parts, tables)
        about = _about(reader, sources, chosen)
        (work / FILE).write_text(about, encoding="utf-8", newline="\n")
    domains = {
        p.name: _counts(p) | blank | ({"pictures": counts} if counts else {})
        for p, blank, counts in zip(parts, blanks, copied, strict=True)
    }
    return {
        "out": str(out),
        "format": form,
        "tables": tables,
        "domains": domains,
        "overlap": _overlap(parts),
        "notes": [*_notes(parts, partial), *found],
        "seconds": round(time.perf_counter() - started, 3),
    }


def _check_options(options: Options) -> None:
    choices = {
        "unknown-items": (options.unknown_items, ("keep", "drop")),
        "bad-lines": (options.bad_lines, ("error", "skip")),
        "tables": (options.tables, ("auto", "csv", "parquet")),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            raise ConfigError(f"--{name} is {quote(value)}; use {' or '.join(known)}")
    if options.min_rating is not None and not math.isfinite(options.min_rating):
        raise ConfigError(f"--min-rating is {options.min_rating}; give a finite number")
    if options.k_core < 0:
        raise ConfigError(f"--k-core is {options.k_core}; give 0 to keep all, or a positive number")


def _check_sources(sources: Sequence[Source], options: Options) -> None:
    """All of them before the first is read, which may take long.

    Names become folders, words of the command line and keys of ``dataset.toml``.
    """
    names = [s.name for s in sources]
    for k, name in enumerate(names):
        if not _NAME.fullmatch(name) or len(name) > MAX_DOMAIN:
            raise ConfigError(
                f"the domain cannot be called {quote(name)}; use at most {MAX_DOMAIN} letters, "
                "digits, '_', '-' and '.', the first a letter or digit"
            )
        if name in names[:k]:
            raise ConfigError(f"the domain {quote(name)} is given twice; rename or remove one")
    if not names:
        raise ConfigError("no domain is given; write --domain NAME=REVIEWS,META for each")
    for source in sources:
        for file, _ in split_of(source.interactions):
            check_file(file)
        if source.items is not None:
            check_file(source.items)
        elif options.unknown_items == "drop":
            raise ConfigError(
                f"the domain {quote(source.name)} has no file of items, so --unknown-items drop "
                "would leave nothing; give the file or leave the option out"
            )
        if source.pictures is not None and not source.pictures.is_dir():
            raise DataError(
                f"{quote(source.pictures, 200)} is no folder of pictures; check the path"
            )


def _format(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    close = nearest(name, list(FORMATS))
    mend = f"did you mean {quote(close)}" if close else f"use {', '.join(FORMATS)}"
    raise ConfigError(f"there is no raw format {quote(name)}; {mend}")


@dataclass(frozen=True)
class _Reading:
    """How domains are read; another process tells nobody how far it is."""

    form: str
    work: Path
    options: Options
    tell: Progress = silent

    def __reduce__(self) -> tuple[type[_Reading], tuple[str, Path, Options]]:
        return _Reading, (self.form, self.work.absolute(), self.options)


def _whole(source: Source) -> Source:
    """With whole paths, by which other processes find the files."""
    items = source.items and source.items.absolute()
    return replace(source, interactions=source.interactions.absolute(), items=items)


def _part(reading: _Reading, source: Source) -> Part:
    reader, work, options, tell = _format(reading.form), reading.work, reading.options, reading.tell
    skip = options.bad_lines == "skip"
    log = read_log(source.interactions, reader, skip, tell, options.dialect)
    scratch = work / f"{source.name}.arrow"
    if source.items is None:
        shelf = empty_shelf("no file of items", scratch)
    else:
        shelf = read_shelf(source.items, reader, skip, scratch, tell, options.dialect)
    tell(f"filtering {source.name}", 0, 0)
    rules = Rules(options.min_rating, options.unknown_items == "drop", options.k_core)
    return filter_log(source.name, log, shelf, rules)


def _vectors(form: str, source: Source) -> dict[str, Path]:
    """Files of vectors that a format keeps beside its interactions."""
    return mmrec.vectors(source.interactions) if form == "mmrec" else {}


def _relations(
    work: Path, form: str, sources: Sequence[Source], parts: Sequence[Part], tables: str
) -> list[str]:
    """Write ``relations`` of the ``NAME.kg`` that lie beside RecBole's interactions."""
    if form != "recbole":
        return []
    made = []
    for source, part in zip(sources, parts, strict=True):
        kg = source.interactions.with_name(f"{domain_of(source.interactions)}.kg")
        if kg.is_file():
            made.append(statements(*linked(kg), part.name, {*part.item.values.to_pylist()}))
    if not made:
        return []
    table = join_tables(made)
    columns = dict.fromkeys(RELATIONS.required, TEXT)
    with table_writer(work / RELATIONS.stem, columns, SUFFIXES[tables]) as add:
        add([table.columns[c] for c in columns])
    return [f"{counted(table.n_rows, 'relation')} of {table.name}."]


def _tables(wanted: str, parts: Sequence[Part]) -> str:
    if wanted != "auto":
        return wanted
    few = sum(len(p) for p in parts) <= CSV_INTERACTIONS
    return "csv" if few and sum(len(p.item.values) for p in parts) <= CSV_ITEMS else "parquet"


def _pictures(
    sources: Sequence[Source], parts: Sequence[Part], work: Path, tell: Progress
) -> tuple[list[list[str] | None], list[dict[str, int]]]:
    paths: list[list[str] | None] = []
    counts: list[dict[str, int]] = []
    for source, part in zip(sources, parts, strict=True):
        if source.pictures is None:
            paths.append(None)
            counts.append({})
            continue
        target = work / "images" / part.name
        found, count = copy_pictures(source.pictures, target, part.item.values.to_pylist(), tell)
        paths.append(found)
        counts.append(count)
    return paths, counts


def _about(reader: Format, sources: Sequence[Source], options: Options) -> str:
    """``dataset.toml``: the name, that it is real, the order of domains, and where it is from."""
    files = "; ".join(
        f"{s.name} from {quote(s.interactions.name, 80)}"
        + (f" and {quote(s.items.name, 80)}" if s.items else "")
        for s in sources
    )
    how = [f"{reader.label}: {files}"]
    how += [
        f"{', '.join(theirs)} read as {ours}" for ours, theirs in options.dialect.columns.items()
    ]
    if options.min_rating is not None:
        how.append(f"ratings of {options.min_rating:g} or more")
    if options.k_core > 1:
        how.append(f"{options.k_core}-core")
    if options.unknown_items == "drop":
        how.append("only items with metadata")
    how.append(f"titles cut at {TITLE_LIMIT} and descriptions at {DESCRIPTION_LIMIT:,} characters")
    name = " & ".join(label_of(s.name) for s in sources)
    return (
        f"name = {_toml(name)}\n"
        "synthetic = false\n"
        f"source = {_toml('; '.join(how))}\n"
        f"domains = [{', '.join(_toml(s.name) for s in sources)}]\n"
    )


def _toml(text: str) -> str:
    # A JSON string of printable characters is a basic string of TOML.
    return json.dumps(text, ensure_ascii=False)


def _counts(part: Part) -> dict[str, Any]:
    return {
        "users": len(part.user.values),
        "items": len(part.item.values),
        "interactions": len(part),
        "dropped": part.dropped,
        "metadata": {
            "used": int((part.rows >= 0).sum()),
            "bad line": part.shelf.skipped.count,
            "unused": int(len(part.shelf.ids) - (part.rows >= 0).sum()),
        },
    }


def _overlap(parts: Sequence[Part]) -> int:
    """Users with interactions in two domains or more."""
    ids = pc.value_counts(pa.concat_arrays([p.user.values for p in parts]))
    return int((ids.field("counts").to_numpy() > 1).sum())


def _notes(parts: Sequence[Part], partial: Sequence[str]) -> list[str]:
    notes = [
        f"Skipped {counted(skipped.count, 'line')} of {file}, the first: {skipped.first}."
        for part in parts
        for file, skipped in ((part.log, part.skipped), (part.shelf.name, part.shelf.skipped))
        if skipped.count
    ]
    notes += [
        f"The column {quote(column)} is left out, since not every domain has it."
        for column in partial
    ]
    if len(parts) < 2:
        notes.append(ONE_DOMAIN)
    elif not _overlap(parts):
        notes.append("No user is in two domains: nothing can be carried across.")
    return notes
