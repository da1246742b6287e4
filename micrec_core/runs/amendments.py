"""Changing a complete run at one stroke, though many files change.

What is to be is written beside what is, then one file that says so. From the moment it is there the
run is the new one: whoever finds it carries it out, as often as it takes.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from micrec_core.errors import RunError
from micrec_core.locks import FolderLock
from micrec_core.runs import files
from micrec_core.runs.schema import RunInfo, parse_manifest

PENDING = "amending.json"


def commit(root: Path, moves: Mapping[str, str], manifest: Mapping[str, Any], info: RunInfo) -> None:
    """Decide upon an amendment whose files lie beside their places, on disk.

    Parameters
    ----------
    moves : relative path -> name of the file beside it that takes its place
    manifest, info : of the run as it is then
    """
    said = {"moves": dict(moves), "manifest": manifest, "info": info.model_dump(mode="json")}
    with files.replacing(root / PENDING) as temporary:
        files.write_json(temporary, said)


def carry_out(root: Path) -> None:
    """Carry out what was decided; does nothing where nothing was. Only for the run's writer.

    Raises
    ------
    RunError
        What was decided cannot be read, or names what is not of the run.
    """
    pending = root / PENDING
    if not pending.exists():
        return
    where = f"Run '{root.name}'"
    said = files.read_json(files.inside(root, PENDING), where)
    try:
        moves, manifest = dict(said["moves"]), {"files": parse_manifest(said["manifest"], where)}
        info = RunInfo.parse(said["info"], where)
        pairs = [(files.inside(root, name), str(beside)) for name, beside in moves.items()]
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{where} has a damaged {PENDING}: copy the run again.") from None
    for target, beside in pairs:
        if "/" in beside or not (beside.startswith(".") and beside.endswith(files.PARTIAL)):
            raise RunError(f"{where} has a damaged {PENDING}: copy the run again.")
        with suppress(FileNotFoundError):  # moved already
            target.with_name(beside).replace(target)
        files.sync(target.parent)
    with files.replacing(root / "manifest.json") as temporary:
        files.write_json(temporary, manifest)
    with files.replacing(root / "run.json") as temporary:
        temporary.write_bytes(info.to_bytes())
    pending.unlink()


def settle(root: Path) -> None:
    """Carry out what a killed writer had decided; for readers, who do not wait for a live one.

    Raises
    ------
    RunError
        It cannot be carried out here.
    """
    if not (root / PENDING).exists():
        return
    lock = None
    try:
        lock = FolderLock(root)
        carry_out(root)
    except OSError as error:
        raise RunError(
            f"Run '{root.name}' was being changed when its writer stopped ({error.strerror}): "
            "open it once where it can be written, or wait a moment."
        ) from None
    finally:
        if lock is not None:
            lock.release()
