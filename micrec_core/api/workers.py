"""Several processes that answer as one server: what they serve, and a swap in all of them.

They share a folder that goes with the server. ``served.json`` in it says which run is behind each
name, also to a process that is started anew. Each process has a folder of its own there and keeps
it locked for as long as it lives, so that nobody waits for one that ended.

A swap has two steps, as none of them may answer from a run that another could not open. All open
the run that ``coming.json`` names while the old one answers; when the last has done so,
``served.json`` is replaced, and each follows within ``_GLANCE`` seconds.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrec_core.api.meter import TOGETHER
from micrec_core.api.shelf import Served, Shelf, opened
from micrec_core.errors import MicrecError, RunError
from micrec_core.evaluation.parallel import VARIABLES
from micrec_core.locks import FolderLock
from micrec_core.runs import check_run_name, open_run
from micrec_core.runs.files import replacing

if TYPE_CHECKING:
    from fastapi import FastAPI

# Where a process finds what it is to serve.
TOLD = "MICREC_API_WORKER"
_SERVED, _COMING, _STATE, _BEGAN = "served.json", "coming.json", "state.json", "began"
_GLANCE = 0.1
# How long a process may take to open a run before the swap is given up.
_PATIENCE = 300.0


@dataclass(frozen=True)
class Plan:
    """Which run is behind each name; ``token`` tells one plan from another."""

    token: str
    places: dict[str, str]


@dataclass(frozen=True)
class State:
    """What a process says of itself.

    Attributes
    ----------
    ready : the plan whose runs it has opened, or could not, which ``problem`` then says
    serves : the plan it answers by
    """

    ready: str = ""
    serves: str = ""
    problem: str = ""


class SharedShelf(Shelf):
    """The shelf of one of several processes.

    Parameters
    ----------
    folder : made by ``sharing``
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own, self._alive = _registered(folder)
        plan = _plan(folder / _SERVED)
        assert plan is not None, "the folder is made with a plan in it"
        self._plan: Plan = plan
        super().__init__({name: Path(place) for name, place in plan.places.items()})
        self._ready: tuple[Plan, dict[str, Served]] | None = None
        self._tell(State(serves=plan.token))
        (folder / _BEGAN).touch()
        threading.Thread(target=self._follow, daemon=True).start()

    def swap(self, name: str, run: str) -> Served:
        """As ``Shelf.swap``, in all processes: back when all of them answer from the new run.

        Raises
        ------
        RunError, ConfigError
            It cannot be served by one of them; then the old one stays in all.
        """
        check_run_name(run)
        with self._swapping, self._alone():
            self._catch_up()
            path = self._served[name].run.path.parent / run
            coming = Plan(secrets.token_hex(8), {**self._plan.places, name: str(path)})
            self._prepare(coming)
            _write(self._folder / _COMING, coming)
            try:
                self._await(lambda state: state.ready == coming.token)
                _write(self._folder / _SERVED, coming)
            finally:
                (self._folder / _COMING).unlink()
            self._catch_up()
            # They have opened it: who is slow now is busy, and follows.
            with suppress(RunError):
                self._await(lambda state: state.serves == coming.token)
        return self._served[name]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process swaps meanwhile."""
        while True:
            try:
                lock = FolderLock(self._folder)
                break
            except BlockingIOError:
                time.sleep(_GLANCE)
        try:
            yield
        finally:
            lock.release()

    def _follow(self) -> None:
        """Look again and again at what the others have begun, until the server ends."""
        while self._folder.exists():
            time.sleep(_GLANCE)
            with self._swapping, suppress(OSError):
                self._look()

    def _look(self) -> None:
        # In this order: a run that was opened is not let go of in the moment that it counts.
        coming = _plan(self._folder / _COMING)
        self._catch_up()
        if coming is None:
            self._ready = None
        elif coming != self._plan and (self._ready is None or self._ready[0] != coming):
            try:
                self._prepare(coming)
                self._tell(State(coming.token, self._plan.token))
            except (MicrecError, MemoryError) as error:
                self._ready = coming, {}
                said = str(error) or "its memory is not enough"
                self._tell(State(coming.token, self._plan.token, said))

    def _prepare(self, plan: Plan) -> None:
        """Open what is new in a plan."""
        new = {n: p for n, p in plan.places.items() if p != self._plan.places[n]}
        self._ready = plan, {name: opened(Path(place)) for name, place in new.items()}

    def _catch_up(self) -> None:
        """Answer by the plan that counts."""
        plan = _plan(self._folder / _SERVED)
        if plan is None or plan == self._plan:
            return
        if self._ready is None or self._ready[0] != plan:
            self._prepare(plan)
        assert self._ready is not None
        # One stroke: whoever asks has the old runs or the new ones.
        self._served = {**self._served, **self._ready[1]}
        self._plan, self._ready = plan, None
        self._tell(State(plan.token, plan.token))

    def _tell(self, state: State) -> None:
        _write(self._own / _STATE, state)

    def _await(self, reached: Callable[[State], bool]) -> None:
        """Wait until all other processes that live have come so far."""
        until = time.monotonic() + _PATIENCE
        while True:
            late = [state for state in self._others() if not reached(state) or state.problem]
            for state in late:
                if state.problem and reached(state):
                    raise RunError(f"another process could not open it: {state.problem}")
            if not late:
                return
            if time.monotonic() > until:
                raise RunError(f"a process has not opened it in {_PATIENCE:.0f} s: ask again")
            time.sleep(_GLANCE / 2)

    def _others(self) -> list[State]:
        """What the other processes say that live."""
        found = []
        for folder in self._own.parent.iterdir():
            if folder == self._own:
                continue
            with suppress(BlockingIOError, FileNotFoundError):
                # Nobody holds it: the process has ended.
                FolderLock(folder).release()
                shutil.rmtree(folder, ignore_errors=True)
                continue
            found.append(State(**(_read(folder / _STATE) or {})))
        return found


@contextmanager
def sharing(places: Mapping[str, Path], told: Mapping[str, Any]) -> Iterator[None]:
    """Make ready what processes share that are started within.

    Parameters
    ----------
    places : name -> the run's directory; all are verified
    told : the limits, as ``service`` takes them

    Raises
    ------
    RunError
        A run is missing or damaged.
    """
    for place in places.values():
        open_run(place)
    with tempfile.TemporaryDirectory(prefix="micrec-api-") as name:
        folder = Path(name)
        for part in ("processes", "metrics"):
            (folder / part).mkdir()
        plan = Plan(secrets.token_hex(8), {n: str(place) for n, place in places.items()})
        _write(folder / _SERVED, plan)
        # A request is one thread's work; threads of BLAS would only wait for each other.
        more = dict.fromkeys(VARIABLES, "1") | os.environ
        more |= {TOLD: json.dumps({"folder": name, **told}), TOGETHER: str(folder / "metrics")}
        before = dict(os.environ)
        os.environ.update(more)
        try:
            yield
        finally:
            for variable in more.keys() - before.keys():
                del os.environ[variable]


def service() -> FastAPI:
    """The application of one process, from what ``sharing`` left in its environment."""
    from micrec_core.api.buckets import Buckets, InFile
    from micrec_core.api.door import environment_limits
    from micrec_core.api.service import make_service

    told = json.loads(os.environ[TOLD])
    folder = Path(told["folder"])
    limits = environment_limits(told["rate"], told["max_megabytes"])
    try:
        shelf = SharedShelf(folder)
    except MicrecError as error:
        sys.stderr.write(f"{error}\n")
        # 3 has uvicorn end them all. One in the place of another that ended is tried again.
        time.sleep(1)
        sys.exit(1 if (folder / _BEGAN).exists() else 3)
    return make_service(shelf, limits, Buckets(limits.rate, InFile(folder / "rates")))


def _registered(folder: Path) -> tuple[Path, FolderLock]:
    """A folder of this process's own among those of the others, locked before they see it."""
    made = Path(tempfile.mkdtemp(dir=folder))
    lock = FolderLock(made)
    own = folder / "processes" / made.name
    made.rename(own)
    return own, lock


def _write(path: Path, what: Plan | State) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(what)), encoding="utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def _plan(path: Path) -> Plan | None:
    found = _read(path)
    return None if found is None else Plan(**found)
