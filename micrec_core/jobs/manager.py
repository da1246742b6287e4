"""One training at a time in the background, as a process of its own that outlives the app.

Everything that must survive a restart of the app is on disk, under ``.jobs`` in the runs folder::

    .jobs/lock                  held (flock) for the moment of a change, by whoever makes it
    .jobs/status.json           the job there is: owner, process, state; replaced atomically
    .jobs/<id>/log.txt          what the process printed
    .jobs/<id>/<name>/          the candidate run, moved out when it is accepted

A process is known by its id *and* its start, so a recycled id is never taken for the job, let alone
killed. Works on Linux and macOS.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from micrec_core.bundled import home
from micrec_core.errors import ConfigError, RunError
from micrec_core.jobs.checking import within
from micrec_core.runs import check_run_name, open_run
from micrec_core.runs.files import read_json, replacing

TRAIN = (sys.executable, "-m", "micrec_core", "train")
_TERM_SECONDS = 2.5
_KILL_SECONDS = 2.0
_TAIL_BYTES = 64 * 1024
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Job(BaseModel):
    """A background training as last seen.

    Attributes
    ----------
    id : unique
    owner : who started it; only they may cancel, accept or discard it
    name : name of the run it makes
    arguments : what followed ``train``, without ``--out``
    pid, process : the process and its start, which together are unique
    state : ``complete`` means that there is a whole candidate run to look at
    cancelling : its owner has asked it to stop
    started, finished : ISO 8601, UTC
    candidate, log : the run being written (``live_history`` reads it meanwhile) and what was
        printed
    error : one sentence, where it failed
    """

    model_config = ConfigDict(frozen=True)

    # Whoever could write status.json must not be able to aim a deletion or a signal elsewhere.
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    owner: str
    name: Annotated[str, AfterValidator(check_run_name)]
    arguments: tuple[str, ...]
    pid: int = Field(gt=1)
    process: str
    state: Literal["running", "complete", "failed", "cancelled"] = "running"
    cancelling: bool = False
    started: str
    finished: str | None = None
    candidate: Path
    log: Path
    error: str | None = None

    @property
    def running(self) -> bool:
        """Whether the process is still at it."""
        return self.state == "running"


class JobManager:
    """Starts, watches and ends the one background training of a runs folder.

    Any number of managers (in threads, sessions, processes) may look at the same folder.

    Parameters
    ----------
    folder : the runs folder; accepted runs land in it
    command : what to run; the job's arguments and ``--out CANDIDATE`` follow
    minutes, gigabytes : a job that takes longer is ended, one that asks for more memory fails; 0 is
        no limit
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str] = TRAIN,
        *,
        minutes: float = 0,
        gigabytes: float = 0,
    ) -> None:
        self.folder = Path(os.path.abspath(folder))
        self._jobs = self.folder / ".jobs"
        self._command = tuple(command)
        if minutes or gigabytes:
            self._command = within(command, minutes=minutes, gigabytes=gigabytes)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], owner: str, name: str | None = None) -> Job:
        """Start a training; what an ended job left and nobody accepted is removed.

        Parameters
        ----------
        arguments : follow ``train``: the dataset and options, each a word of its own, without
            ``--out``
        owner : a key of the person's session
        name : the new run's name

        Raises
        ------
        ConfigError
            If a job is running, whoever's it is, or the name is not usable.
        """
        if any(word.split("=")[0] == "--out" for word in arguments):
            raise ConfigError("A background training chooses its own --out: leave it out.")
        now = datetime.now(UTC)
        name = check_run_name(name or f"retrained-{now:%Y%m%d-%H%M%S}")
        with self._locked():
            job = self._settled()
            if job and job.running:
                raise ConfigError(
                    f"A training is running since {job.started[11:16]} UTC: "
                    "wait for it, or have its owner cancel it."
                )
            self._require_free(name)
            self._remove(job)
            identifier = uuid4().hex
            place = self._jobs / identifier
            place.mkdir()
            candidate, log = place / name, place / "log.txt"
            child = self._spawn([*self._command, *arguments, "--out", str(candidate)], log)
            self._child = child
            job = Job(
                id=identifier,
                owner=owner,
                name=name,
                arguments=tuple(arguments),
                pid=child.pid,
                process=_process_start(child.pid) or "gone",
                started=now.isoformat(timespec="seconds"),
                candidate=candidate,
                log=log,
            )
            self._write(job)
            return job

    def current(self) -> Job | None:
        """Return the job that is running, or ended and is neither accepted nor discarded."""
        if not (self._jobs / "status.json").exists():
            return None
        with self._locked():
            return self._settled()

    def cancel(self, owner: str) -> Job:
        """Stop the job: ask, then force; returns when its processes are gone, within 5 seconds.

        A job that has ended meanwhile is returned as it ended.

        Raises
        ------
        ConfigError
            If there is no job, or it is somebody else's.
        """
        with self._locked():
            job = self._owned(owner)
            if not job.running:
                return job
            job = job.model_copy(update={"cancelling": True})
            self._write(job)
        # The lock is free while waiting, so that other sessions go on seeing the job.
        self._stop(job)
        with self._locked():
            ended = self._settled()
        return ended if ended and ended.id == job.id else job

    def accept(self, owner: str, name: str | None = None) -> Path:
        """Move the candidate into the runs folder and return its path there.

        Parameters
        ----------
        owner : who started the job
        name : another name for the run

        Raises
        ------
        ConfigError
            If there is nothing to accept, it is somebody else's, or the name is taken.
        RunError
            If the candidate is damaged.
        """
        with self._locked():
            job = self._owned(owner)
            if job.state != "complete":
                raise ConfigError("There is no finished candidate to accept: train one first.")
            target = self.folder / check_run_name(name or job.name)
            self._require_free(target.name)
            open_run(job.candidate)
            os.rename(job.candidate, target)
            self._remove(job)
            return target

    def discard(self, owner: str) -> None:
        """Forget an ended job and delete its candidate.

        Raises
        ------
        ConfigError
            If there is no job, it is somebody else's, or it is running.
        """
        with self._locked():
            job = self._owned(owner)
            if job.running:
                raise ConfigError("The training is still running: cancel it first.")
            self._remove(job)

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines that the job printed, without progress bars' old states."""
        job = self._read()
        return "\n".join(_last_lines(job.log)[-lines:]) if job else ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The lock goes with the open file, so it holds between threads and between processes, and
        # the system frees it should its holder die.
        try:
            self._jobs.mkdir(parents=True, exist_ok=True)
            stream = open(self._jobs / "lock", "a")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise ConfigError(
                f"The runs folder {self.folder} cannot be written ({error.strerror}): "
                "name another one in MICREC_RUNS."
            ) from None
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _read(self) -> Job | None:
        try:
            stored = read_json(self._jobs / "status.json", "The jobs folder")
            place = self._jobs / str(stored["id"])
            paths = {"candidate": place / str(stored["name"]), "log": place / "log.txt"}
            return Job.model_validate(stored | paths)
        except (RunError, ConfigError, ValidationError, KeyError, TypeError):
            return None

    def _write(self, job: Job) -> None:
        with replacing(self._jobs / "status.json") as temporary:
            # Paths follow from id and name, so a runs folder can be moved.
            stored = job.model_dump_json(indent=1, exclude={"candidate", "log"})
            temporary.write_text(stored, encoding="utf-8")

    def _settled(self) -> Job | None:
        """Return the job, its end noted if the process has gone; call with the lock held."""
        job = self._read()
        if job is None or not job.running or self._alive(job):
            return job
        job = job.model_copy(
            update=_outcome(job) | {"finished": datetime.now(UTC).isoformat(timespec="seconds")}
        )
        if job.state == "cancelled":
            shutil.rmtree(job.candidate, ignore_errors=True)
        self._write(job)
        return job

    def _owned(self, owner: str) -> Job:
        job = self._settled()
        if job is None:
            raise ConfigError("There is no background training.")
        if job.owner != owner:
            raise ConfigError("This training was started in another session, and belongs to it.")
        return job

    def _require_free(self, name: str) -> None:
        if os.path.lexists(self.folder / name):
            raise ConfigError(f"There is a run '{name}' already: choose another name.")

    def _remove(self, job: Job | None) -> None:
        (self._jobs / "status.json").unlink(missing_ok=True)
        if job:
            shutil.rmtree(job.log.parent, ignore_errors=True)

    def _spawn(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        try:
            with open(log, "wb") as stream:
                return subprocess.Popen(
                    command,
                    cwd=home(),
                    env=os.environ | {"PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    # A session of its own: it does not die with the app, and its whole process
                    # group can be stopped.
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigError(f"The training could not be started ({error.strerror}).") from None

    def _alive(self, job: Job) -> bool:
        if self._child is not None and self._child.pid == job.pid:
            # Our own child must be reaped, or it stays on as a zombie.
            return self._child.poll() is None
        return _process_start(job.pid) == job.process

    def _stop(self, job: Job) -> None:
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            if not self._alive(job):
                break
            _signal_group(job.pid, number)
            deadline = time.monotonic() + seconds
            while self._alive(job) and time.monotonic() < deadline:
                time.sleep(0.02)
        # Workers that the training started and that outlived it.
        _signal_group(job.pid, signal.SIGKILL)


def _outcome(job: Job) -> dict[str, str | None]:
    """Return the state of a job whose process has gone, and a sentence where it failed."""
    if job.cancelling:
        return {"state": "cancelled", "error": None}
    try:
        open_run(job.candidate, verify=False)
    except RunError:
        lines = _last_lines(job.log)
        said = lines[-1][:300].rstrip(".") if lines else "it printed nothing"
        return {"state": "failed", "error": f"The training stopped before its end: {said}."}
    return {"state": "complete", "error": None}


def _last_lines(log: Path) -> list[str]:
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    # A progress bar writes over itself with carriage returns: only its last state counts.
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    shown = ("".join(c for c in _ESCAPES.sub("", line) if c.isprintable()) for line in lines)
    return [line.strip() for line in shown if line.strip()]


def _process_start(pid: int) -> str | None:
    """Return what tells this process from any other that had or will have its id; None if gone.

    A zombie counts as gone.
    """
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        # The second field, the program's name, may hold blanks and brackets.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not shown or shown.startswith("Z") else shown.partition(" ")[2].strip()


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
