"""SHA-256 of what goes into features, so that nothing is keyed by a file name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def hash_bytes(parts: Iterable[bytes]) -> str:
    """Hex SHA-256 of parts, each with its length, so that moving a border changes it."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> str:
    """Hex SHA-256 of the names and contents of all files below ``folder``, hidden ones left out."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    return hash_bytes(
        part
        for path in files
        for part in (path.relative_to(folder).as_posix().encode(), hash_file(path).encode())
    )
