"""What of a model hub is on this machine, and whether it can be asked for more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_PATIENCE = 10.0  # seconds


def hub_revision(repository: str, files: Iterable[str] = ("config.json",)) -> str | None:
    """The revision of a hub repository of which one of ``files`` is on this machine, or None."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for file in files:
        try:
            found = try_to_load_from_cache(repository, file)
        except ValueError:  # not a name that a repository can have
            return None
        if isinstance(found, str):
            return Path(found).parent.name
    return None


def hub_has(repository: str) -> bool:
    """Whether the hub answers and knows the repository.

    Asked before a download, since the hub's client tries a machine without network for a minute.
    """
    try:
        from huggingface_hub import HfApi

        HfApi().model_info(repository, timeout=_PATIENCE)
    except Exception:  # no package, no network, no such repository, no right to it
        return False
    return True
