"""Where a stage is worked on: in this process, or by workers of an engine that others have made.

A stage cuts its work into shards by its data alone and says what is done with each. In this process
they are done one after the other, which is the definition; another engine does several at once and
gives the same, in the same order. A new engine is a file here and a line in ``ENGINES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, TypeVar, runtime_checkable

from micrec_core.errors import ConfigError

Common = TypeVar("Common")
Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Engine(Protocol):
    """What works on shards."""

    def map(
        self,
        function: Callable[[Common, Shard], Result],
        common: Common,
        shards: Iterable[Shard],
    ) -> Iterator[Result]:
        """``function(common, shard)`` of each shard, in their order.

        Parameters
        ----------
        function : of a module, for other processes know it by its name
        common : what all shards need, sent once to each machine
        shards : asked for as they are worked on, and not all at once

        Raises
        ------
        MicrecError
            What ``function`` raises.
        RunError
            Workers ended again and again over one shard.
        """
        ...


class Started(Protocol):
    """Something that runs elsewhere, as ``subprocess.Popen`` has it."""

    def poll(self) -> int | None:
        """None while it runs; may raise what ended it."""
        ...

    def terminate(self) -> None:
        """End it."""
        ...

    def wait(self) -> int | None:
        """Wait until it has ended."""
        ...


@runtime_checkable
class Cluster(Engine, Protocol):
    """An engine that also starts what runs for long beside this process, and talks with it."""

    @property
    def host(self) -> str:
        """The address at which the others reach this process's machine."""
        ...

    def start(self, function: Callable[..., object], *given: Any, **named: Any) -> Started:
        """Start a function of a module somewhere, on as many machines in turn as there are."""
        ...


class InProcess:
    """One shard after the other, here."""

    def map(
        self,
        function: Callable[[Common, Shard], Result],
        common: Common,
        shards: Iterable[Shard],
    ) -> Iterator[Result]:
        """As ``Engine.map``; nothing is sent anywhere."""
        for shard in shards:
            yield function(common, shard)


HERE = InProcess()


def _in_process(address: str) -> AbstractContextManager[Engine]:
    if address:
        raise ConfigError(f"the engine 'process' has no address; leave '://{address}' out")
    return nullcontext(HERE)


def _on_ray(address: str) -> AbstractContextManager[Engine]:
    from micrec_core.engines.on_ray import joined

    return joined(address)


# What opens an engine, given what stands behind :// or nothing.
ENGINES: dict[str, Callable[[str], AbstractContextManager[Engine]]] = {
    "process": _in_process,
    "ray": _on_ray,
}


def opened(spec: str) -> AbstractContextManager[Engine]:
    """The engine that ``NAME`` or ``NAME://ADDRESS`` names, for as long as it is held.

    Raises
    ------
    ConfigError
        There is none of that name, or it is not installed or not there.
    """
    name, _, address = spec.partition("://")
    if name not in ENGINES:
        raise ConfigError(f"there is no engine '{name}'; use {' or '.join(ENGINES)}")
    return ENGINES[name](address)
