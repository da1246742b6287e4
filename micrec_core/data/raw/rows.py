"""Files to rows: interactions as codes in memory, products as texts in a scratch file."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from micrec_core.data.columns import two_units
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.progress import Progress
from micrec_core.data.raw.formats import Format
from micrec_core.data.raw.lines import BadLine, Interaction, Item, Lines
from micrec_core.data.schema import MAX_ID, counted, quote
from micrec_core.data.sources import domain_of, part_of
from micrec_core.data.text_table import Coded, encode
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.errors import DataError

Row = TypeVar("Row", bound=Interaction | Item)
_BLOCK = 1 << 16
_TEXTS = ("title", "description")


@dataclass
class Skipped:
    """Lines that were left out; ``first`` says which was the first and what is wrong with it."""

    count: int = 0
    first: str = ""


@dataclass(frozen=True)
class RawLog:
    """The interactions of one file, in its order.

    Attributes
    ----------
    name : of the file
    user, item : ids [n]
    rating, time : float64 [n], or None where the file has none
    split : int8 [n], TRAIN, VALID or TEST, or None where the file has none
    names : of the file's columns, as it calls them; none of records
    """

    name: str
    user: Coded
    item: Coded
    rating: NDArray[np.float64] | None
    time: NDArray[np.float64] | None
    skipped: Skipped
    split: NDArray[np.int8] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shelf:
    """The products of one file, in its order; their texts stay on disk.

    Attributes
    ----------
    name : of the file
    ids : large_string [n]
    path : an Arrow file with ``title``, ``description`` and the further columns [n]
    further : names of the further columns that say something of any product
    """

    name: str
    ids: pa.LargeStringArray
    path: Path
    skipped: Skipped
    names: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    def first_rows(self, wanted: pa.LargeStringArray) -> NDArray[np.int64]:
        """The first row of each wanted id; -1 where there is none."""
        found = pc.fill_null(pc.index_in(wanted, value_set=self.ids), -1)
        return found.to_numpy(zero_copy_only=False).astype(np.int64)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The texts, some tens of thousands at a time."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            for k in range(reader.num_record_batches):
                yield reader.get_batch(k)


def read_log(
    path: Path, form: Format, skip: bool, progress: Progress, dialect: Dialect = PLAIN
) -> RawLog:
    """Read the interactions of one file, or of the files of a split that it is one of.

    Parameters
    ----------
    skip : leave out and count lines that are not what they must be, instead of refusing the first

    Raises
    ------
    DataError
        Names the file, the line and the mend; also where no line is left.
    """
    users: list[pa.DictionaryArray] = []
    items: list[pa.DictionaryArray] = []
    numbers: list[NDArray[np.float64]] = []
    skipped = Skipped()
    for file, part in split_of(path):
        with Lines(file, dialect) as lines:
            rows = _rows(lines, form.interactions(lines), 2, skipped if skip else None)
            for block in _blocks(rows, lines, progress):
                user, item, *values = zip(*block, strict=True)
                users.append(_codes(user))
                items.append(_codes(item))
                if part is not None:
                    values[2:] = [(SPLIT_NAMES.index(part),) * len(user)]
                numbers.append(np.array(values, dtype=np.float64))
    _refuse_nothing(path.name, len(users), skipped)
    rating, time, *split = np.concatenate(numbers, axis=1)
    if not np.isnan(time[0]):
        _refuse_two_units(path, form, time, dialect)
    return RawLog(
        path.name,
        _joined(users),
        _joined(items),
        None if np.isnan(rating[0]) else rating,
        None if np.isnan(time[0]) else time,
        skipped,
        split[0].astype(np.int8) if split else None,
        lines.header,
    )


def split_of(path: Path) -> list[tuple[Path, str | None]]:
    """The files to read for one, and the part of the split that each is.

    Of ``NAME.train.inter`` the other parts are read too, and where ``NAME.inter`` is not there but
    its parts are, those.
    """
    name = domain_of(path)
    there = path.parent.glob(f"*{path.suffix}") if path.parent.is_dir() else ()
    parts = [(p, part) for p in sorted(there) if domain_of(p) == name and (part := part_of(p))]
    return [*parts] if parts and (part_of(path) or not path.exists()) else [(path, None)]


def _refuse_two_units(
    path: Path, form: Format, time: NDArray[np.float64], dialect: Dialect
) -> None:
    """A file whose times are, say, seconds in some lines and milliseconds in others."""
    found = two_units(time)
    if found is None:
        return
    wanted = {time[row]: unit for row, unit in found}
    said: list[str] = []
    with Lines(path, dialect) as lines:
        parse = form.interactions(lines)
        for line in lines:
            try:
                rows = parse(line)
            except BadLine:
                continue
            value = (rows[0] if isinstance(rows, list) else rows)[3]
            if unit := wanted.pop(value, None):
                said.append(f"{value:.0f} in line {lines.number}, as {unit} since 1970 are")
            if not wanted:
                break
    one = found[0][1]
    raise DataError(f"{path.name}: the times are {' and '.join(said)}; write all in {one}")


def empty_shelf(name: str, scratch: Path) -> Shelf:
    """No products: every item is then known by its id alone."""
    with pa.OSFile(str(scratch), "wb") as file, pa.ipc.new_file(file, _schema(_TEXTS)):
        pass
    return Shelf(name, pa.array([], pa.large_string()), scratch, Skipped())


def read_shelf(
    path: Path,
    form: Format,
    skip: bool,
    scratch: Path,
    progress: Progress,
    dialect: Dialect = PLAIN,
) -> Shelf:
    """Read products, their texts into the file ``scratch``; otherwise as ``read_log``."""
    ids: list[pa.LargeStringArray] = []
    skipped = Skipped()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with Lines(path, dialect) as lines, pa.OSFile(str(scratch), "wb") as file:
        rows = _rows(lines, form.items(lines), 1, skipped if skip else None)
        schema = _schema((*_TEXTS, *lines.further))
        saying: set[str] = set()
        with pa.ipc.new_file(file, schema, options=options) as writer:
            for block in _blocks(rows, lines, progress):
                item, *texts = (pa.array(c, pa.large_string()) for c in zip(*block, strict=True))
                ids.append(item)
                saying |= {
                    name
                    for name, column in zip(schema.names, texts, strict=True)
                    if pc.any(pc.not_equal(column, "")).as_py()
                }
                writer.write_batch(pa.record_batch(texts, schema=schema))
    _refuse_nothing(path.name, len(ids), skipped)
    further = tuple(name for name in lines.further if name in saying)
    return Shelf(path.name, pa.concat_arrays(ids), scratch, skipped, lines.header, further)


def _schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, pa.large_string()) for name in names])


def _rows(
    lines: Lines,
    parse: Callable[[bytes], Row | list[Row]],
    n_ids: int,
    skipped: Skipped | None,
) -> Iterator[Row]:
    """Rows of the good lines; the first bad one is refused unless there is a ``skipped``."""
    for line in lines:
        try:
            found = parse(line)
            several = found if isinstance(found, list) else [found]
            for row in several:
                for value in row[:n_ids]:
                    _check_id(str(value))
        except BadLine as error:
            if skipped is None:
                raise lines.refuse(f"{error}, or skip such lines (--bad-lines skip)") from error
            skipped.count += 1
            skipped.first = skipped.first or str(lines.refuse(str(error)))
        else:
            yield from several


def _blocks(rows: Iterator[Row], lines: Lines, progress: Progress) -> Iterator[list[Row]]:
    what = f"reading {lines.name} (MiB)"
    progress(what, *lines.megabytes())
    while block := list(islice(rows, _BLOCK)):
        yield block
        progress(what, *lines.megabytes())


def _check_id(value: str) -> None:
    """Refuse what the reader of tables refuses of an id (``columns.ids``)."""
    if value.isprintable() and 0 < len(value) <= MAX_ID and value == value.strip():
        return
    if not value:
        raise BadLine("an id is empty; fill it in")
    if value != value.strip():
        raise BadLine(f"the id {quote(value)} has white space around it; trim it")
    if len(value) > MAX_ID:
        raise BadLine(f"an id has {len(value):,} characters; use at most {MAX_ID}")
    kinds = {unicodedata.category(c) for c in value}
    if kinds & {"Cc", "Zl", "Zp"}:
        raise BadLine(f"the id {quote(value)} holds a control character; remove the character")
    if "Cs" in kinds:
        raise BadLine(f"the id {quote(value)} holds half a character; write it as UTF-8")


def _codes(values: Sequence[str]) -> pa.DictionaryArray:
    return pa.array(values, pa.large_string()).dictionary_encode()


def _joined(parts: Sequence[pa.DictionaryArray]) -> Coded:
    return encode(pa.concat_arrays(pa.chunked_array(parts).unify_dictionaries().chunks))


def _refuse_nothing(name: str, blocks: int, skipped: Skipped) -> None:
    if blocks:
        return
    if skipped.count:
        raise DataError(
            f"{skipped.first} (and so on: of {counted(skipped.count, 'line')} none can be read)"
        )
    raise DataError(f"{name} has a header but no row below it; add rows")
