"""The runs that answer, each under a name, and putting a new one in the place of an old one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from micrec_core.errors import ConfigError
from micrec_core.runs import Run, check_run_name, open_run
from micrec_core.serving import Recommender


@dataclass(frozen=True)
class Served:
    """An opened run and its recommender, ready to answer."""

    run: Run
    recommender: Recommender


class Shelf:
    """Served runs by name. A request holds the one it began with; a swap replaces the reference.

    Parameters
    ----------
    places : name -> the run's directory; all are opened and warmed up before this returns

    Raises
    ------
    RunError
        A run is missing, damaged, or cannot be served.
    ConfigError
        A name cannot be one.
    """

    def __init__(self, places: Mapping[str, Path]) -> None:
        for name in places:
            check_run_name(name)
        self._served = {name: opened(path) for name, path in places.items()}
        self._swapping = threading.Lock()

    def names(self) -> list[str]:
        """Sorted."""
        return sorted(self._served)

    def get(self, name: str) -> Served | None:
        """What answers under a name now."""
        return self._served.get(name)

    def swap(self, name: str, run: str) -> Served:
        """Let the run of that name, beside the one that answers now, answer from now on.

        The old one answers until the new one is verified, opened and warm; where that fails it
        stays.

        Raises
        ------
        RunError, ConfigError
            The new run cannot be served; the name is not one of a run.
        """
        check_run_name(run)
        with self._swapping:
            made = opened(self._served[name].run.path.parent / run)
            self._served[name] = made
        return made


def places_of(words: list[str]) -> dict[str, Path]:
    """Names and directories from ``RUN`` or ``NAME=RUN``.

    Raises
    ------
    ConfigError
        A name comes twice, or there is nothing before or after the equals sign.
    """
    places: dict[str, Path] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        if equals and not (name and rest):
            raise ConfigError(f"'{word}' is not of the form NAME=RUN; write it so")
        path = Path(rest if equals else word).expanduser().absolute()
        name = name if equals else path.name
        if name in places:
            raise ConfigError(f"two runs are called '{name}'; name one of them: OTHER={path}")
        places[name] = path
    return places


def opened(path: Path) -> Served:
    """Verify, open and warm up a run; RunError where it cannot be served."""
    run = open_run(path)
    recommender = Recommender.open(run)
    recommender.warm()
    return Served(run, recommender)
