"""Writing a run so that at every moment it is either whole or seen to be unfinished."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micrec_core.errors import ConfigError, RunError
from micrec_core.locks import FolderLock
from micrec_core.runs import amendments, files
from micrec_core.runs.json_limits import parse_json
from micrec_core.runs.run_names import check_run_name
from micrec_core.runs.schema import SCHEMA_VERSION, RunInfo

_HISTORY = "history.jsonl"
# A folder of a run in the making that is no part of it: checkpoints.
SCRATCH = "checkpoint"
# Of a history that is read: more bytes and values of it are left out, and more names are of none.
_MOST_HISTORY, _MOST_VALUES, _MOST_COLUMNS = 16 * 2**20, 500_000, 1000
# No loss that a training survives is near it.
_LARGEST = 1e15


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunWriter:
    """Writes one run directory.

    The directory begins with a ``run.json`` of status ``running``. Each file is written beside its
    place and renamed into it. `finish` writes the manifest first and ``run.json`` with status
    ``complete`` last; whatever is killed before that is seen as unfinished. A run has one writer at
    a time, until `finish`, `fail`, `cancel` or `release`.

    Parameters
    ----------
    path : the run's directory; its last part is the run's name
    info : fields of `RunInfo` that are known already. With `resume` they replace those on disk
    resume : go on with an unfinished (or failed, or cancelled) run. A complete one is refused: see
        `amend`. Where a writer was killed before it said anything, it starts

    Raises
    ------
    ConfigError
        If the name is not usable, or the directory has something in it and `resume` is off.
    RunError
        If there is nothing to resume, somebody else is writing the run, or it cannot be written.
    """

    def __init__(self, path: Path, info: Mapping[str, Any], resume: bool = False) -> None:
        self.path = Path(os.path.abspath(path))
        check_run_name(self.path.name)
        self._staged: dict[str, Path] | None = None
        self._lock: FolderLock | None = None
        if resume and not is_unbegun(self.path):
            self._read_info()  # where there is none, nothing is to be locked
            self._take()
            known = self._read_info()
            if known["status"] == "complete":
                raise RunError(f"Run '{self.path.name}' is complete: there is nothing to resume.")
            self._repair()
        else:
            known = {"created": _now()}
            self._create()
        self._set(
            known,
            info,
            schema_version=SCHEMA_VERSION,
            name=self.path.name,
            status="running",
            finished=None,
            error=None,
        )
        self._write_info()

    @classmethod
    def amend(cls, path: Path) -> "RunWriter":
        """Return a writer that adds files to a complete run, for example more metrics.

        Nothing of it is to be seen before `finish`, so a crash leaves the run as it was.

        Raises
        ------
        RunError
            If the run is not complete.
        """
        writer = cls.__new__(cls)
        writer.path = Path(os.path.abspath(path))
        writer._lock = None
        known = writer._read_info()
        if known["status"] != "complete":
            raise RunError(f"Run '{writer.path.name}' is not complete: finish its training first.")
        writer._take()
        known = writer._read_info()
        writer._repair()
        writer._staged = {}
        writer._set(known)
        return writer

    @property
    def info(self) -> RunInfo:
        """What ``run.json`` says by now."""
        return self._info

    def has(self, relative: str) -> bool:
        """Say whether the file has been written already (a resumed run's checkpoint, say)."""
        return files.inside(self.path, relative).is_file()

    def read_tensors(self, relative: str) -> dict[str, np.ndarray]:
        """Return the arrays of a file written before, to resume from."""
        return files.read_tensors(files.inside(self.path, relative), self._where)

    def write_json(self, relative: str, value: Any) -> None:
        """Write a JSON file; NaN becomes null."""
        self._write(relative, lambda path: files.write_json(path, value))

    def write_parquet(self, relative: str, frame: pd.DataFrame) -> None:
        """Write a frame, without its index."""
        self._write(relative, lambda path: files.write_parquet(path, frame))

    def write_tensors(
        self,
        relative: str,
        tensors: Mapping[str, np.ndarray],
    ) -> None:
        """Write named arrays."""
        self._write(relative, lambda path: files.write_tensors(path, tensors))

    def copy(self, source: Path, relative: str) -> None:
        """Take a file over as it is from the run at ``source``."""
        place = files.inside(self.path, relative)
        with self._writing(relative):
            place.parent.mkdir(parents=True, exist_ok=True)
        with self._writing(relative), files.replacing(place) as temporary:
            shutil.copyfile(files.inside(source, relative), temporary)

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Append one epoch to ``history.jsonl``, so that it can be watched while training."""
        line = json.dumps(files.without_nan(row), ensure_ascii=False, allow_nan=False)
        with self._writing(_HISTORY), open(self.path / _HISTORY, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def keep_history(self, last_epoch: int) -> None:
        """Drop history rows after `last_epoch`, the epoch of the checkpoint that is resumed."""
        rows = [row for row in read_history(self.path / _HISTORY) if row["epoch"] <= last_epoch]
        with self._writing(_HISTORY), files.replacing(self.path / _HISTORY) as temporary:
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            temporary.write_text(text, encoding="utf-8")

    def update(self, **info: Any) -> None:
        """Change fields of ``run.json`` (while amending: with `finish`)."""
        self._set(self._info.model_dump(), info)
        if self._staged is None:
            self._write_info()

    def finish(self, **info: Any) -> None:
        """Write the manifest, mark the run complete and let go of it.

        What is left of `scratch` goes at the end.

        Raises
        ------
        RunError
            If something in the directory is a link, or it cannot be written.
        """
        finished = _now() if self._staged is None else self._info.finished
        self._set(self._info.model_dump(), info, status="complete", finished=finished)
        content = self._info.to_bytes()
        with self._writing("manifest.json"):
            staged = self._staged or {}
            written = {name: self.path / name for name in self._names()} | staged
            digests = {name: files.file_digest(path) for name, path in written.items()}
            # run.json is hashed before it is written: what makes the run complete is written last.
            digests["run.json"] = hashlib.sha256(content).hexdigest()
            manifest = {"files": dict(sorted(digests.items()))}
            if self._staged is not None:
                moves = {name: path.name for name, path in staged.items()}
                amendments.commit(self.path, moves, manifest, self._info)
                amendments.carry_out(self.path)
                self._staged = None
            else:
                with files.replacing(self.path / "manifest.json") as temporary:
                    files.write_json(temporary, manifest)
                self._write_info()
        shutil.rmtree(self.path / SCRATCH, ignore_errors=True)
        self.release()

    def fail(self, sentence: str) -> None:
        """Mark the run failed, with one sentence for the user."""
        self._end("failed", sentence)

    def cancel(self) -> None:
        """Mark the run cancelled by its owner."""
        self._end("cancelled", None)

    def release(self) -> None:
        """Let somebody else write the run, as the end of this process would."""
        if self._lock is not None:
            self._lock.release()

    @property
    def _where(self) -> str:
        return f"Run '{self.path.name}'"

    def _create(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take()
            occupied = not is_unbegun(self.path)
        except OSError as error:
            raise ConfigError(
                f"The run directory {self.path} cannot be made ({error.strerror}): "
                "choose another place."
            ) from None
        if occupied:
            self.release()
            raise ConfigError(
                f"{self.path} exists already: choose another name, or go on with --resume."
            )
        self._repair()

    def _take(self) -> None:
        """Become the one writer."""
        try:
            self._lock = FolderLock(self.path)
        except BlockingIOError:
            raise RunError(
                f"{self._where} is being written by another process: wait for its end, or stop it."
            ) from None

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """A full disk and the like as one sentence."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self._where} cannot be written ({name}: {error.strerror or error}): "
                "make room for it or mend the folder, then go on with --resume."
            ) from error

    def _read_info(self) -> dict[str, Any]:
        value = files.read_json(files.inside(self.path, "run.json"), self._where)
        return RunInfo.parse(value, self._where).model_dump()

    def _repair(self) -> None:
        """Finish what a killed writer had decided, and remove what it left half written."""
        amendments.carry_out(self.path)
        for leftover in self.path.rglob(f".*{files.PARTIAL}"):
            leftover.unlink(missing_ok=True)
        history = self.path / _HISTORY
        if history.is_file() and not history.read_bytes().endswith(b"\n"):
            self.keep_history(last_epoch=2**62)

    def _set(self, *layers: Mapping[str, Any], **last: Any) -> None:
        merged: dict[str, Any] = {}
        for layer in (*layers, last):
            merged.update(files.without_nan(layer))
        self._info = RunInfo.model_validate(merged)

    def _write_info(self) -> None:
        with self._writing("run.json"), files.replacing(self.path / "run.json") as temporary:
            temporary.write_bytes(self._info.to_bytes())

    def _write(self, relative: str, write: Callable[[Path], None]) -> None:
        if relative in ("run.json", "manifest.json", _HISTORY):
            raise ValueError(f"{relative} has a method of its own")
        path = files.inside(self.path, relative)
        place = files.replacing if self._staged is None else self._staging
        with self._writing(relative):
            path.parent.mkdir(parents=True, exist_ok=True)
            with place(path) as temporary:
                write(temporary)

    @contextmanager
    def _staging(self, path: Path) -> Iterator[Path]:
        assert self._staged is not None
        temporary = files.partial_path(path)
        try:
            yield temporary
            files.sync(temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._staged[path.relative_to(self.path).as_posix()] = temporary

    def _names(self) -> Iterator[str]:
        for path in sorted(self.path.rglob("*")):
            relative = path.relative_to(self.path).as_posix()
            if path.name.endswith(files.PARTIAL) or relative in ("run.json", "manifest.json"):
                continue
            if relative.split("/")[0] == SCRATCH:
                continue
            if path.is_symlink() or path.is_file():
                files.inside(self.path, relative)
                yield relative

    def _end(self, status: str, error: str | None) -> None:
        if self._staged is not None:
            # The run itself is still good: only what was to be added is dropped, unless all of it
            # was decided upon already; then whoever reads the run carries it out.
            decided = (self.path / amendments.PENDING).exists()
            for temporary in () if decided else self._staged.values():
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
            self._staged = {}
        elif self._info.status != "complete":
            self._set(self._info.model_dump(), status=status, error=error, finished=_now())
            # Where not even this can be written, the run is seen as unfinished: it can be resumed.
            with suppress(RunError):
                self._write_info()
        self.release()


def is_unbegun(path: Path) -> bool:
    """Whether a writer was killed, or is to start, before it wrote anything of a run here."""
    try:
        with os.scandir(path) as entries:
            return all(e.name.startswith(".") and e.name.endswith(files.PARTIAL) for e in entries)
    except OSError:
        return False


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a ``history.jsonl`` that may be being written.

    A last line without its end is left out; so is everything from the first damaged line on, and
    from the first that is no table of numbers.
    """
    rows: list[dict[str, Any]] = []
    try:
        with open(path, "rb") as stream:
            lines = stream.read(_MOST_HISTORY).split(b"\n")[:-1]
    except (FileNotFoundError, IsADirectoryError):
        return rows
    names: set[str] = set()
    values = 0
    for line in lines:
        try:
            row = parse_json(line)
            told = files.flat(row) if isinstance(row, dict) else {}
        except (ValueError, RecursionError):
            break
        names.update(told)
        if type(told.get("epoch")) is not int or len(names) > _MOST_COLUMNS:
            break
        values += len(told)
        if values > _MOST_VALUES or not all(_is_number(value) for value in told.values()):
            break
        rows.append(row)
    return rows


def _is_number(value: Any) -> bool:
    """Whether a value is one, or none; a page draws it."""
    return value is None or (isinstance(value, int | float) and abs(value) <= _LARGEST)
