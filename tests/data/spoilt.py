"""Datasets as a hostile visitor would bring them: one file of a sound one is spoilt."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.data.conftest import write_dataset
from tests.serving.footers import lie
from tests.serving.mutations import WORDS, Random, lines, raw, table

Change = Callable[[bytes, Random], tuple[str, bytes]]
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".jsonl", ".parquet")
# What a table may unpack to here; what visitors bring may be this many times larger packed.
MOST = 32 << 20
PEOPLE = (
    "1e400", "-1", "9" * 400, "2026-13-45", "NaN", "inf", "0x10", "=cmd|' /C calc'!A0", "\ufeff",
    '"', '""', "a,b", "a\tb", "a;b", "'", "\r", "\x1a", "ｕ０", "u0 ", "U0", "\u200bu0", "é",
    "e\u0301",
)  # fmt: skip
TOML = (
    "", "name = 1", "name = ['a']", "[columns]\nitem_id = 'nothing'", "[columns]\nuser_id = 3",
    "[columns]\nuser_id = 'item_id'\nitem_id = 'user_id'", "separator = 'ab'", "separator = ''",
    "encoding = 'utf-7'", "encoding = 'rot13'", "encoding = '../x'", "decimal = '.,'",
    "[[domains]]\nname = 'food'\nlabel = '<img src=x>'", "[labels]\nfood = 3", "labels = 1",
    "[dialect]\nseparator = ';'", "[dialect]\nencoding = 'utf-16'", "[dialect]\ndecimal = ','",
    "a = " + "[" * 500, "a" * 70_000 + " = 1", ".".join("a" * 2000) + " = 1", "x = 1\nx = 2",
    "synthetic = 'yes'", "personas = '../../etc/passwd'", "licence = " + "'" + "l" * 60_000 + "'",
    "[fields]\ntitle = ['a', 'b']", "split = 'random'", "\x00", "title = 1e999", "d = 2026-13-01",
)  # fmt: skip


def lay_out(folder: Path) -> None:
    """A sound dataset, of which only pictures stay from one try to the next."""
    write_dataset(folder)


def spoil(folder: Path, seed: int) -> tuple[str, str]:
    """Write the dataset in some format and spoil one file; its name and what was done."""
    rng = np.random.default_rng(seed)
    mend(folder, "")
    suffix = str(rng.choice(SUFFIXES))
    write_dataset(folder, suffix)
    if rng.random() < 0.2:
        said = str(rng.choice(TOML))
        (folder / "dataset.toml").write_text(said)
        return "dataset.toml", said[:40]
    path = folder / f"{rng.choice(['items', 'interactions'])}{suffix}"
    if rng.random() < 0.05:
        how = str(rng.choice(sorted(_INSTEAD)))
        path.unlink()
        _INSTEAD[how](path)
        return path.name, how
    content = path.read_bytes()
    packed = suffix.endswith(".gz")
    if packed and rng.random() < 0.5:
        how, content = raw(content, rng)
    else:
        whole = gzip.decompress(content) if packed else content
        ways = _WAYS[suffix.removesuffix(".gz")]
        how, whole = ways[int(rng.integers(len(ways)))](whole, rng)
        content = gzip.compress(whole, 1) if packed else whole
    path.write_bytes(content)
    return path.name, how


def use(folder: Path, name: str) -> None:
    """Read the dataset and describe it, as the check does.

    Raises
    ------
    MicrecError
        A refusal.
    AssertionError
        What was read cannot be right.
    """
    from micrec_core.data import read_dataset
    from micrec_core.data.check import describe

    dataset = read_dataset(folder, unknown_items="drop", max_table_bytes=MOST)
    told = describe(dataset)
    assert dataset.domains and told["n_interactions"] > 0
    for domain in dataset.domains:
        assert domain.name and len(set(domain.item_ids)) == domain.n_items
        assert len(set(domain.user_ids)) == domain.n_users
        assert domain.edges.user.min() >= 0 and domain.edges.user.max() < domain.n_users
        assert domain.edges.item.min() >= 0 and domain.edges.item.max() < domain.n_items
        pairs = domain.edges.user.astype(np.int64) * domain.n_items + domain.edges.item
        assert len(np.unique(pairs)) == len(pairs)
        assert all(str(i).strip() for i in (*domain.item_ids, *domain.user_ids))


def mend(folder: Path, name: str) -> None:
    """Take the tables away."""
    for path in folder.iterdir():
        if path.name != "images":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


# Ways ---------------------------------------------------------------------------------------------


def cell(content: bytes, rng: Random) -> tuple[str, bytes]:
    """One cell is another."""
    rows, between = _split(content)
    at, place = int(rng.integers(len(rows))), int(rng.integers(len(rows[0])))
    word = str(rng.choice([*WORDS, *PEOPLE]))
    if place < len(rows[at]):
        rows[at][place] = word.encode()
    return f"{word[:20]!r} in line {at + 1}", _joined(rows, between)


def columns(content: bytes, rng: Random) -> tuple[str, bytes]:
    """A column is gone, twice, elsewhere, under another name, or one of thousands."""
    rows, between = _split(content)
    place, way = int(rng.integers(len(rows[0]))), int(rng.integers(5))
    if way == 0:
        rows = [row[:place] + row[place + 1 :] for row in rows]
    elif way == 1:
        rows = [[*row, *row[place : place + 1]] for row in rows]
    elif way == 2:
        rows = [row[::-1] for row in rows]
    elif way == 3:
        rows[0][place] = str(rng.choice([*WORDS, "user_id", "title", "asin"])).encode()
    else:
        more = [b"c%d" % k for k in range(int(rng.choice([100, 5000, 20_000])))]
        rows = [row + more for row in rows]
    how = ("gone", "twice", "turned about", "renamed", "of thousands")[way]
    return f"column {place} {how}", _joined(rows, between)


def rows(content: bytes, rng: Random) -> tuple[str, bytes]:
    """Lines are none, one, of other lengths, or very many."""
    found, way = content.splitlines(keepends=True), int(rng.integers(5))
    at = int(rng.integers(len(found)))
    if way == 0:
        return "no lines", b""
    if way == 1:
        return "a header alone", found[0]
    if way == 2:
        found[at] = found[at].rstrip() + b",x,y\n"
        return f"line {at} longer", b"".join(found)
    if way == 3:
        return f"line {at} shorter", b"".join(
            [*found[:at], found[at][:5] + b"\n", *found[at + 1 :]]
        )
    times = int(rng.choice([10_000, 100_000]))
    return f"line {at} {times} times", b"".join([*found[:at], found[at] * times, *found[at + 1 :]])


def written(content: bytes, rng: Random) -> tuple[str, bytes]:
    """The same in another encoding, with other ends of lines, separators or quotes."""
    ways: dict[str, Callable[[], bytes]] = {
        "utf-16": lambda: content.decode().encode("utf-16"),
        "utf-8 with its mark twice": lambda: b"\xef\xbb\xbf" * 2 + content,
        "latin-1": lambda: content.replace(b"food", b"caf\xe9"),
        "ends of lines of old": lambda: content.replace(b"\n", b"\r"),
        "semicolons": lambda: content.replace(b",", b";"),
        "bars in half of it": lambda: content[:200] + content[200:].replace(b",", b"|"),
        "a quote that is never closed": lambda: content + b'"' + b"x" * 1000,
        "zeros": lambda: content.replace(b"0", b"\x00"),
        "one line of two megabytes": lambda: content + b"x" * 2_000_000,
        "a web page": lambda: b"<!doctype html><html>" + content,
        "a picture": lambda: b"\x89PNG\r\n\x1a\n" + content,
    }
    how = str(rng.choice(sorted(ways)))
    return how, ways[how]()


def packed(content: bytes, rng: Random) -> tuple[str, bytes]:
    """Unpacks to more than a table may."""
    return "unpacks to 64 MB", content + content.splitlines(keepends=True)[-1] * (
        (64 << 20) // max(len(content.splitlines()[-1]), 1)
    )


def _split(content: bytes) -> tuple[list[list[bytes]], bytes]:
    between = b"\t" if b"\t" in content.split(b"\n", 1)[0] else b","
    return [line.split(between) for line in content.splitlines() if line], between


def _joined(rows: list[list[bytes]], between: bytes) -> bytes:
    return b"\n".join(between.join(row) for row in rows) + b"\n"


_TEXT: list[Change] = [cell, cell, cell, columns, columns, rows, written, raw, raw]
_WAYS: dict[str, list[Change]] = {
    ".csv": [*_TEXT, packed],
    ".tsv": _TEXT,
    ".jsonl": [lines, lines, lines, raw, written, rows],
    ".parquet": [table, table, table, table, lie, lie, lie, raw],
}
_INSTEAD: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": Path.mkdir,
    "nothing": Path.exists,
}
