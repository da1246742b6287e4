"""Parquet files that lie of themselves: any number of the footer or of a page's head is another.

Both are structs of Thrift's compact protocol, read here as lists of fields without their meaning,
so that what no writer would write can be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

Random = np.random.Generator
LIES = (
    -1, 0, 1, 2, 7, 2**15, 2**20, 2**28, 2**31 - 1, -(2**31), 2**32, 2**40, 2**62, 2**63 - 1,
)  # fmt: skip
_TRUE, _FALSE, _BYTE, _DOUBLE, _TEXT, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)


@dataclass
class Field:
    """A value and its kind; of a list, the kind of its members in ``of``."""

    kind: int
    value: Any
    number: int = 0
    of: int = 0


@dataclass
class Reader:
    """Reads structs out of bytes."""

    content: bytes
    at: int = 0

    def whole(self) -> int:
        result = shift = 0
        while True:
            byte = self.content[self.at]
            self.at += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def signed(self) -> int:
        found = self.whole()
        return (found >> 1) ^ -(found & 1)

    def bytes(self, n: int) -> bytes:
        self.at += n
        return self.content[self.at - n : self.at]

    def struct(self) -> list[Field]:
        fields: list[Field] = []
        number = 0
        while (head := self.bytes(1)[0]) != 0:
            number = number + (head >> 4) if head >> 4 else self.signed()
            fields.append(self.value(head & 15, number))
        return fields

    def value(self, kind: int, number: int = 0, member: bool = False) -> Field:
        if kind in (_TRUE, _FALSE):
            return Field(kind, self.bytes(1)[0] if member else None, number)
        if kind in _WHOLE:
            return Field(kind, self.signed(), number)
        if kind == _TEXT:
            return Field(kind, self.bytes(self.whole()), number)
        if kind in (_LIST, _SET):
            head = self.bytes(1)[0]
            n = head >> 4 if head >> 4 < 15 else self.whole()
            members = [self.value(head & 15, member=True) for _ in range(n)]
            return Field(kind, members, number, head & 15)
        if kind == _STRUCT:
            return Field(kind, self.struct(), number)
        return Field(kind, self.bytes({_BYTE: 1, _DOUBLE: 8}[kind]), number)


def _whole(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes((*out, n))


def _signed(n: int) -> bytes:
    return _whole((n << 1) ^ (n >> 63) if n < 0 else n << 1)


def written(fields: list[Field]) -> bytes:
    """A struct as bytes."""
    return b"".join(bytes((f.kind,)) + _signed(f.number) + _value(f) for f in fields) + b"\x00"


def _value(one: Field) -> bytes:
    if one.kind in (_TRUE, _FALSE):
        return b"" if one.value is None else bytes((one.value,))
    if one.kind in _WHOLE:
        return _signed(one.value)
    if one.kind == _TEXT:
        return _whole(len(one.value)) + one.value
    if one.kind in (_LIST, _SET):
        return bytes((240 | one.of,)) + _whole(len(one.value)) + b"".join(map(_value, one.value))
    return written(one.value) if one.kind == _STRUCT else bytes(one.value)


# Lies ---------------------------------------------------------------------------------------------


def footer(content: bytes) -> tuple[list[Field], bytes]:
    """The footer's fields, and all that comes before it."""
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return Reader(content[end:-8]).struct(), content[:end]


def sealed(body: bytes, fields: list[Field]) -> bytes:
    """A file with that footer."""
    packed = written(fields)
    return body + packed + len(packed).to_bytes(4, "little") + b"PAR1"


def lie(content: bytes, rng: Random) -> tuple[str, bytes]:
    """A number of the footer or of a page's head is another, or a page unpacks to much."""
    way = int(rng.integers(4))
    if way == 0:
        return _bytes(content, rng)
    fields, body = footer(content)
    if way == 1:
        return f"footer: {_number(fields, rng)}", sealed(body, fields)
    chunks = [chunk for group in part(fields, 4) for chunk in part(group.value, 1)]
    about = part(chunks[int(rng.integers(len(chunks)))].value, 3)
    if way == 2:
        how, change = "a page's head", lambda head, data: (_number(head, rng), data)[1]
    else:
        size = int(rng.choice([2**26, 2**28]))
        how, change = f"a page of {size} zeros", lambda head, data: bomb(head, about, size)
    return how, sealed(repaged(body, about, change, int(rng.integers(2))), fields)


def _bytes(content: bytes, rng: Random) -> tuple[str, bytes]:
    """Bytes of the footer, or of its length, are others."""
    length = min(int.from_bytes(content[-8:-4], "little"), len(content) - 8)
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        data[len(data) - 5 - int(rng.integers(length + 4))] = int(rng.integers(256))
    return "bytes of the footer", bytes(data)


def part(fields: list[Field], number: int) -> Any:
    """The value of a field."""
    return next(one.value for one in fields if one.number == number)


def _number(fields: list[Field], rng: Random) -> str:
    """Change one whole number somewhere below; what was done."""
    found = [(one, path) for one, path in _numbers(fields, "")]
    one, path = found[int(rng.integers(len(found)))]
    near = one.value + int(rng.choice([-1, 1]))
    one.value = near if rng.random() < 0.3 else int(rng.choice(np.array(LIES, object)))
    return f"{path} = {one.value}"


def _numbers(fields: list[Field], path: str) -> list[tuple[Field, str]]:
    found = []
    for place, one in enumerate(fields):
        name = f"{path}.{one.number or place}"
        if one.kind in _WHOLE:
            found.append((one, name))
        elif one.kind in (_LIST, _SET, _STRUCT):
            found += _numbers(one.value, name)
    return found


def repaged(
    body: bytes, about: list[Field], change: Callable[[list[Field], bytes], bytes], place: int
) -> bytes:
    """The column chunk once more behind all others, one of its pages changed; ``about`` it."""
    words = next((one for one in about if one.number == 11), None)
    data, length = (next(one for one in about if one.number == n) for n in (9, 7))
    begin = min(data.value, words.value) if words else data.value
    pages = list(_pages(body, begin, begin + length.value))
    place %= len(pages)
    made = b""
    for k, (at, head, content) in enumerate(pages):
        if at == data.value:
            data.value = len(body) + len(made)
        if words and at == words.value:
            words.value = len(body) + len(made)
        content = change(head, content) if k == place else content
        made += written(head) + content
    length.value = len(made)
    return body + made


def _pages(body: bytes, at: int, end: int) -> Iterator[tuple[int, list[Field], bytes]]:
    while at < end:
        reader = Reader(body, at)
        head = reader.struct()
        behind = reader.at + part(head, 3)
        yield at, head, body[reader.at : behind]
        at = behind


def bomb(head: list[Field], about: list[Field], size: int) -> bytes:
    """Zeros for a page, packed; its head is told, and the chunk of its codec."""
    # A frame for each MiB: made whole, it would take as much here.
    packed = pa.Codec("zstd").compress(bytes(1 << 20), asbytes=True) * (size >> 20)
    for number, value in ((2, size), (3, len(packed))):
        next(one for one in head if one.number == number).value = value
    next(one for one in about if one.number == 4).value = 6
    return bytes(packed)
