"""A folder of encoded features, each entry keyed by a hash of everything that went into it."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)
_JSON = "json"
_FORMAT = 1
# Seconds without a byte after which a half-written entry is nobody's.
_ABANDONED = 24 * 3600


class FeatureCache:
    """Entries ``<key>.npz``: arrays, and a JSON object as an array of bytes among them.

    One file an entry, so that it is replaced as a whole, and a zip file, so that its checksums
    show a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where the entry of ``key`` lies, there or not."""
        return self.folder / f"{key}.npz"

    def read(self, key: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """The entry's JSON object and arrays; None when there is none or it is damaged."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as entry:
                arrays = {name: entry[name] for name in entry.files}
            meta = json.loads(arrays.pop(_JSON).tobytes().decode("utf-8"))
            if meta["format"] != _FORMAT or meta["key"] != key:
                raise ValueError("not the entry of this key")
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever the damage, the features can be computed again
            logger.warning("The cache entry %s is damaged and is made again (%s).", path, error)
            return None
        return meta["content"], arrays

    def write(self, key: str, content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Store an entry; readers see all of it or nothing.

        Raises
        ------
        OSError
            It cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        meta = json.dumps({"format": _FORMAT, "key": key, "content": content})
        packed = np.frombuffer(meta.encode("utf-8"), dtype=np.uint8)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **{_JSON: packed}, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        """Remove what writers that were killed have left; those at work are younger."""
        for path in self.folder.glob(".*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()
