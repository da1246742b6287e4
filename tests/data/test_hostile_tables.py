"""Tables made to harm whoever reads them are refused by one sentence, at once, in little memory.

All attacks are read in one process that may write to no more than a gigabyte.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micrec_core.data.about import MAX_BYTES
from micrec_core.data.schema import MAX_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
MOST = 64 << 20
READ = """
import json, resource, sys, time
from pathlib import Path
from micrec_core.data import read_dataset
from micrec_core.errors import DataError
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
told = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    begun = time.process_time()
    try:
        read_dataset(folder, max_table_bytes=int(sys.argv[2]))
        said = "accepted"
    except DataError as error:
        said = str(error)
    except BaseException as error:
        said = f"unexpected failure, {type(error).__name__}: {error}"
    told[folder.name] = said, time.process_time() - begun
print(json.dumps(told))
"""
Attack = Callable[[Path], object]


def packed(name: str, line: bytes) -> Attack:
    """A megabyte of gzip that unpacks to about a gigabyte."""

    def write(root: Path) -> None:
        block = gzip.compress(line * ((8 << 20) // len(line)))
        (root / name.removesuffix(".gz")).unlink(missing_ok=True)
        (root / name).write_bytes(block * 125)

    return write


def instead(name: str, make: Callable[[Path], object]) -> Attack:
    """Something else in the place of a file of the dataset."""

    def write(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        make(root / name)

    return write


def parquet(table: str, column: str, n_rows: int, length: int, **options: object) -> Attack:
    """A table in which one text is repeated: a hundred kilobytes for hundreds of gigabytes."""
    columns = {
        "interactions": ("user_id", "item_id", "domain"),
        "items": ("item_id", "domain", "title", "description"),
    }[table]

    def write(root: Path) -> None:
        (root / f"{table}.csv").unlink()
        codes = pa.array(np.zeros(n_rows, np.int32))
        arrays = [
            pa.DictionaryArray.from_arrays(codes, pa.array(["x" * (length if c == column else 1)]))
            for c in columns
        ]
        made = pa.table(dict(zip(columns, arrays, strict=True)))
        if options:
            made = made.cast(pa.schema([(c, pa.string()) for c in columns]))
        pq.write_table(made, root / f"{table}.parquet", **options)

    return write


def arrow(root: Path) -> None:
    """A part in Arrow's own format: zeros, packed, that point at one long text."""
    (root / "items.csv").unlink()
    (root / "items").mkdir()
    codes = pa.array(np.zeros(2_000_000, np.int32))
    short, long = (pa.DictionaryArray.from_arrays(codes, pa.array(["x" * n])) for n in (1, 10**5))
    table = pa.table({"item_id": short, "domain": short, "title": short, "description": long})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(root / "items" / "part-0.arrow", table.schema, options=options) as file:
        file.write_table(table)


def arrow_elsewhere(root: Path) -> None:
    """A part in Arrow's own format one text of which lies before all others, by a gigabyte."""
    (root / "items.csv").unlink()
    (root / "items").mkdir()
    places = np.arange(6, dtype=np.int32)
    places[2] = -(2**30)
    texts = pa.StringArray.from_buffers(5, pa.py_buffer(places), pa.py_buffer(b"abcde"))
    plain = pa.array(list("abcde"))
    table = pa.table({"item_id": plain, "domain": pa.array(["food"] * 5), "title": texts})
    with pa.ipc.new_stream(root / "items" / "part-0.arrow", table.schema) as file:
        file.write_table(table)


def replaced(name: str, content: str) -> Attack:
    return lambda root: (root / name).write_text(content)


def json_lines(line: str) -> Attack:
    def write(root: Path) -> None:
        (root / "items.csv").unlink()
        (root / "items.jsonl").write_text(line + "\n")

    return write


def header(n: int) -> str:
    return ",".join(["item_id", "domain", *(f"c{k}" for k in range(n))]) + "\n"


PAIRS = "".join(f"x,shop{k},thing\n" for k in range(5_000))
ATTACKS: dict[str, tuple[Attack, str]] = {
    "gzip-rows": (packed("interactions.csv.gz", b"u,i,d\n"), "unpacks to more than 64 MiB"),
    "gzip-one-line": (packed("items.csv.gz", b"a" * 1024), "unpacks to more than 64 MiB"),
    "parquet-ids": (parquet("interactions", "user_id", 20_000_000, 100_000), "more than 64 MiB"),
    "parquet-text": (parquet("items", "description", 5_000_000, 100_000), "more than 64 MiB"),
    "parquet-prefixes": (
        parquet("items", "title", 2_000, 100_000, use_dictionary=False,
                column_encoding={"title": "DELTA_BYTE_ARRAY"}),
        "more than 64 MiB",
    ),
    "toml-large": (replaced("dataset.toml", "#" * (MAX_BYTES + 1)), "more than 64 KiB"),
    "toml-dotted": (replaced("dataset.toml", ".".join("a" * 30_000) + " = 1"), "levels deep"),
    "toml-tables": (replaced("dataset.toml", "[" + ". ".join("a" * 9_000) + "]"), "levels deep"),
    "toml-brackets": (replaced("dataset.toml", "a = " + "[" * 30_000), "levels deep"),
    "toml-long-word": (replaced("dataset.toml", "a" * 60_000), "is not TOML"),
    "columns": (replaced("items.csv", header(10_000)), "no column 'title'"),
    "columns-beyond": (replaced("items.csv", header(MAX_COLUMNS)), "16,386 columns"),
    "domains": (replaced("items.csv", "item_id,domain,title\n" + PAIRS), "5,000 domains"),
    "json-depth": (json_lines("[" * 200_000), "not a JSON object"),
    "json-keys": (
        json_lines("{" + ",".join(f'"{k}":1' for k in range(60_000)) + ',"59999":1}'),
        "'59999' is there twice",
    ),
    "json-columns": (
        json_lines(json.dumps(dict.fromkeys(("item_id", "domain", "title", *range(20_000)), ""))),
        "20,003 columns",
    ),
    "pipe": (instead("items.csv", os.mkfifo), "items.csv is not a regular file"),
    "pipe-toml": (instead("dataset.toml", os.mkfifo), "dataset.toml is not a regular file"),
    "pipe-parquet": (
        lambda root: (instead("items.csv", Path.touch)(root), (root / "items.csv").unlink(),
                      os.mkfifo(root / "items.parquet")),
        "items.parquet is not a regular file",
    ),
    "device": (instead("items.csv", lambda p: p.symlink_to("/dev/zero")), "not a regular file"),
    "folder": (instead("items.csv", Path.mkdir), "items.csv is a folder without"),
    "arrow-text": (arrow, "more than 64 MiB"),
    "arrow-elsewhere": (arrow_elsewhere, "not a readable Arrow file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, write) -> dict[str, tuple[str, float]]:
    """Of each attack, what is said and the CPU seconds that saying it took."""
    root = tmp_path_factory.mktemp("attacks")
    for name, (attack, _) in ATTACKS.items():
        attack(write(root / name))
        assert sum(f.lstat().st_size for f in (root / name).iterdir()) < 2_000_000
    done = subprocess.run(
        [sys.executable, "-c", READ, str(root), str(MOST)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"the reader broke off ({done.returncode}): {done.stderr[-2000:]}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ATTACKS)
def test_is_refused_in_one_sentence(name: str, told, one_sentence) -> None:
    said, seconds = told[name]
    assert ATTACKS[name][1] in said
    one_sentence(said)
    assert seconds < 4


def test_ten_thousand_columns_that_are_not_used_are_one_note(tmp_path: Path, write, rows) -> None:
    from micrec_core.data import read_dataset

    items, _ = rows
    spare = {f"c{k}": "" for k in range(10_000)}
    notes = read_dataset(write(tmp_path / "wide", items=[r | spare for r in items])).notes
    assert [n for n in notes if "not used" in n] == [
        "10,000 columns of items.csv are not used: 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', "
        "'c7', ..."
    ]
