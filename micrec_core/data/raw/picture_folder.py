"""Pictures that lie in a folder or in folders below it, named by item id, into a dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from micrec_core.data.picture_files import endings, image_problem
from micrec_core.data.progress import Progress
from micrec_core.data.schema import MAX_PATH, quote
from micrec_core.errors import DataError

_STEP = 256


def copy_pictures(
    source: Path, target: Path, ids: Sequence[str], progress: Progress
) -> tuple[list[str], dict[str, int]]:
    """Copy each item's picture to ``target``.

    The names are those found in the folder: an id is only compared with them and never made part of
    a path. A picture that does not open, is too large, or is a link out of the folder is left out.

    Parameters
    ----------
    source : files called by item id and a picture's ending, also in folders below (as
        ``010/0108775015.jpg``); what is nearer to ``source`` goes first, and ``a.jpg`` before
        ``a.png``
    target : ``images/DOMAIN`` below a dataset folder; made where it is not there

    Returns
    -------
    list of str [n_items]
        Paths below the dataset folder; an empty string where there is no picture.
    dict
        Number of pictures ``copied``, ``unreadable``, ``linked`` (out of the folder),
        ``unnameable`` (a path that a dataset cannot hold) and ``unused`` (called by no item's id).

    Raises
    ------
    DataError
        ``source`` is no folder that can be read, or not one of its pictures is of an item.
    """
    found = _by_id(source)
    _refuse_strangers(source, found, ids)
    counts = dict.fromkeys(("copied", "unreadable", "linked", "unnameable"), 0)
    counts["unused"] = len(found.keys() - set(ids))
    paths: list[str] = []
    target.mkdir(parents=True)
    inside = os.path.realpath(source) + os.sep
    for k, item in enumerate(ids):
        if k % _STEP == 0:
            progress(f"copying pictures of {target.name}", k, len(ids))
        paths.append("")
        place = found.get(item)
        if place is None:
            continue
        name = os.path.basename(place)
        path = f"{target.parent.name}/{target.name}/{name}"
        if "\\" in name or len(path) > MAX_PATH:
            counts["unnameable"] += 1
        elif not os.path.realpath(source / place).startswith(inside):
            counts["linked"] += 1
        elif image_problem(source / place):
            counts["unreadable"] += 1
        else:
            shutil.copyfile(source / place, target / name)
            counts["copied"] += 1
            paths[-1] = path
    progress(f"copying pictures of {target.name}", len(ids), len(ids))
    return paths, counts


def _by_id(source: Path) -> dict[str, str]:
    """Item id -> path below ``source``, of the regular files (and links to such) that may be
    pictures.
    """
    out: dict[str, str] = {}
    kinds = endings()
    for path in _files(source):
        stem, dot, suffix = os.path.basename(path).rpartition(".")
        if stem and dot and f".{suffix.lower()}" in kinds:
            out.setdefault(stem, path)
    return out


def _files(source: Path) -> Iterator[str]:
    """Paths below ``source``, those in it first; links to folders are not followed.

    Hidden files, such as the ``._a.jpg`` that a Mac leaves on other file systems, are no pictures.
    """

    def refuse(error: OSError) -> None:
        raise DataError(
            f"the folder of pictures '{source}' cannot be read ({error.strerror}); check the path"
        ) from error

    try:
        for folder, below, names in os.walk(source, onerror=refuse):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not name.startswith(".") and os.path.isfile(path):
                    yield os.path.relpath(path, source)
    except ValueError as error:
        raise DataError(
            f"the folder of pictures '{source}' cannot be read (no such path); check the path"
        ) from error


def _refuse_strangers(source: Path, found: dict[str, str], ids: Sequence[str]) -> None:
    """Refuse a folder of which nothing would be copied: it was asked for."""
    if not found:
        raise DataError(
            f"the folder of pictures '{source}' holds no {', '.join(endings())} file; check the "
            "path or leave --images out"
        )
    if found.keys().isdisjoint(ids):
        bare = {_bare(item): item for item in ids}
        near = next((stem for stem in found if _bare(stem) in bare), None)
        name = os.path.basename(found[near or min(found)])
        wanted = bare[_bare(near)] if near else min(ids)
        raise DataError(
            f"no picture in '{source}' is called by an item id (there is {quote(name)}, and an "
            f"item {quote(wanted)}); rename the files, mend the ids if they lost their zeros, or "
            "leave --images out"
        )


def _bare(name: str) -> str:
    """A name without what copying a table or a folder may take: capitals, leading zeros."""
    return name.lower().lstrip("0")
