"""What a Parquet file says of its pages, read before a library is asked to unpack any of them.

A footer may say little where a page says much: a file of a quarter of a megabyte took two gigabytes
for each thread that read it. And what pyarrow tells of a column chunk may end the process: a
footer that disagrees with itself is an exception that none of its callers catches. So both are read
here, strictly: whatever another reader could take for something else is refused.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from micrec_core.data.budget import Budget

# Of a file: two hundred million rows in ten columns have half as many.
_MOST_PAGES = 200_000
# Bytes of a page's head: few, but for the least and the largest value of long texts.
_HEAD, _LONG_HEAD = 1 << 12, 1 << 24
# One that is larger is none: read, it takes twenty times its bytes.
_MOST_FOOTER = 1 << 22
_DEPTH = 12
# Bytes of pages, one a column, that are looked at for a few rows.
_LOOKED_AT = 1 << 28
_TRUE, _FALSE, _BYTE, _INT, _LONG, _DOUBLE, _TEXT, _LIST, _SET, _STRUCT = (
    1, 2, 3, 5, 6, 7, 8, 9, 10, 12,
)  # fmt: skip
_WHOLE = (4, _INT, _LONG)
_BYTES = 6  # the physical type of texts
# What lists hold, by the numbers of the fields that lead there: readers take it as this, whatever
# the list itself says.
_META = (4, 1, 3)
_HOLD = {
    (2,): _STRUCT, (4,): _STRUCT, (5,): _STRUCT, (7,): _STRUCT, (4, 1): _STRUCT, (4, 4): _STRUCT,
    (*_META, 2): _INT, (*_META, 3): _TEXT, (*_META, 8): _STRUCT, (*_META, 13): _STRUCT,
    (*_META, 16, 2): _LONG, (*_META, 16, 3): _LONG, (*_META, 17, 2): _INT, (4, 1, 8, 2, 1): _TEXT,
}  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """What a footer says of one column of a group of rows."""

    column: str
    delta: bool  # written as what differs from the value before
    n_values: int
    begin: int
    end: int


@dataclass(frozen=True)
class Group:
    """What a footer says of a group of rows, and of its columns."""

    n_rows: int
    n_bytes: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class About:
    """What a footer says."""

    n_rows: int
    texts: tuple[str, ...]
    groups: tuple[Group, ...]


def open_parquet(stream: BinaryIO) -> tuple[pq.ParquetFile, About]:
    """Open a file, and what its footer says.

    Raises
    ------
    pa.ArrowException, OSError
        It is damaged, or its footer is too large to be one.
    """
    about = _footer(stream)
    stream.seek(0)
    return pq.ParquetFile(stream), about


def page_sizes(
    stream: BinaryIO, about: About, columns: Collection[str] | None = None
) -> Iterator[tuple[str, int]]:
    """Of each page its column and what it unpacks to, in bytes; of all columns or of some.

    Raises
    ------
    pa.ArrowInvalid
        Where a page should be there is none, or there are too many.
    """
    size, left = stream.seek(0, os.SEEK_END), _MOST_PAGES
    for chunk in (chunk for group in about.groups for chunk in group.chunks):
        if columns is not None and chunk.column not in columns:
            continue
        at = chunk.begin
        if not 0 <= at <= chunk.end <= size:
            raise pa.ArrowInvalid("pages that lie outside of the file")
        while at < chunk.end:
            unpacked, at = _page(stream, at)
            left -= 1
            if left < 0:
                raise pa.ArrowInvalid("too many pages")
            yield chunk.column, unpacked


def hold_pages(
    stream: BinaryIO, about: About, budget: Budget, name: str, columns: Collection[str]
) -> None:
    """Refuse pages of which those that are read at once, one a column, are beyond a table's budget.

    Raises
    ------
    DataError
        They are.
    pa.ArrowInvalid
        As ``page_sizes``.
    """
    largest: dict[str, int] = {}
    for column, size in page_sizes(stream, about, columns):
        largest[column] = max(size, largest.get(column, 0))
    if sum(largest.values()) > budget.left:
        budget.spend(sum(largest.values()), name)


def first_rows(
    stream: BinaryIO, file: pq.ParquetFile, about: About, name: str, n: int
) -> pa.RecordBatch | None:
    """At most the first ``n`` rows of a file; None where it has none.

    Raises
    ------
    DataError
        One page of each column would be too much to look at.
    pa.ArrowInvalid
        As ``page_sizes``.
    """
    hold_pages(stream, about, Budget(_LOOKED_AT), name, file.schema_arrow.names)
    return next(file.iter_batches(batch_size=n), None)


def _footer(stream: BinaryIO) -> About:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 8))
    end = stream.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != b"PAR1" or length > min(_MOST_FOOTER, size - 8):
        raise pa.ArrowInvalid("no footer, or one that is too large")
    stream.seek(size - 8 - length)
    try:
        told = _Thrift(stream.read(length)).struct()
        leaves = _leaves(told[2, _LIST])
        groups = tuple(_group(group, [name for name, _ in leaves]) for group in told[4, _LIST])
        return About(told[3, _LONG], tuple(name for name, is_text in leaves if is_text), groups)
    except (KeyError, IndexError) as error:
        raise pa.ArrowInvalid("a footer that lacks something") from error


def _leaves(elements: list[dict[tuple[int, int], Any]]) -> list[tuple[str, bool]]:
    """Of each column chunk the column that it is of, and whether that is one of texts."""
    found: list[tuple[str, bool]] = []
    column, left = "", 0  # of the column, how many elements of its tree are to come
    for element in elements[1:]:
        children, nested = element.get((5, _INT), 0), left > 0
        if not nested:
            column, left = element[4, _TEXT].decode(errors="replace"), 1
        left += children - 1
        if children < 0 or left < 0:
            raise pa.ArrowInvalid("a schema of no form")
        if not children:
            found.append((column, not nested and element.get((1, _INT)) == _BYTES))
    return found


def _group(told: dict[tuple[int, int], Any], columns: list[str]) -> Group:
    chunks = [one[3, _STRUCT] for one in told[1, _LIST]]
    if len(chunks) != len(columns):
        raise pa.ArrowInvalid("a group of rows that lacks columns, or has others")
    return Group(told[3, _LONG], told[2, _LONG], tuple(map(_chunk, chunks, columns)))


def _chunk(told: dict[tuple[int, int], Any], column: str) -> Chunk:
    begin, words = told[9, _LONG], told.get((11, _LONG), 0)
    if 0 < words < begin:
        begin = words
    delta = any(5 <= encoding <= 7 for encoding in told[2, _LIST])
    return Chunk(column, delta, told[5, _LONG], begin, begin + told[7, _LONG])


def _page(stream: BinaryIO, at: int) -> tuple[int, int]:
    """What the page at a place unpacks to, and where the next one begins."""
    for most in (_HEAD, _LONG_HEAD):
        stream.seek(at)
        head = _Thrift(stream.read(most))
        try:
            told = head.struct()
            break
        except IndexError:  # cut
            continue
    else:
        raise pa.ArrowInvalid("a page without an end")
    unpacked, packed = told.get((2, _INT), -1), told.get((3, _INT), -1)
    if unpacked < 0 or packed < 0:
        raise pa.ArrowInvalid("a page of no size")
    return unpacked, at + head.at + packed


@dataclass
class _Thrift:
    """Reads structs of Thrift's compact protocol; IndexError where the bytes are cut."""

    content: bytes
    at: int = 0

    def struct(self, path: tuple[int, ...] = ()) -> dict[tuple[int, int], Any]:
        """Values by the numbers of their fields and their kinds; a number is there once."""
        told: dict[tuple[int, int], Any] = {}
        seen: set[int] = set()
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            if not 0 < number < 2**15 or number in seen or len(path) > _DEPTH:
                raise pa.ArrowInvalid("fields that no writer writes")
            seen.add(number)
            told[number, kind] = (
                kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, (*path, number))
            )
        return told

    def _value(self, kind: int, path: tuple[int, ...]) -> Any:
        if kind in _WHOLE:
            return self._number(32 if kind == _INT else 64)
        if kind == _TEXT:
            return self._bytes(self._unsigned())
        if kind == _STRUCT:
            return self.struct(path)
        if kind in (_LIST, _SET):
            return self._list(kind, path)
        sizes = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8}
        if kind not in sizes:
            raise pa.ArrowInvalid("a value of unknown kind")
        return self._bytes(sizes[kind])

    def _list(self, kind: int, path: tuple[int, ...]) -> list[Any]:
        head = self._byte()
        n, of = head >> 4 if head >> 4 < 15 else self._unsigned(), head & 15
        if (kind == _LIST and n and _HOLD.get(path, of) != of) or len(path) > _DEPTH:
            raise pa.ArrowInvalid("a list of what it cannot hold")
        if n > len(self.content):
            raise IndexError
        return [self._value(of, path) for _ in range(n)]

    def _number(self, bits: int) -> int:
        value = self._signed()
        # What is cut to fewer bits elsewhere would be another number there.
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise pa.ArrowInvalid("a number out of its range")
        return value

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _bytes(self, n: int) -> bytes:
        self.at += n
        if self.at > len(self.content):
            raise IndexError
        return self.content[self.at - n : self.at]

    def _unsigned(self) -> int:
        found = shift = 0
        while (byte := self._byte()) > 127:
            found |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise pa.ArrowInvalid("a number of more than 64 bits")
        return found | byte << shift

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)
