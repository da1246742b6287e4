"""One training at a time in the background, as a process of its own that outlives the app.

Others wait for their turn, first come, first served, one a person. Everything that must survive a
restart of the app is on disk, under ``.jobs`` in the runs folder::

    .jobs/lock                  held (flock) for the moment of a change, by whoever makes it
    .jobs/<id>/job.json         a job: owner, process, state; replaced atomically
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
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal
from uuid import uuid4

from micrec_core.bundled import home
from micrec_core.errors import ConfigError, RunError
from micrec_core.jobs.checking import within
from micrec_core.jobs.job import FILE, Job, paths_of, read_job, write_job
from micrec_core.jobs.processes import process_start, signal_group
from micrec_core.runs import check_run_name, open_run

TRAIN = (sys.executable, "-m", "micrec_core", "train")
COMPARE = (sys.executable, "-m", "micrec_core", "variants")
_TERM_SECONDS = 2.5
_KILL_SECONDS = 2.0
_TAIL_BYTES = 64 * 1024
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PLACE = re.compile(r"[0-9a-f]{32}")


class JobManager:
    """Starts, watches and ends the background trainings of a runs folder, one after another.

    Any number of managers (in threads, sessions, processes) may look at the same folder. A waiting
    job starts when any of them looks and no other runs.

    Parameters
    ----------
    folder : the runs folder; accepted runs land in it
    command : what to run; the job's arguments and ``--out CANDIDATE`` follow
    comparing : what to run for a comparison; the run and the job's arguments follow
    minutes, gigabytes : a job that takes longer is ended, one that asks for more memory fails; 0 is
        no limit
    waiting : so many may wait beside the one that runs
    keep_days : an ended job and its candidate go after so many days; 0 keeps them
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str] = TRAIN,
        *,
        comparing: Sequence[str] = COMPARE,
        minutes: float = 0,
        gigabytes: float = 0,
        waiting: int = 8,
        keep_days: float = 0,
    ) -> None:
        self.folder = Path(os.path.abspath(folder))
        self._jobs = self.folder / ".jobs"
        self._commands = {"train": tuple(command), "compare": tuple(comparing)}
        if minutes or gigabytes:
            self._commands = {
                kind: within(words, minutes=minutes, gigabytes=gigabytes)
                for kind, words in self._commands.items()
            }
        self._waiting, self._keep_days = waiting, keep_days
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, arguments: Sequence[str], owner: str, name: str | None = None) -> Job:
        """Start a training, or have it wait for its turn; the owner's own ended one is removed.

        Parameters
        ----------
        arguments : follow ``train``: the dataset and options, each a word of its own, without
            ``--out``
        owner : a key of the person
        name : the new run's name

        Raises
        ------
        ConfigError
            If the owner has a training running or waiting, too many wait, or the name is not
            usable.
        """
        if any(word.split("=")[0] == "--out" for word in arguments):
            raise ConfigError("A background training chooses its own --out: leave it out.")
        # Two may start within a second: a name that nobody chose is nobody else's.
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:4]}"
        name = check_run_name(name or f"retrained-{stamp}")
        with self._locked():
            jobs = self._settled()
            self._require_free(name, [job for job in jobs if job.owner != owner])
            return self._queued("train", name, arguments, owner, jobs)

    def compare(self, name: str, arguments: Sequence[str], owner: str) -> Job:
        """Train variants and baselines of a run of the folder, into it; waits as ``start`` does.

        Parameters
        ----------
        name : of the run; it is as it was until all of it is trained
        arguments : follow ``variants RUN``

        Raises
        ------
        ConfigError
            As ``start``; or there is no such run, or another job is for it.
        """
        with self._locked():
            jobs = self._settled()
            others = [job.name for job in jobs if job.owner != owner]
            if not (self.folder / check_run_name(name)).is_dir() or name in others:
                raise ConfigError(f"There is no run '{name}' to add to, or somebody is at it.")
            return self._queued("compare", name, arguments, owner, jobs)

    def _queued(
        self,
        kind: Literal["train", "compare"],
        name: str,
        arguments: Sequence[str],
        owner: str,
        jobs: Sequence[Job],
    ) -> Job:
        """A new job of the owner's, started if none of ``jobs`` runs; with the lock."""
        own = [job for job in jobs if job.owner == owner]
        if any(not job.ended for job in own):
            raise ConfigError(
                "A training of yours is running or waiting: let it end, or cancel it."
            )
        if sum(job.waiting for job in jobs) >= self._waiting:
            raise ConfigError(
                f"{self._waiting} trainings wait for their turn already: try again later."
            )
        for job in own:
            self._remove(job)
        identifier = uuid4().hex
        place = self._jobs / identifier
        place.mkdir()
        job = Job(
            id=identifier,
            owner=owner,
            kind=kind,
            name=name,
            arguments=tuple(arguments),
            queued=datetime.now(UTC).isoformat(),
            **paths_of(place, name),
        )
        write_job(job)
        if any(job.running for job in jobs):
            return job
        job = self._launched(job)
        if job.error:
            self._remove(job)
            raise ConfigError(job.error)
        return job

    def jobs(self) -> list[Job]:
        """All jobs that are neither accepted nor discarded, in the order they were asked for."""
        if not self._jobs.is_dir():
            return []
        with self._locked():
            return self._settled()

    def current(self, owner: str | None = None) -> Job | None:
        """The owner's own job, else the one that runs; without an owner else the last ended."""
        jobs = self.jobs()
        own = [job for job in jobs if job.owner == owner]
        running = [job for job in jobs if job.running]
        rest = jobs if owner is None else []
        return next((found[-1] for found in (own, running, rest) if found), None)

    def ahead(self, job: Job) -> int:
        """How many trainings come before a waiting one."""
        jobs = self.jobs()
        return sum(o.running or (o.waiting and _turn(o) < _turn(job)) for o in jobs)

    def cancel(self, owner: str) -> Job:
        """Stop the owner's job: ask, then force; its processes are gone within 5 seconds.

        A job that has ended meanwhile is returned as it ended.

        Raises
        ------
        ConfigError
            If there is no job, or it is somebody else's.
        """
        with self._locked():
            job = self._owned(owner)
            if job.waiting:
                return self._ended(job, {"state": "cancelled"})
            if not job.running:
                return job
            job = job.model_copy(update={"cancelling": True})
            write_job(job)
        # The lock is free while waiting, so that other sessions go on seeing the job.
        self._stop(job)
        with self._locked():
            return next((ended for ended in self._settled() if ended.id == job.id), job)

    def accept(self, owner: str, name: str | None = None) -> Path:
        """Move the owner's candidate into the runs folder and return its path there.

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
            if job.state != "complete" or job.kind != "train":
                raise ConfigError("There is no finished candidate to accept: train one first.")
            target = self.folder / check_run_name(name or job.name)
            self._require_free(target.name)
            open_run(job.candidate)
            os.rename(job.candidate, target)
            self._remove(job)
            return target

    def discard(self, owner: str) -> None:
        """Forget the owner's ended job and delete its candidate.

        Raises
        ------
        ConfigError
            If there is no job, it is somebody else's, or it has not ended.
        """
        with self._locked():
            job = self._owned(owner)
            if not job.ended:
                raise ConfigError("The training is still running: cancel it first.")
            self._remove(job)

    def log_tail(self, lines: int = 40, owner: str | None = None) -> str:
        """Return the last lines that ``current`` printed, without progress bars' old states."""
        job = self.current(owner)
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
            try:
                yield
            except OSError as error:
                raise ConfigError(
                    f"The runs folder {self.folder} cannot be changed ({error.strerror}): make "
                    "room on its disk, or try again."
                ) from None

    def _settled(self) -> list[Job]:
        """Jobs in their order: ends noted, old ones gone, the next one started; with the lock."""
        places = [place for place in self._jobs.iterdir() if _PLACE.fullmatch(place.name)]
        # Who makes a job holds the lock: what lacks its file is of one who was killed.
        for left in [place for place in places if not (place / FILE).exists()]:
            shutil.rmtree(left, ignore_errors=True)
        jobs = sorted((job for place in places if (job := read_job(place))), key=_turn)
        jobs = [self._noted(job) for job in jobs]
        old = [job for job in jobs if job.ended and self._is_old(job)]
        for job in old:
            self._remove(job)
        jobs = [job for job in jobs if job not in old]
        for place, job in enumerate(jobs):
            if any(other.running for other in jobs):
                break
            if job.waiting:
                jobs[place] = self._launched(job)
        return jobs

    def _noted(self, job: Job) -> Job:
        """The job, its end noted if its process has gone."""
        if not job.running or self._alive(job):
            return job
        job = self._ended(job, _outcome(job, self.folder))
        if job.state == "cancelled":
            shutil.rmtree(job.candidate, ignore_errors=True)
        return job

    def _ended(self, job: Job, outcome: dict[str, str | None]) -> Job:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        job = job.model_copy(update=outcome | {"finished": finished})
        write_job(job)
        return job

    def _is_old(self, job: Job) -> bool:
        if not self._keep_days or job.finished is None:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(job.finished)
        return age > timedelta(days=self._keep_days)

    def _owned(self, owner: str) -> Job:
        jobs = self._settled()
        own = [job for job in jobs if job.owner == owner]
        if own:
            return own[-1]
        if jobs:
            raise ConfigError("This training was started in another session, and belongs to it.")
        raise ConfigError("There is no background training.")

    def _require_free(self, name: str, others: Sequence[Job] = ()) -> None:
        if os.path.lexists(self.folder / name) or name in (job.name for job in others):
            raise ConfigError(f"There is a run '{name}' already: choose another name.")

    def _remove(self, job: Job) -> None:
        shutil.rmtree(job.log.parent, ignore_errors=True)

    def _launched(self, job: Job) -> Job:
        """The job with its process started, or failed where it cannot be."""
        run, before = self.folder / job.name, ""
        command = [*self._commands[job.kind], *job.arguments, "--out", str(job.candidate)]
        if job.kind == "compare":
            command = [*self._commands[job.kind], str(run), *job.arguments]
            before = _manifest(run)
        try:
            child = self._spawn(command, job.log)
        except OSError as error:
            said = f"The training could not be started ({error.strerror})."
            return self._ended(job, {"state": "failed", "error": said})
        self._children[child.pid] = child
        job = job.model_copy(
            update={
                "state": "running",
                "before": before,
                "pid": child.pid,
                "process": process_start(child.pid) or "gone",
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        write_job(job)
        return job

    def _spawn(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        with open(log, "wb") as stream:
            return subprocess.Popen(
                command,
                cwd=home(),
                # Beside visitors' pages, threads that wait for each other should leave the cores
                # to those that work: on two busy ones a training took 81 s instead of 45.
                env={"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # A session of its own: it does not die with the app, and its whole process group
                # can be stopped.
                start_new_session=True,
            )

    def _alive(self, job: Job) -> bool:
        child = self._children.get(job.pid or 0)
        if child is not None:
            # Our own child must be reaped, or it stays on as a zombie.
            return child.poll() is None
        return process_start(job.pid or 0) == job.process

    def _stop(self, job: Job) -> None:
        if job.pid is None:
            return
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            if not self._alive(job):
                break
            signal_group(job.pid, number)
            deadline = time.monotonic() + seconds
            while self._alive(job) and time.monotonic() < deadline:
                time.sleep(0.02)
        # Workers that the training started and that outlived it.
        signal_group(job.pid, signal.SIGKILL)


def _turn(job: Job) -> tuple[str, str]:
    return job.queued, job.id


def _outcome(job: Job, folder: Path) -> dict[str, str | None]:
    """Return the state of a job whose process has gone, and a sentence where it failed."""
    if job.cancelling:
        return {"state": "cancelled", "error": None}
    try:
        open_run(job.candidate if job.kind == "train" else folder / job.name, verify=False)
        whole = job.kind == "train" or _manifest(folder / job.name) != job.before
    except RunError:
        whole = False
    if whole:
        return {"state": "complete", "error": None}
    lines = _last_lines(job.log)
    said = lines[-1][:300].rstrip(".") if lines else "it printed nothing"
    return {"state": "failed", "error": f"The training stopped before its end: {said}."}


def _manifest(run: Path) -> str:
    """A hash of what a run says that it holds; it changes as the run does."""
    try:
        return sha256((run / "manifest.json").read_bytes()).hexdigest()
    except OSError:
        return ""


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
