"""Finding a dataset's files and getting their bytes, before anything is parsed."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from micrec_core.data.budget import Budget
from micrec_core.data.foreign import GZIP, HEAD, by_ending, refuse_foreign, wide_encoding
from micrec_core.data.schema import INTERACTIONS, ITEMS, RELATIONS, Schema, listed, quote
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.errors import DataError

SUFFIXES = (
    ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".jsonl", ".jsonl.gz", ".arrow", ".feather"
)  # fmt: skip
# Tables as RecBole writes them: tabs, and typed names of columns.
ATOMIC = (".inter", ".item", ".kg", ".link")
_STEMS = tuple(schema.stem for schema in (INTERACTIONS, ITEMS, RELATIONS))
# What Hive calls a partition of rows that have no value.
_HIVE_NOTHING = "__HIVE_DEFAULT_PARTITION__"
BOM = b"\xef\xbb\xbf"
_MANY = 1 << 24
NOT_UTF8 = "the text is not UTF-8; save it as UTF-8, or say what it is, such as --encoding cp1252"


@dataclass(frozen=True)
class Sources:
    """The files of a dataset, several where a table lies in parts.

    ``atomic`` says that they are RecBole's; there may then be fewer items than interactions.
    """

    interactions: tuple[Path, ...]
    items: tuple[Path, ...]
    atomic: bool


def find_sources(root: Path) -> Sources:
    """The table files of a dataset folder.

    Raises
    ------
    DataError
        The folder or a table is missing, or there are two candidates for one table.
    """
    if not root.exists():
        raise DataError(f"the dataset folder {root} does not exist; check the path")
    if not root.is_dir():
        raise DataError(f"{root} is a file; give the folder that holds the tables")
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(f"the dataset folder {root} may not be read; change its permissions")
    tables = {schema.stem: _candidates(root, schema) for schema in (INTERACTIONS, ITEMS)}
    inter = {*root.glob("*.inter"), *root.glob("*/*.inter")}
    atomic = sorted(path for path in inter if not _hidden(path, root))
    if atomic and tables["interactions"]:
        raise DataError(
            f"{root.name} holds both {tables['interactions'][0].name} and {atomic[0].name}; "
            "keep one kind of table"
        )
    if atomic:
        beside = (_beside(path) for path in atomic)
        return Sources(tuple(atomic), tuple(dict.fromkeys(b for b in beside if b)), True)
    for stem, found in tables.items():
        if not found:
            raise _no_table(root, stem)
    return Sources(tables_of(root, INTERACTIONS), tables_of(root, ITEMS), False)


def _no_table(root: Path, stem: str) -> DataError:
    files = sorted(p.name for p in root.iterdir() if p.is_file() and not _hidden(p, root))
    others = [name for name in files if name.split(".")[0] not in _STEMS and name != "dataset.toml"]
    said = f"{root.name} has no {stem} table"
    mend = f"add {stem}.csv (or {', '.join(SUFFIXES[1:])})"
    near = [name for name in files if name.lower().startswith(stem)] or others
    if near and (told := by_ending(near[0], stem)):
        what, mend = told
        return DataError(f"{said}, and {quote(near[0])} is {what}; {mend}")
    if near:
        said += f" (there are {listed(near, len(near))})"
        mend += ", or give the file that is one this name and the ending of its kind"
    return DataError(f"{said}; {mend}")


def tables_of(root: Path, schema: Schema) -> tuple[Path, ...]:
    """The files of one table of a dataset folder; none where it has none.

    Raises
    ------
    DataError
        There are two candidates for it.
    """
    found = _candidates(root, schema)
    if len(found) > 1:
        names = " and ".join(p.name for p in found)
        raise DataError(f"{root.name} holds {names}, and only one can be meant; keep one")
    return _parts(found[0]) if found else ()


def read_bytes(path: Path, budget: Budget | None = None, *, encoding: str = "") -> bytes:
    """The bytes of a text table, decompressed, as UTF-8 without a byte order mark.

    Raises
    ------
    DataError
        The file is missing, empty, not what its name says, too large, or holds NUL bytes.
    """
    try:
        with open_regular(path) as stream:
            # Grows in place, where a list of pieces would be there twice as they are joined.
            whole = io.BytesIO()
            whole.writelines(pieces(stream, path, budget or Budget()))
            data = whole.getvalue()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}); check the file") from error
    if encoding:
        data = _recoded(data, path.name, encoding)
    check_head(data[:HEAD], path.name)
    while data.startswith(BOM):
        data = data.removeprefix(BOM)
    if not data.strip():
        raise DataError(f"{path.name} is empty; write a header and rows into it")
    nul = data.find(b"\0")
    if nul >= 0:
        what = "there is a NUL byte; save the file as text"
        if not data[nul:].strip(b"\0"):
            what = "there are NUL bytes to the end, as of a file that was cut off; copy it again"
        raise DataError(f"{path.name}, line {line_at(data, nul)}: {what}")
    return data


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, at once: a pipe without a writer is not waited for.

    Raises
    ------
    DataError
        It is a pipe, a device, a socket or a folder.
    OSError
        It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{path.name} is not a regular file; copy its content into one")
    return os.fdopen(descriptor, "rb", buffering=0)


def check_head(data: bytes, name: str) -> None:
    """Refuse what by its first bytes is no UTF-8 text, or text of another kind than ``name`` says.

    Raises
    ------
    DataError
        The bytes are those of a compressed file, a parquet file, a picture, UTF-16 and the like.
    """
    refuse_foreign(data, name)
    wide = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else wide_encoding(data)
    if wide:
        raise DataError(
            f"{name}, line 1: the text is UTF-16; save it as UTF-8, or say --encoding {wide}"
        )


def _recoded(data: bytes, name: str, encoding: str) -> bytes:
    if _is_utf8(data):  # one table may be so beside another, and no text of another encoding is
        return data
    try:
        return data.decode(encoding).encode("utf-8")
    except (UnicodeError, LookupError) as error:
        at = line_at(data, error.start) if isinstance(error, UnicodeDecodeError) else 1
        raise DataError(
            f"{name}, line {at}: the text is not {encoding}; say another --encoding"
        ) from error


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def arrow_bytes(data: bytes) -> pa.Buffer:
    """Bytes as Arrow's parsers take them, in memory of its own unless they are many.

    Its threads may be the last to let go of them, and where those are Python's that ends a process
    which is exiting, as it is at once after a refusal. Of many the checks take longer than that.
    """
    if len(data) > _MANY:
        return pa.py_buffer(data)
    out = pa.allocate_buffer(len(data))
    np.frombuffer(out, np.uint8)[:] = np.frombuffer(data, np.uint8)
    return out


def line_at(data: bytes, offset: int) -> int:
    """1-based line that the byte at ``offset`` is on, whatever the line ends are."""
    head = data[:offset]
    newlines = head.count(b"\n")
    return 1 + (newlines if newlines or b"\n" in data else head.count(b"\r"))


def pieces(stream: BinaryIO, path: Path, budget: Budget) -> Iterator[bytes]:
    """The unpacked bytes of an open file, one piece after the other.

    Raises
    ------
    DataError
        The file is not what its name says, is damaged or unpacks to too much.
    """
    source = gzip.GzipFile(fileobj=stream) if path.suffix == ".gz" else stream
    try:
        while piece := source.read(1 << 22):
            budget.spend(len(piece), path.name)
            budget.tell(path, stream.tell())
            yield piece
    except gzip.BadGzipFile as error:
        stream.seek(0)
        refuse_foreign(stream.read(HEAD), path.name, GZIP)
        raise DataError(
            f"{path.name} is not a gzip file, though its name says so; compress it or drop .gz"
        ) from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file; copy or make it again") from error


def _candidates(root: Path, schema: Schema) -> list[Path]:
    paths = (root / (schema.stem + suffix) for suffix in (*SUFFIXES, ""))
    return [p for p in paths if p.exists() or p.is_symlink()]


def _parts(table: Path) -> tuple[Path, ...]:
    """The files of a table: itself, or those in a folder as Spark, Hive and others write it.

    Raises
    ------
    DataError
        The folder holds no table, or tables of several kinds.
    """
    if not table.is_dir():
        return (table,)
    files = [p for p in sorted(table.rglob("*")) if p.is_file() and not _hidden(p, table)]
    kinds = {s: [p for p in files if p.name.endswith(s)] for s in SUFFIXES}
    found = {s: parts for s, parts in kinds.items() if parts}
    if not found:
        there = f" ({quote(files[0].name)} has no ending of one)" if files else ""
        raise DataError(
            f"{table.name} is a folder without a table in it{there}; put parts into it, such as "
            "part-0.parquet or part-0.jsonl, or a file in its place"
        )
    if len(found) > 1:
        raise DataError(
            f"{table.name} holds parts of several kinds ({', '.join(found)}); keep one kind"
        )
    return tuple(next(iter(found.values())))


def partitions(part: Path) -> dict[str, str]:
    """Column -> value of the folders that a part lies in, as Hive names them: ``domain=food``."""
    pairs = (folder.partition("=") for folder in _below_table(part))
    return {
        column: "" if value == _HIVE_NOTHING else unquote(value)
        for column, equals, value in pairs
        if equals
    }


def split_named(part: Path) -> str | None:
    """The part of a split that a part of a table, or its folder, is named after, as Hugging Face
    does: ``train/data-00000-of-00001.arrow``, ``test-00000-of-00001.parquet``.
    """
    folders = _below_table(part)
    if not folders and part.parent.name.split(".")[0] not in _STEMS:
        return None
    words = (*folders, part.name.split(".")[0].split("-")[0])
    return next((word for word in map(_split_word, words) if word), None)


def _below_table(part: Path) -> list[str]:
    """Names of the folders between a table's own and a part of it, the nearest first."""
    names = [folder.name for folder in part.parents]
    tables = (k for k, name in enumerate(names) if name.split(".")[0] in _STEMS)
    return names[: next(tables, 0)]


def _hidden(path: Path, root: Path) -> bool:
    """Whether a system, an editor or Spark made it for itself: ``._a``, ``_SUCCESS``, ``a~``."""
    names = path.relative_to(root).parts
    return any(n.startswith((".", "_")) or n.endswith(("~", ".crc")) for n in names)


def _beside(inter: Path) -> Path | None:
    """The items of a file of interactions; of ``a.train.inter`` they are in ``a.item`` too."""
    return next(
        (
            p
            for p in (inter.with_suffix(".item"), inter.parent / f"{domain_of(inter)}.item")
            if p.exists()
        ),
        None,
    )


def part_of(inter: Path) -> str | None:
    """The part of RecBole's own split, as in ``NAME.train.inter``; None of other files."""
    name, _, part = inter.stem.rpartition(".")
    return _split_word(part) if name else None


def _split_word(word: str) -> str | None:
    """A part of a split by what others call it too; None of other words."""
    ours = "valid" if word in ("val", "validation", "dev") else word
    return ours if ours in SPLIT_NAMES else None


def domain_of(inter: Path) -> str:
    """The domain that an atomic file is named after."""
    return inter.stem.rpartition(".")[0] if part_of(inter) else inter.stem


def delimiter_of(path: Path) -> str:
    """Comma or tab, by the name."""
    return "\t" if ".tsv" in path.suffixes[-2:] else ","
