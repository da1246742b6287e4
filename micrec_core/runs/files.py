"""Reading and writing single files of a run: safe paths, atomic writes, hashes.

Only JSON, Parquet and safetensors are ever read; none of them can carry code.
"""

import glob
import hashlib
import json
import mmap
import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.errors import DataError, RunError
from micrec_core.runs.json_limits import MOST_BYTES, MOST_LISTED, parse_json

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", re.ASCII)
PARTIAL = ".partial"
LISTED = ("run.json", "manifest.json")
# Bytes from which on a tensor is worth a map of its own pages.
_LARGE = 2**20
# Of one safetensors file; a run of thirty domains has some ten thousand.
_MOST_TENSORS = 100_000
# What safetensors calls NumPy's types, in the order in which it writes them.
_DTYPES = {
    "u8": "U64", "i8": "I64", "f8": "F64", "f4": "F32", "u4": "U32", "i4": "I32", "f2": "F16",
    "u2": "U16", "i2": "I16", "i1": "I8", "u1": "U8", "b1": "BOOL",
}  # fmt: skip
_PLACE = {kind: place for place, kind in enumerate(_DTYPES)}


def inside(root: Path, relative: str) -> Path:
    """Return the path of `relative` in the run at `root`, refusing whatever could lead out of it.

    Raises
    ------
    RunError
        If `relative` is absolute, has ``..`` or odd characters, or passes through a link.
    """
    parts = relative.split("/") if isinstance(relative, str) else []
    if not parts or not all(_PART.fullmatch(part) and ".." not in part for part in parts):
        raise RunError(f"Run '{root.name}' names the file {relative!r}, which is outside of it.")
    path = root
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise RunError(
                f"Run '{root.name}' has a link at '{relative}', and links are not followed: "
                "replace it by the file itself."
            )
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success its content becomes `path` at one stroke.

    The content is on disk (fsync) before the name changes, so a crash or a power cut leaves either
    the old file or the new one, whole.
    """
    temporary = partial_path(path)
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_out(path: Path, text: str) -> None:
    """Write what a user asked for to the file they named, whatever stands there.

    A link stays one and what it points to is replaced; a pipe gets the text; nothing but a file is
    ever replaced.

    Raises
    ------
    DataError
        A device or a socket is there, or the file cannot be written.
    """
    try:
        there = path.stat().st_mode if path.exists() else None
        if there is not None and stat.S_ISFIFO(there):
            path.write_text(text, encoding="utf-8")
            return
        if there is not None and not (stat.S_ISREG(there) or stat.S_ISDIR(there)):
            raise DataError(f"'{path}' is a device or a socket; give a file or a pipe")
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be written ({error.strerror}); choose another --out"
        ) from None


def _sweep(path: Path) -> None:
    """Remove what processes of this computer that were killed have left of a file."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        pid = left.name.removeprefix(f".{path.name}.").split(".")[0]
        if pid.isdecimal() and 1 < int(pid) < 2**31:
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                left.unlink(missing_ok=True)
            except OSError:  # somebody else's
                continue


def partial_path(path: Path) -> Path:
    """Return the name under which `path` is written before it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{PARTIAL}")


def sync(path: Path) -> None:
    """Have the system write `path` (a file or a folder) to disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def without_nan(value: Any) -> Any:
    """Return `value` with NaN and infinities as None and NumPy scalars as Python ones.

    JSON knows neither, and a file that other readers refuse is no record.
    """
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return without_nan(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [without_nan(item) for item in value]
    if isinstance(value, np.generic):
        return without_nan(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested settings as one level, their keys joined by dots."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        out |= flat(value, f"{before}{key}.") if nested else {before + key: value}
    return out


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, not caring for a half-written file."""
    text = json.dumps(without_nan(value), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write `frame` to `path` without its index.

    Raises
    ------
    ValueError
        A column does not hold what one of its name does (`tables`): it could not be read again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from micrec_core.runs.tables import hold_table

    table = pa.Table.from_pandas(frame, preserve_index=False)
    hold_table(table)
    # Fractions of which hardly one comes again take less byte by byte than by a dictionary.
    fractions = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    split = [name for name in fractions if 2 * frame[name].nunique() > len(frame)]
    by_dictionary = [name for name in table.column_names if name not in split]
    with open(path, "wb") as stream:
        pq.write_table(
            table, stream, compression="zstd",
            use_dictionary=by_dictionary, use_byte_stream_split=split,
        )  # fmt: skip


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to `path` as safetensors, as its library would, but one after the other.

    The library has all of them copied first: of a million users that is more than their training.

    Raises
    ------
    TypeError
        If an array is of Python objects.
    """
    arrays = {name: _numbers(name, value) for name, value in tensors.items()}
    # The format's order: wide types first, so that every array begins where its type may.
    ordered = sorted(arrays.items(), key=lambda pair: (_PLACE[_kind(pair[1])], pair[0]))
    header, end = {}, 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        told = {"dtype": _DTYPES[_kind(array)], "shape": array.shape}
        header[name] = told | {"data_offsets": [begin, end]}
    words = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    words += b" " * (-len(words) % 8)
    # Not the library's save_file: it makes the file readable by its owner alone, whatever the
    # umask says.
    with open(path, "wb") as stream:
        stream.write(len(words).to_bytes(8, "little") + words)
        for _, array in ordered:
            stream.write(array.reshape(-1).view(np.uint8).data if array.size else b"")


def _kind(array: NDArray[Any]) -> str:
    return array.dtype.str[1:]


def _numbers(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """An array as it is written: in one piece, little-endian."""
    array = np.asarray(value, order="C")
    if array.dtype.hasobject or _kind(array) not in _DTYPES:
        raise TypeError(f"tensor '{name}' is of {array.dtype}, not of numbers")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


@contextmanager
def _reading(path: Path, where: str, *damaged: type[Exception]) -> Iterator[None]:
    """RunError, which calls the run ``where``, in place of what reading ``path`` raises.

    ``damaged`` is raised where the content is not what it should be.
    """
    try:
        yield
    except FileNotFoundError:
        raise RunError(
            f"{where} has no {path.name}: copy the run again or train it anew."
        ) from None
    except damaged:
        raise RunError(f"{where} has a damaged {path.name}: copy the run again.") from None
    except OSError as error:
        raise RunError(
            f"{where} has a {path.name} that cannot be read ({error.strerror})."
        ) from None


def read_json(path: Path, where: str) -> Any:
    """The decoded content of a JSON file; `RunError` if it is missing, too large or not JSON.

    ``where``: how errors call the place, for example ``Run 'x'``; of the other readers too.
    """
    most = MOST_LISTED if path.name in LISTED else MOST_BYTES
    with _reading(path, where, ValueError, RecursionError):
        if path.stat().st_size > most:
            raise RunError(f"{where} has a {path.name} that is too large to be one.")
        return parse_json(path.read_bytes())


def read_parquet(
    path: Path, where: str, columns: Sequence[str] | None = None, needed: Sequence[str] = ()
) -> pd.DataFrame:
    """A Parquet file as a frame, or some of its `columns`.

    Raises
    ------
    RunError
        If it is missing or damaged, or lacks one of `columns` or of the `needed` ones.
    """
    import pyarrow as pa

    from micrec_core.runs.tables import hold_table, parse_parquet

    with _reading(path, where, pa.ArrowException, OSError, ValueError), open(path, "rb") as stream:
        try:
            table = parse_parquet(stream, columns, needed)
            hold_table(table)
            return table.to_pandas()
        except KeyError as missing:
            raise RunError(
                f"{where} has a {path.name} without the column '{missing.args[0]}': copy the run "
                "again or train it anew."
            ) from None


def read_tensors(
    path: Path, where: str, finite: bool = True, mapped: bool = False
) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file; `RunError` if it is missing or damaged.

    What is said to be true or false is one of the two, and all numbers are finite if ``finite``.
    ``mapped``: large tables of float32 stay in the file and are read-only. Indices are copied all
    the same: through them memory is reached, and a file could be written over after they were held
    to their range.
    """
    from safetensors import SafetensorError, safe_open

    with (
        _reading(path, where, SafetensorError, OSError, ValueError, TypeError, KeyError),
        safe_open(path, framework="numpy") as file,
    ):
        if len(file.keys()) > _MOST_TENSORS:
            raise ValueError("too many tensors")
        # A system that locks what is mapped could not replace a run's file any more.
        arrays = _mapped(path) if mapped and os.name == "posix" else {}
        arrays |= {name: file.get_tensor(name) for name in file.keys() if name not in arrays}
        for array in arrays.values():
            _hold_numbers(array, finite)
        return arrays


def _mapped(path: Path) -> dict[str, NDArray[Any]]:
    """The large float32 tensors of a safetensors file that was found whole, not read yet."""
    out = {}
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    for name, told in header.items():
        if name == "__metadata__" or told["dtype"] != "F32":
            continue
        begin, end = told["data_offsets"]
        first = 8 + length + begin
        if end - begin >= _LARGE and first % 4 == 0:
            flat = np.frombuffer(content, np.float32, (end - begin) // 4, first)
            out[name] = flat.reshape(told["shape"])
    return out


def _hold_numbers(array: NDArray[Any], finite: bool) -> None:
    """ValueError where an array is not of numbers as they are written."""
    if array.dtype.kind not in "biuf":
        raise ValueError("not numbers")
    if not array.size:
        return
    if array.dtype.kind == "b" and array.view(np.uint8).max() > 1:
        # NumPy would count such a byte as more than one.
        raise ValueError("neither true nor false")
    # An infinity is one end of the range, and NaN is both; no copy is made.
    ends = (array.min(), array.max()) if finite and array.dtype.kind == "f" else ()
    if not all(map(np.isfinite, ends)):
        raise ValueError("not finite")


_digests: dict[str, tuple[tuple[int, ...], str]] = {}
_digests_lock = threading.Lock()
_MAX_DIGESTS = 10_000


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's content (hexadecimal).

    A digest is remembered for the life of the process together with the file's inode, size, change
    and modification time in nanoseconds, and computed anew when one of them differs. So opening a
    run a second time costs a few stats. What this cannot see is content changed underneath the
    file system without touching these four; a new process always reads everything again.
    """
    state = path.stat()
    stamp = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    key = os.path.abspath(path)
    with _digests_lock:
        known = _digests.get(key)
    if known and known[0] == stamp:
        return known[1]
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with _digests_lock:
        if len(_digests) >= _MAX_DIGESTS:
            _digests.clear()
        _digests[key] = (stamp, digest)
    return digest
