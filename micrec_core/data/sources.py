"""Finding a dataset's files and getting their bytes, before anything is parsed."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from micrec_core.data.schema import INTERACTIONS, ITEMS, MAX_TABLE_BYTES, Schema
from micrec_core.errors import DataError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".jsonl", ".jsonl.gz")
BOM = b"\xef\xbb\xbf"
_MAGIC = (
    (b"\x1f\x8b", "gzip-compressed", ".gz"),
    (b"PAR1", "a parquet file", ".parquet"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", ""),
    (b"\x89PNG", "a picture", ""),
    (b"%PDF", "a PDF", ""),
)


@dataclass(frozen=True)
class Sources:
    """The files of a dataset; ``atomic`` says that they are RecBole's."""

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
    tables = {schema.stem: _candidates(root, schema) for schema in (INTERACTIONS, ITEMS)}
    atomic = sorted({*root.glob("*.inter"), *root.glob("*/*.inter")})
    if atomic and tables["interactions"]:
        raise DataError(
            f"{root.name} holds both {tables['interactions'][0].name} and {atomic[0].name}; "
            "keep one kind of table"
        )
    if atomic:
        return Sources(tuple(atomic), tuple(_beside(path) for path in atomic), True)
    for stem, found in tables.items():
        if not found:
            raise DataError(
                f"{root.name} has no {stem} table; add {stem}.csv (or {', '.join(SUFFIXES[1:])})"
            )
        if len(found) > 1:
            names = " and ".join(p.name for p in found)
            raise DataError(f"{root.name} holds {names}, and only one can be meant; keep one")
    return Sources((tables["interactions"][0],), (tables["items"][0],), False)


def read_bytes(path: Path, limit: int = MAX_TABLE_BYTES) -> bytes:
    """The bytes of a text table, decompressed, without a byte order mark.

    Raises
    ------
    DataError
        The file is missing, empty, not what its name says, too large, or holds NUL bytes.
    """
    try:
        data = _gunzip(path, limit) if path.suffix == ".gz" else path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}); check the file") from error
    check_head(data, path.name)
    data = data.removeprefix(BOM)
    if not data.strip():
        raise DataError(f"{path.name} is empty; write a header and rows into it")
    nul = data.find(b"\0")
    if nul >= 0:
        line = line_at(data, nul)
        raise DataError(f"{path.name}, line {line}: there is a NUL byte; save the file as text")
    return data


def check_head(data: bytes, name: str) -> None:
    """Refuse what by its first bytes is no UTF-8 text, or text of another kind than ``name`` says.

    Raises
    ------
    DataError
        The bytes are those of a compressed file, a parquet file, a picture, UTF-16 and the like.
    """
    for magic, what, suffix in _MAGIC:
        if data.startswith(magic):
            mend = f"give its name the ending {suffix}" if suffix else "save it as plain text"
            raise DataError(f"{name}: the content is {what}, not what its name says; {mend}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name}, line 1: the text is UTF-16, not UTF-8; save it as UTF-8")


def line_at(data: bytes, offset: int) -> int:
    """1-based line that the byte at ``offset`` is on, whatever the line ends are."""
    head = data[:offset]
    newlines = head.count(b"\n")
    return 1 + (newlines if newlines or b"\n" in data else head.count(b"\r"))


def _gunzip(path: Path, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(1 << 22):
                size += len(chunk)
                if size > limit:
                    raise DataError(
                        f"{path.name} unpacks to more than {limit >> 20:,} MiB; split the dataset"
                    )
                chunks.append(chunk)
    except gzip.BadGzipFile as error:
        raise DataError(
            f"{path.name} is not a gzip file, though its name says so; compress it or drop .gz"
        ) from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file; copy or make it again") from error
    return b"".join(chunks)


def _candidates(root: Path, schema: Schema) -> list[Path]:
    paths = (root / (schema.stem + suffix) for suffix in SUFFIXES)
    return [p for p in paths if p.exists() or p.is_symlink()]


def _beside(inter: Path) -> Path:
    items = inter.with_suffix(".item")
    if not items.exists():
        raise DataError(f"{inter.name} has no {items.name} beside it; add the item table")
    return items


def delimiter_of(path: Path) -> str:
    """Comma or tab, by the name."""
    return "\t" if ".tsv" in path.suffixes[-2:] else ","
