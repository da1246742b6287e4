"""Shards as tasks of Ray: on a cluster of this machine for the time of a command, or on one that
is there.

Ray sends functions and arrays between its own processes, by pickle, so whoever reaches its ports
commands its machines. A cluster that is started here listens on this machine's loopback alone, and
its folder goes with it. A worker that ends over a shard has it done again elsewhere.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from micrec_core.engines import Cluster, Common, Result, Shard, Started
from micrec_core.errors import ConfigError, RunError
from micrec_core.version import __version__

# So often a shard is begun anew, whose worker was killed or had no memory left.
_RETRIES = 3
# Shards under way for each core: one worked on, one ready.
_AHEAD = 2
# Workers here stand in for the command, which waits for them: they do not give way to all else.
_AS_WE = {"worker_niceness": 0}
# In a worker, what all shards of the stage at hand need, by the object it came as: a run is opened
# once, and not for each shard.
_latest: dict[str, Any] = {}


class RayEngine:
    """The workers of a cluster that this process has joined."""

    def __init__(self, ray: Any):
        self._ray = ray

    def map(
        self,
        function: Callable[[Common, Shard], Result],
        common: Common,
        shards: Iterable[Shard],
    ) -> Iterator[Result]:
        """As ``Engine.map``, a few shards for each core at a time."""
        ray = self._ray
        kept = ray.put((__version__, function, common))
        task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work)
        ahead = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[Any] = deque()
        try:
            for shard in shards:
                if len(waiting) >= ahead:
                    yield self._result(waiting.popleft())
                waiting.append(task.remote([kept], [shard]))
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for left in waiting:
                ray.cancel(left, force=True)

    @property
    def host(self) -> str:
        """As ``Cluster.host``."""
        return str(self._ray.util.get_node_ip_address())

    def start(self, function: Callable[..., object], *given: Any, **named: Any) -> Started:
        """As ``Cluster.start``; it is not begun anew, and takes no place that shards wait for."""
        task = self._ray.remote(
            num_cpus=0, max_retries=0, max_calls=1, scheduling_strategy="SPREAD",
        )(_run)  # fmt: skip
        name = getattr(function, "__name__", "work")
        kept = self._ray.put((__version__, function, (given, named)))
        return _Task(self._ray, task.options(name=name).remote([kept]))

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise _own(error) from None
        except errors.RayError as error:
            raise RunError(
                f"workers of Ray ended {_RETRIES + 1} times over one part of the work "
                f"({type(error).__name__}); look at its logs, and give a worker more memory"
            ) from error


class _Task:
    """A task that runs for long."""

    def __init__(self, ray: Any, reference: Any):
        self._ray, self._reference = ray, reference

    def poll(self) -> int | None:
        """None while it runs; raises what ended it, 1 where that was a signal."""
        ended, _ = self._ray.wait([self._reference], timeout=0)
        if not ended:
            return None
        errors = self._ray.exceptions
        try:
            self._ray.get(self._reference)
        except errors.RayTaskError as error:
            raise _own(error) from None
        except errors.RayError:
            return 1
        return 0

    def terminate(self) -> None:
        self._ray.cancel(self._reference, force=True)

    def wait(self) -> int | None:
        self._ray.wait([self._reference])
        return 0


def _own(error: Any) -> Exception:
    """What a function raised in a worker."""
    return error.cause if isinstance(error.cause, Exception) else error


def _work(kept: list[Any], shard: list[Any]) -> Any:
    """In a worker: the function that was kept, of one shard; both in lists, to come unopened."""
    function, common = _opened(kept)
    return function(common, shard[0])


def _run(kept: list[Any]) -> None:
    """In a worker: the function that was kept, with all that it is given."""
    function, (given, named) = _opened(kept)
    function(*given, **named)


def _opened(kept: list[Any]) -> Any:
    """A function and what was kept with it."""
    # Ray keeps OpenMP to a worker's cores; numba looks at its own variable when it is imported,
    # which opening what was kept may do.
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    name = kept[0].hex()
    if name not in _latest:
        import ray

        _latest.clear()
        _latest[name] = ray.get(kept[0])
    version, function, common = _latest[name]
    if version != __version__:
        raise RunError(
            f"a worker has version {__version__} of this program and the command {version}; "
            "install the same on all machines"
        )
    return function, common


@contextmanager
def joined(address: str) -> Iterator[Cluster]:
    """The cluster whose head is at HOST:PORT, or without an address one of this machine's cores.

    A process that has joined one already stays with that.

    Raises
    ------
    ConfigError
        Ray is not installed, or there is no cluster at the address.
    """
    ray = _ray()
    if ray.is_initialized():
        yield RayEngine(ray)
        return
    folder = None if address else tempfile.mkdtemp(prefix="micrec-ray-")
    try:
        _start(ray, address, folder)
        yield RayEngine(ray)
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _start(ray: Any, address: str, folder: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    # Else it says on standard output, where a command's answer is, that a worker was killed.
    ray._private.worker._worker_logs_enabled = False
    if folder is not None:
        # Who is to command these workers; Ray would else keep its word for it in the home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        with _loopback(ray._private.ray_constants):
            ray.init(
                "local", num_cpus=cores, num_gpus=0, include_dashboard=False, _temp_dir=folder,
                _system_config=_AS_WE, **quiet,
            )  # fmt: skip
        return
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"there is no Ray cluster at {address}; give the HOST:PORT that its 'ray start --head' "
            "told, on one of its machines"
        ) from error


@contextmanager
def _loopback(constants: Any) -> Iterator[None]:
    """Have Ray take 127.0.0.1 for this machine's address, as it does where it makes no clusters.

    It then listens there alone; an address that it is given is replaced by an outer one.
    """
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _ray() -> Any:
    """The package, which tells nobody that it is used."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "the engine 'ray' needs Ray; install it: pip install 'micrec-explorer[scale]'"
        ) from None
    return ray
