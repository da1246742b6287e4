"""Pictures that lie in a folder, named by item id, into a dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from micrec_core.data.check import image_problem
from micrec_core.data.progress import Progress
from micrec_core.data.schema import MAX_PATH
from micrec_core.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_STEP = 256


def copy_pictures(
    source: Path, target: Path, ids: Sequence[str], progress: Progress
) -> tuple[list[str], dict[str, int]]:
    """Copy each item's picture to ``target``.

    The names are those found in the folder: an id is only compared with them and never made part of
    a path. A picture that does not open, is too large, or is a link out of the folder is left out.

    Parameters
    ----------
    source : files called by item id and a picture's ending; ``a.jpg`` goes before ``a.png``
    target : ``images/DOMAIN`` below a dataset folder; made where it is not there

    Returns
    -------
    list of str [n_items]
        Paths below the dataset folder; an empty string where there is no picture.
    dict
        Number of pictures ``copied``, ``unreadable``, ``linked`` (out of the folder) and
        ``unnameable`` (a path that a dataset cannot hold).

    Raises
    ------
    DataError
        ``source`` is no folder that can be read.
    """
    found = _by_id(source)
    counts = dict.fromkeys(("copied", "unreadable", "linked", "unnameable"), 0)
    paths: list[str] = []
    target.mkdir(parents=True)
    inside = os.path.realpath(source) + os.sep
    for k, item in enumerate(ids):
        if k % _STEP == 0:
            progress(f"copying pictures of {target.name}", k, len(ids))
        paths.append("")
        name = found.get(item)
        if name is None:
            continue
        path = f"{target.parent.name}/{target.name}/{name}"
        if "\\" in name or len(path) > MAX_PATH:
            counts["unnameable"] += 1
        elif not os.path.realpath(source / name).startswith(inside):
            counts["linked"] += 1
        elif image_problem(source / name):
            counts["unreadable"] += 1
        else:
            shutil.copyfile(source / name, target / name)
            counts["copied"] += 1
            paths[-1] = path
    progress(f"copying pictures of {target.name}", len(ids), len(ids))
    return paths, counts


def _by_id(source: Path) -> dict[str, str]:
    """Item id -> file name, of the regular files (and links to such) that may be pictures."""
    out: dict[str, str] = {}
    for name in sorted(_names(source)):
        stem, dot, suffix = name.rpartition(".")
        if stem and dot and f".{suffix.lower()}" in SUFFIXES:
            out.setdefault(stem, name)
    return out


def _names(source: Path) -> Iterator[str]:
    try:
        with os.scandir(source) as entries:
            yield from (entry.name for entry in entries if entry.is_file())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise DataError(
            f"the folder of pictures '{source}' cannot be read ({reason}); check the path"
        ) from error
