"""Zips of runs as a hostile visitor would bring them."""

from __future__ import annotations

import io
import json
import shutil
import stat
import warnings
import zipfile
from pathlib import Path

import numpy as np

from tests.serving.mutations import Random, raw, ways
from tests.ui_run import write_run

NAMES = (
    "../evil", "/tmp/evil", "tiny/../../evil", "tiny/run.json/x", "tiny\\..\\evil", "C:evil", "\x00",
    "tiny/" + "a" * 300, "tiny/" + "a/" * 500 + "b", "tiny/RUN.JSON", "other/run.json", "run.json",
    "tiny/.hidden", "tiny/metrics", "tiny/manifest.json", "évil", "tiny/CON", "tiny//x", "./tiny/x",
)  # fmt: skip
_PACKED, _RUNS = "whole.zip", "runs"


def lay_out(folder: Path) -> None:
    """A packed run, which stays, and where runs are taken in."""
    from micrec_core.runs import open_run
    from micrec_core.runs.archive import pack

    path = write_run(folder / "from", "tiny")
    with open(folder / _PACKED, "wb") as out:
        pack(open_run(path), out)
    shutil.rmtree(folder / "from")


def spoil(folder: Path, seed: int) -> tuple[str, str]:
    """Spoil the zip; what was done."""
    rng = np.random.default_rng(seed)
    whole = (folder / _PACKED).read_bytes()
    (folder / _RUNS).mkdir(exist_ok=True)
    way = int(rng.integers(6))
    if way <= 1:
        how, content = raw(whole, rng)
    else:
        how, content = (_member, _added, _told, _bombs)[way - 2](whole, rng)
    (folder / "spoilt.zip").write_bytes(content)
    return "a zip", how


def use(folder: Path, name: str) -> None:
    """Take it in; what is there after is a whole run, or nothing.

    Raises
    ------
    MicrecError
        A refusal.
    AssertionError
        Something was left behind, or written elsewhere.
    """
    from micrec_core.runs import list_runs
    from micrec_core.runs.archive import unpack

    beside = sorted(path.name for path in folder.iterdir())
    try:
        with open(folder / "spoilt.zip", "rb") as source:
            run = unpack(source, folder / _RUNS)
        assert [found.name for found in list_runs(folder / _RUNS)] == [run.name]
    finally:
        left = sorted(path.name for path in (folder / _RUNS).iterdir())
        assert len(left) <= 1 and not any(one.startswith(".") for one in left), left
        assert beside == sorted(path.name for path in folder.iterdir())
        assert not Path("/tmp/evil").exists()


def mend(folder: Path, name: str) -> None:
    """Take away what was taken in."""
    shutil.rmtree(folder / _RUNS, ignore_errors=True)


# Ways ---------------------------------------------------------------------------------------------


def _zip(members: list[tuple[zipfile.ZipInfo | str, bytes]], packing: int = 0) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", packing) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def _members(whole: bytes) -> list[tuple[zipfile.ZipInfo | str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _member(whole: bytes, rng: Random) -> tuple[str, bytes]:
    """One file is another, gone, or sealed anew with other content."""
    members = _members(whole)
    at, way = int(rng.integers(len(members))), int(rng.integers(3))
    name, content = members[at]
    if way == 0:
        del members[at]
        return f"{name} gone", _zip(members)
    choices = ways(str(name))
    how, content = choices[int(rng.integers(len(choices)))](content, rng)
    members[at] = (name, content)
    if way == 2 and str(name) != "tiny/manifest.json":
        import hashlib

        manifest = json.loads(dict(members)["tiny/manifest.json"])  # type: ignore[arg-type]
        manifest["files"][str(name).removeprefix("tiny/")] = hashlib.sha256(content).hexdigest()
        members = [(n, c) for n, c in members if n != "tiny/manifest.json"]
        members.append(("tiny/manifest.json", json.dumps(manifest).encode()))
    return f"{name}: {how}", _zip(members)


def _added(whole: bytes, rng: Random) -> tuple[str, bytes]:
    """A file more, under a name that leads elsewhere, or as a link, or twice."""
    members, name = _members(whole), str(rng.choice(NAMES))
    info: zipfile.ZipInfo | str = zipfile.ZipInfo(name)
    if rng.random() < 0.3:
        assert isinstance(info, zipfile.ZipInfo)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
    place = int(rng.integers(len(members) + 1))
    members.insert(place, (info, b"/etc/passwd"))
    return f"with {name[:30]!r}", _zip(members)


def _told(whole: bytes, rng: Random) -> tuple[str, bytes]:
    """What the zip says of a member is another: how packed, how large, encrypted."""
    content = bytearray(whole)
    at = content.find(b"PK\x01\x02", int(rng.integers(len(content) // 2, len(content))))
    at = at if at >= 0 else content.rfind(b"PK\x01\x02")
    field = int(rng.choice([6, 8, 10, 16, 20, 24, 28, 30, 32, 34, 38, 42]))
    content[at + field] ^= 1 << int(rng.integers(8))
    return f"byte {field} of a member's head", bytes(content)


def _bombs(whole: bytes, rng: Random) -> tuple[str, bytes]:
    """Little that is much: zeros, or files by the thousand."""
    members = _members(whole)
    if rng.random() < 0.5:
        at = int(rng.integers(len(members)))
        members[at] = (members[at][0], b"\x00" * (16 << 20))
        return f"{members[at][0]} of zeros", _zip(members, zipfile.ZIP_DEFLATED)
    members += [(f"tiny/more/{k}", b"") for k in range(10_001)]
    return "ten thousand files more", _zip(members)
