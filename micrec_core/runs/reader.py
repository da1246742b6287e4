"""Opening runs that may come from anyone: verified, versioned, nothing outside, nothing unpickled.

A run says nothing before its manifest has been held against its files. What is read is JSON,
Parquet and safetensors, none of which can carry code.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micrec_core.errors import RunError
from micrec_core.locks import FolderLock
from micrec_core.names import CURVE_COLUMNS, TABLES, curve_file
from micrec_core.protocols import CURVES
from micrec_core.runs import amendments, files
from micrec_core.runs.schema import RunInfo, parse_manifest
from micrec_core.runs.writer import SCRATCH, read_history

_COLUMNS = TABLES | {curve_file(curve): CURVE_COLUMNS for curve in CURVES}
_UNFINISHED = {
    "running": "is unfinished: wait for its training, or go on with 'train --resume'",
    "failed": "failed in training: train it anew",
    "cancelled": "was cancelled: go on with 'train --resume' or choose another",
}


@dataclass(frozen=True)
class Run:
    """A complete run, opened for reading. Holds no open file and can be shared by threads.

    Attributes
    ----------
    path : its directory, absolute
    info : the content of ``run.json``
    key : sha256 of the manifest: equal keys mean equal content, so caches are keyed by it
    digests : relative path -> sha256, of every file but the manifest
    """

    path: Path
    info: RunInfo
    key: str
    digests: dict[str, str]

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def files(self) -> tuple[str, ...]:
        """Relative paths of all files the manifest lists."""
        return tuple(self.digests)

    def has(self, relative: str) -> bool:
        """Say whether the manifest lists the file."""
        return relative in self.digests

    def frame(self, relative: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a Parquet file, or some of its columns.

        Raises
        ------
        RunError
            If the run does not have it, or it is damaged or lacks a column (of ``columns``, else
            of what ``names.TABLES`` says that such a table must have).
        """
        needed = columns or _COLUMNS.get(relative) or ()
        return files.read_parquet(self._file(relative), self._where, columns, needed)

    def tensors(
        self, relative: str, *, finite: bool = True, mapped: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the arrays of a safetensors file; raises `RunError` as `frame` does.

        ``finite`` : look whether all numbers are; ``mapped`` : leave large tables in the file, so
        that they are read-only
        """
        return files.read_tensors(self._file(relative), self._where, finite, mapped)

    def json(self, relative: str) -> Any:
        """Return a decoded JSON file; raises `RunError` as `frame` does."""
        return files.read_json(self._file(relative), self._where)

    def history(self) -> pd.DataFrame:
        """Return a row per epoch; nested values become columns such as ``valid.food.ndcg@20``."""
        return live_history(self.path)

    def __hash__(self) -> int:
        return hash((self.path, self.key))

    @property
    def _where(self) -> str:
        return f"Run '{self.name}'"

    def _file(self, relative: str) -> Path:
        path = files.inside(self.path, relative)
        if relative not in self.digests:
            raise RunError(f"{self._where} has no file '{relative}'.")
        return path


@dataclass(frozen=True)
class RunListing:
    """A run as a picker shows it; `problem` is a sentence where it cannot be opened."""

    name: str
    path: Path
    status: str
    problem: str | None = None
    info: RunInfo | None = None


def open_run(path: Path | str, verify: bool = True) -> Run:
    """Open a complete run.

    Parameters
    ----------
    path : the run's directory
    verify : hold every file against the manifest's sha256 (about 1 GB a second; files that have not
        changed since this process last looked are not read again, see `files.file_digest`). Without
        it only their presence is checked

    Raises
    ------
    RunError
        If the run is missing, unfinished, damaged, of a newer schema, or reaches outside itself.
    """
    root = Path(os.path.abspath(path))
    where = f"Run '{root.name}'"
    info = _read_info(root)
    if (root / amendments.PENDING).exists():
        amendments.settle(root)
        info = _read_info(root)
    if info.status != "complete":
        raise RunError(f"{where} {_UNFINISHED[info.status]}.")
    if (root / SCRATCH).exists():
        _sweep(root)
    manifest = files.inside(root, "manifest.json")
    digests = parse_manifest(files.read_json(manifest, where), where)
    if "run.json" not in digests:
        raise RunError(f"{where} has a manifest that does not cover run.json: copy the run again.")
    for relative, digest in digests.items():
        file = files.inside(root, relative)
        if not file.is_file():
            raise RunError(f"{where} lacks its file '{relative}': copy the run again.")
        if verify and _digest(file, relative, where) != digest:
            raise RunError(
                f"{where} has a file '{relative}' that is not what was written: "
                "copy the run again or train it anew."
            )
    return Run(root, info, _digest(manifest, "manifest.json", where), digests)


def _sweep(root: Path) -> None:
    """Remove the checkpoints of a complete run whose writer was stopped before it did."""
    with suppress(OSError):  # it is at it, or nothing can be written here
        lock = FolderLock(root)
        try:
            shutil.rmtree(root / SCRATCH)
        finally:
            lock.release()


def list_runs(*folders: Path) -> list[RunListing]:
    """List the runs in `folders`, first folder first, by name; where names meet, the first wins.

    Looks at ``run.json`` and at which files there are, not at their content. Never raises for a
    damaged run: it is listed with its problem. Hidden directories are left out.
    """
    listings: dict[str, RunListing] = {}
    for folder in folders:
        try:
            entries = sorted(Path(folder).iterdir())
        except OSError:
            continue
        for path in entries:
            if path.name.startswith(".") or path.name in listings:
                continue
            if path.is_dir() or path.is_symlink():
                listings[path.name] = _listing(path)
    return list(listings.values())


def live_history(path: Path | str) -> pd.DataFrame:
    """Return the epochs written so far, of a run that may still be training.

    Returns
    -------
    DataFrame
        A row per epoch, nested values flattened with dots; empty before the first epoch.
    """
    rows = read_history(files.inside(Path(os.path.abspath(path)), "history.jsonl"))
    return pd.json_normalize(rows) if rows else pd.DataFrame({"epoch": pd.Series(dtype="int64")})


def live_info(path: Path | str) -> RunInfo:
    """Return what ``run.json`` says so far, of a run that may still be training."""
    return _read_info(Path(os.path.abspath(path)))


def _read_info(root: Path) -> RunInfo:
    if not root.name.isprintable():
        raise RunError(f"The run {root.name!r} has a control character in its name: rename it.")
    where = f"Run '{root.name}'"
    if root.is_symlink():
        raise RunError(f"{where} is a link, and links are not followed: copy the run here.")
    if not root.is_dir():
        raise RunError(f"There is no run at {root}: check the path.")
    info = RunInfo.parse(files.read_json(files.inside(root, "run.json"), where), where)
    # A copied run may have been given another name; the directory's is the one in use.
    return info.model_copy(update={"name": root.name})


def _digest(path: Path, relative: str, where: str) -> str:
    try:
        return files.file_digest(path)
    except OSError as error:
        raise RunError(
            f"{where} has a file '{relative}' that cannot be read ({error.strerror})."
        ) from None


def _listing(path: Path) -> RunListing:
    info = None
    try:
        info = _read_info(path)
        open_run(path, verify=False)
    except RunError as error:
        status = info.status if info and info.status != "complete" else "damaged"
        return RunListing(path.name, path, status, str(error), info)
    return RunListing(path.name, path, info.status, None, info)
