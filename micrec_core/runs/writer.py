"""Writing a run so that at every moment it is either whole or seen to be unfinished."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micrec_core.errors import ConfigError, RunError
from micrec_core.runs import files
from micrec_core.runs.json_limits import parse_json
from micrec_core.runs.run_names import check_run_name
from micrec_core.runs.schema import SCHEMA_VERSION, RunInfo

_HISTORY = "history.jsonl"
# Of a history that is read: more of it is left out, and more names are of none.
_MOST_HISTORY, _MOST_COLUMNS = 64 * 2**20, 1000
# No loss that a training survives is near it.
_LARGEST = 1e15


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunWriter:
    """Writes one run directory.

    The directory begins with a ``run.json`` of status ``running``. Each file is written beside its
    place and renamed into it. `finish` writes the manifest first and ``run.json`` with status
    ``complete`` last; whatever is killed before that is seen as unfinished.

    Parameters
    ----------
    path : the run's directory; its last part is the run's name
    info : fields of `RunInfo` that are known already. With `resume` they replace those on disk
    resume : go on with an unfinished (or failed, or cancelled) run. A complete one is refused: see
        `amend`

    Raises
    ------
    ConfigError
        If the name is not usable, or the directory has something in it and `resume` is off.
    RunError
        If there is nothing to resume.
    """

    def __init__(self, path: Path, info: Mapping[str, Any], resume: bool = False) -> None:
        self.path = Path(os.path.abspath(path))
        check_run_name(self.path.name)
        self._staged: dict[str, Path] | None = None
        if resume:
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
        known = writer._read_info()
        if known["status"] != "complete":
            raise RunError(f"Run '{writer.path.name}' is not complete: finish its training first.")
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

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Append one epoch to ``history.jsonl``, so that it can be watched while training."""
        line = json.dumps(files.without_nan(row), ensure_ascii=False, allow_nan=False)
        with open(self.path / _HISTORY, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def keep_history(self, last_epoch: int) -> None:
        """Drop history rows after `last_epoch`, the epoch of the checkpoint that is resumed."""
        rows = [row for row in read_history(self.path / _HISTORY) if row["epoch"] <= last_epoch]
        with files.replacing(self.path / _HISTORY) as temporary:
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            temporary.write_text(text, encoding="utf-8")

    def update(self, **info: Any) -> None:
        """Change fields of ``run.json`` (while amending: with `finish`)."""
        self._set(self._info.model_dump(), info)
        if self._staged is None:
            self._write_info()

    def finish(self, **info: Any) -> None:
        """Write the manifest and mark the run complete.

        Raises
        ------
        RunError
            If something in the directory is a link.
        """
        finished = _now() if self._staged is None else self._info.finished
        self._set(self._info.model_dump(), info, status="complete", finished=finished)
        content = self._info.to_bytes()
        for relative, temporary in (self._staged or {}).items():
            os.replace(temporary, files.inside(self.path, relative))
        self._staged = None
        digests = {name: files.file_digest(self.path / name) for name in self._names()}
        # run.json is hashed before it is written: it is what makes the run complete, so it is last.
        digests["run.json"] = hashlib.sha256(content).hexdigest()
        manifest = {"files": dict(sorted(digests.items()))}
        with files.replacing(self.path / "manifest.json") as temporary:
            files.write_json(temporary, manifest)
        self._write_info()

    def fail(self, sentence: str) -> None:
        """Mark the run failed, with one sentence for the user."""
        self._end("failed", sentence)

    def cancel(self) -> None:
        """Mark the run cancelled by its owner."""
        self._end("cancelled", None)

    @property
    def _where(self) -> str:
        return f"Run '{self.path.name}'"

    def _create(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            occupied = any(self.path.iterdir())
        except OSError as error:
            raise ConfigError(
                f"The run directory {self.path} cannot be made ({error.strerror}): "
                "choose another place."
            ) from None
        if occupied:
            raise ConfigError(
                f"{self.path} exists already: choose another name, or go on with --resume."
            )

    def _read_info(self) -> dict[str, Any]:
        value = files.read_json(files.inside(self.path, "run.json"), self._where)
        return RunInfo.parse(value, self._where).model_dump()

    def _repair(self) -> None:
        """Remove what a killed writer left half written."""
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
        with files.replacing(self.path / "run.json") as temporary:
            temporary.write_bytes(self._info.to_bytes())

    def _write(self, relative: str, write: Callable[[Path], None]) -> None:
        if relative in ("run.json", "manifest.json", _HISTORY):
            raise ValueError(f"{relative} has a method of its own")
        path = files.inside(self.path, relative)
        path.parent.mkdir(parents=True, exist_ok=True)
        place = files.replacing if self._staged is None else self._staging
        with place(path) as temporary:
            write(temporary)

    @contextmanager
    def _staging(self, path: Path) -> Iterator[Path]:
        assert self._staged is not None
        temporary = files.partial_path(path)
        yield temporary
        files.sync(temporary)
        self._staged[path.relative_to(self.path).as_posix()] = temporary

    def _names(self) -> Iterator[str]:
        for path in sorted(self.path.rglob("*")):
            relative = path.relative_to(self.path).as_posix()
            if path.name.endswith(files.PARTIAL) or relative in ("run.json", "manifest.json"):
                continue
            if path.is_symlink() or path.is_file():
                files.inside(self.path, relative)
                yield relative

    def _end(self, status: str, error: str | None) -> None:
        if self._staged is not None:
            # The run itself is still good: only what was to be added is dropped.
            for temporary in self._staged.values():
                temporary.unlink(missing_ok=True)
            self._staged = {}
            return
        self._set(self._info.model_dump(), status=status, error=error, finished=_now())
        self._write_info()


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
    for line in lines:
        try:
            row = parse_json(line)
            told = files.flat(row) if isinstance(row, dict) else {}
        except (ValueError, RecursionError):
            break
        names.update(told)
        if type(told.get("epoch")) is not int or len(names) > _MOST_COLUMNS:
            break
        if not all(_is_number(value) for value in told.values()):
            break
        rows.append(row)
    return rows


def _is_number(value: Any) -> bool:
    """Whether a value is one, or none; a page draws it."""
    return value is None or (isinstance(value, int | float) and abs(value) <= _LARGEST)
