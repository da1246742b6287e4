"""Image paths of an item table: inside the dataset folder, and there."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.schema import MAX_PATH, counted, quote
from micrec_core.data.text_table import Table, encode


def images(table: Table, root: Path) -> NDArray[np.object_]:
    """The ``image`` column [n_rows] as clean paths below ``root``; empty where there is none.

    Raises
    ------
    DataError
        At the first row whose path leads out of the folder (absolute, ``..``, a link), is a web
        address, or names no regular file; missing files are counted.
    """
    coded = encode(table.text("image"))
    words = coded.words()
    clean = np.empty(len(words), dtype=object)
    problems: dict[int, Problem] = {}
    checker = _Folder(root)
    for k, word in enumerate(words):
        if problem := _wording(word) or checker.problem(word):
            problems[k] = problem
        clean[k] = PurePosixPath(word).as_posix() if word else ""
    if problems:
        rows = np.isin(coded.codes, np.fromiter(problems, dtype=np.int64))
        row = int(np.argmax(rows))
        k = int(coded.codes[row])
        what, mend = problems[k]
        missing = [*problems.values()].count(_MISSING)
        if problems[k] == _MISSING and missing > 1:
            what += f" ({counted(missing, 'picture')} are missing)"
        raise table.refuse(row, f"the image {quote(words[k], 80)} {what}; {mend}", "image")
    return clean[coded.codes]


# What is wrong with a path, and the mend.
_INSIDE = "give a path inside the dataset folder"
_ABSOLUTE = ("is an absolute path", _INSIDE)
_UP = ("leads out of the dataset folder by '..'", _INSIDE)
_LINK = ("leads out of the dataset folder by a link", "copy the picture into the folder")
_WEB = ("is a web address", "download the picture into the dataset folder and give its path")
_BACK = ("is written with a backslash", "separate folders by /")
_LONG = ("is too long for a path", "give the file a shorter name")
_ODD = ("holds a control character", "rename the file")
_MISSING = ("does not exist", "add the file or leave the field empty")
_KIND = ("is not a regular file", "give the path of a picture")
Problem = tuple[str, str]


def _wording(word: str) -> Problem | None:
    """What is wrong with a path as text; None if nothing is."""
    if not word:
        return None
    if len(word) > MAX_PATH or any(len(p.encode()) > 255 for p in word.split("/")):
        return _LONG
    if any(ord(c) < 32 or ord(c) == 127 for c in word):
        return _ODD
    if "://" in word:
        return _WEB
    if PurePosixPath(word).is_absolute() or PureWindowsPath(word).drive or word.startswith("\\"):
        return _ABSOLUTE
    if "\\" in word:
        return _BACK
    if ".." in PurePosixPath(word).parts:
        return _UP
    return None


class _Folder:
    """Looks files up below a folder, resolving each subfolder once."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._inside: dict[str, bool] = {}

    def problem(self, word: str) -> Problem | None:
        if not word:
            return None
        path = os.path.join(self.root, word)
        parent = os.path.dirname(path)
        if parent not in self._inside:
            self._inside[parent] = self._holds(os.path.realpath(parent))
        if not self._inside[parent]:
            return _LINK
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                if not self._holds(os.path.realpath(path)):
                    return _LINK
                mode = os.stat(path).st_mode
        except OSError:
            return _MISSING
        return None if stat.S_ISREG(mode) else _KIND

    def _holds(self, real: str) -> bool:
        return real == self.root or real.startswith(self.root.rstrip(os.sep) + os.sep)
