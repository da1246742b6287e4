"""Which folders of this server a visitor may name: no answer says what lies in any other."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import streamlit as st

from micrec_core.bundled import SAMPLE_DATA, from_home, home
from micrec_core.data.schema import quote
from micrec_core.errors import DataError

# What a proxy adds to a request.
_PROXY = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
          "X-Real-Ip")  # fmt: skip


def data_folders() -> tuple[Path, ...]:
    """Folders that hold datasets: ``MICREC_DATA`` (several joined by ``:``), or the defaults."""
    said = os.environ.get("MICREC_DATA")
    if not said:
        return (home() / "data", SAMPLE_DATA)
    return tuple(home() / part for part in said.split(os.pathsep) if part)


def any_folder() -> bool:
    """Whether the visitor is this computer's own user, who may read what the app may read.

    ``MICREC_ANY_FOLDER=1`` asks for it (``make app`` and ``micrec app`` do); it holds only where
    the server answers to this computer alone and no proxy stands before it.
    """
    headers = st.context.headers
    return (
        os.environ.get("MICREC_ANY_FOLDER") == "1"
        and _loopback(st.get_option("server.address") or "")
        and _loopback(_host(headers.get("Host") or "localhost"))
        and not any(name in headers for name in _PROXY)
    )


def named_folder(said: str) -> Path:
    """The folder that a visitor names; one that begins with neither / nor ~ begins at home.

    Raises
    ------
    DataError
        It is not below one of ``data_folders``, whether it exists or not; or it is not there.
    """
    everywhere = any_folder()
    try:
        folder = home() / (Path(said).expanduser() if everywhere else Path(said))
        # By its words first, so that nothing is looked up outside.
        inside = everywhere or (_below(Path(os.path.abspath(folder))) and _below(folder.resolve()))
        if inside and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            return folder
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a NUL
        inside = everywhere
    if inside:
        raise DataError(f"there is no folder {quote(said, 80)} that can be read; check the path")
    known = " or ".join(str(from_home(root)) for root in data_folders())
    raise DataError(f"that folder is not among those of this server; give one of {known}, or below")


def _below(path: Path) -> bool:
    roots = (root for folder in data_folders() for root in (folder, folder.resolve()))
    return any(path.is_relative_to(root) for root in roots)


def _host(header: str) -> str:
    """The host of ``localhost:8501`` or ``[::1]:8501``."""
    return header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
