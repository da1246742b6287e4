"""The lines of a file of any size, counted; plain or gzip-compressed, by the name."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.foreign import GZIP, HEAD, refuse_foreign
from micrec_core.data.schema import quote
from micrec_core.data.sources import BOM, NOT_UTF8, check_head
from micrec_core.errors import DataError

# A line beyond this is no review and no item, but a file without line ends or a bomb.
MAX_LINE = 16 << 20
_BUFFER = 1 << 20


# (user id, item id, rating, time), the last two NaN where a file has none, and a split where it has
# one; (item id, title, description, one for each of ``Lines.further``), the texts clean.
Interaction = tuple[str, str, float, float] | tuple[str, str, float, float, float]
Item = tuple[str, ...]


class BadLine(ValueError):
    """What is wrong with one line, and the mend, as the end of a sentence."""


def decoded(line: bytes) -> str:
    """The text of a line; BadLine where it is not UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLine(NOT_UTF8) from error


def check_file(path: Path) -> None:
    """DataError where there is nothing at ``path``, or a folder."""
    if "\0" in str(path) or not path.exists():
        raise DataError(f"{quote(path, 200)} does not exist; check the path")
    if path.is_dir():
        raise DataError(f"{quote(path, 200)} is a folder; give the file")


def _is_wide(encoding: str) -> bool:
    """Whether the end of a line is more than one byte in it."""
    return bool(encoding) and len("\n".encode(encoding)) > 1


class _Recoded(io.RawIOBase):
    """A stream of text of any encoding, as UTF-8."""

    def __init__(self, source: io.BufferedReader[Any], encoding: str) -> None:
        self._source, self._left = source, b""
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = self._source.read(_BUFFER)
            self._left = self._decoder.decode(chunk, final=not chunk).encode("utf-8")
            if not chunk:
                break
        given = self._left[: len(buffer)]
        buffer[: len(given)], self._left = given, self._left[len(given) :]
        return len(given)


class Lines:
    """The lines of one file that are not blank, each with its line end.

    Iterating again goes on where the last iteration stopped, so that a header can be taken first.

    Attributes
    ----------
    name : the file's name, for messages
    number : 1-based line that was given last
    dialect : names of columns and marks that were given for it
    separator : between its columns, once it was looked for; empty where it never was
    header : names of its columns as it calls them, once they were read; none of records
    sequences : those of them that hold several values with spaces between
    further : what is kept of an item beside its title and description, once the format is known
    """

    def __init__(self, path: Path, dialect: Dialect = PLAIN) -> None:
        """Open the file; DataError where that cannot be."""
        self.dialect = dialect
        self.separator = ""
        self.header: tuple[str, ...] = ()
        self.further: tuple[str, ...] = ()
        self.sequences: frozenset[str] | set[str] = frozenset()
        self._peeked: bytes | None = None
        check_file(path)
        self.name = path.name
        self.number = 0
        self._given = 0
        try:
            self._size = path.stat().st_size
            self._file = io.BufferedReader(io.FileIO(path), _BUFFER)
        except OSError as error:
            raise DataError(f"'{path}' cannot be read ({error.strerror}); check it") from error
        self._text: io.BufferedReader[Any] = self._file
        if path.suffix == ".gz":
            self._text = io.BufferedReader(gzip.GzipFile(fileobj=self._file), _BUFFER)
        if wide := _is_wide(dialect.encoding):
            self._text = io.BufferedReader(_Recoded(self._text, dialect.encoding), _BUFFER)
        self._encoding = "" if wide else dialect.encoding

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        """Lines that are not blank.

        Raises
        ------
        DataError
            The file has none, a line is far too long, or the compressed file is cut short.
        """
        try:
            if self.number == 0:
                self._head()
            if self._peeked is not None:
                line, self._peeked = self._peeked, None
                yield line
            while line := self._text.readline(MAX_LINE + 1):
                self.number += 1
                if len(line) > MAX_LINE:
                    raise self.refuse(
                        f"the line is longer than {MAX_LINE >> 20} MiB; break the file into lines"
                    )
                if not line.isspace():
                    self._given += 1
                    yield self._recoded(line) if self._encoding else line
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            # What was unpacked but not yet given is lost: the damage is there or later.
            raise DataError(
                f"{self.name}, line {self.number + 1} or later: the gzip file is cut short or "
                "damaged; copy or download it again"
            ) from error
        except UnicodeError as error:
            raise DataError(
                f"{self.name}, line {self.number + 1} or later: the text is not "
                f"{self.dialect.encoding}; say another --encoding"
            ) from error
        except OSError as error:
            problem = f"the rest cannot be read ({error.strerror}); copy the file again"
            raise self.refuse(problem) from error
        if not self._given:
            raise DataError(f"{self.name} is empty; give a file with a line for each row")

    def peek(self) -> bytes:
        """The next line that is not blank, which stays the next one."""
        if self._peeked is None:
            self._peeked = next(iter(self))
        return self._peeked

    def _recoded(self, line: bytes) -> bytes:
        try:
            return line.decode(self._encoding).encode("utf-8")
        except UnicodeError as error:
            raise self.refuse(
                f"the text is not {self.dialect.encoding}; say another --encoding"
            ) from error

    def refuse(self, problem: str) -> DataError:
        """The error that names the file and the line given last."""
        return DataError(f"{self.name}, line {self.number}: {problem}")

    def megabytes(self) -> tuple[int, int]:
        """(read so far, in all) of the file on disk; 0 of 0 for a pipe."""
        if not self._size:
            return 0, 0
        return self._file.tell() >> 20, self._size >> 20

    def _head(self) -> None:
        packed = self._file.peek(HEAD)[:HEAD]
        if self.name.endswith(".gz") and packed and not packed.startswith(GZIP):
            refuse_foreign(packed, self.name)
            raise DataError(
                f"{self.name} is not a gzip file, though its name says so; compress it or drop .gz"
            )
        head = self._text.peek(HEAD)[:HEAD]
        check_head(head, self.name)
        if head.startswith(BOM):
            self._text.read(len(BOM))
