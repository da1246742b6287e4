"""A page of Parquet is held to what it says it unpacks to, whatever the footer says of it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micrec_core.data import parquet_pages, read_dataset
from micrec_core.data.dialect import PLAIN
from micrec_core.data.parquet_pages import open_parquet, page_sizes
from micrec_core.data.preview import preview
from micrec_core.errors import DataError, RunError
from micrec_core.runs.files import read_parquet
from tests.serving.footers import Field, bomb, footer, part, repaged, sealed

MUCH, MOST = 1 << 27, 1 << 26


def packed(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def chunk(fields: list[Field]) -> list[Field]:
    """What a footer says of the first column."""
    return part(part(part(fields, 4)[0].value, 1)[0].value, 3)


def bursting(content: bytes, page: int) -> bytes:
    """The file with a page of the first column that unpacks to much; the footer as it was."""
    fields, body = footer(content)
    about = chunk(fields)
    return sealed(repaged(body, about, lambda head, _: bomb(head, about, MUCH), page), fields)


def sizes(content: bytes) -> list[int]:
    with io.BytesIO(content) as stream:
        return [size for _, size in page_sizes(stream, open_parquet(stream)[1])]


@pytest.mark.parametrize("compression", ["none", "zstd", "snappy"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_are_told_as_they_are(compression: str, version: str) -> None:
    """What pyarrow counts is each page and its head, which is of some dozens of bytes."""
    rng = np.random.default_rng(0)
    table = pa.table({
        "text": [f"{'long' * 3000} {k % 7}" for k in range(900)],
        "number": rng.integers(1 << 60, size=900), "none": pa.nulls(900),
        "list": [[k, None] for k in range(900)], "truth": rng.random(900) < 0.5,
    })  # fmt: skip
    content = packed(
        table, row_group_size=400, compression=compression, data_page_version=version,
        data_page_size=500, write_batch_size=50,
    )  # fmt: skip
    about = pq.ParquetFile(io.BytesIO(content)).metadata
    told = sum(about.row_group(k).total_byte_size for k in range(about.num_row_groups))
    found = sizes(content)
    assert len(found) > 60 and sum(found) < told < sum(found) + 100_000 + 200 * len(found)


@pytest.mark.parametrize("page", [0, 1], ids=["words", "rows"])
def test_a_page_that_bursts_is_refused_before_it_does(
    tmp_path: Path, write, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(parquet_pages, "_LOOKED_AT", MOST)
    root = write(tmp_path / "made", ".parquet")
    for name in ("items.parquet", "interactions.parquet"):
        content = (root / name).read_bytes()
        made = bursting(content, page)
        assert len(made) < 2 * len(content) + 50_000 and max(sizes(made)) == MUCH
        (root / name).write_bytes(made)
        before = pa.default_memory_pool().max_memory()
        with pytest.raises(DataError, match=f"{name} unpacks to more than 64 MiB"):
            read_dataset(root, max_table_bytes=MOST)
        (tmp_path / name).write_bytes(made)
        with pytest.raises(RunError, match=f"damaged {name}"):
            read_parquet(tmp_path / name, "Run 'x'")
        assert [t["columns"] for t in preview(root, PLAIN) if t["file"] == name] == [[]]
        assert pa.default_memory_pool().max_memory() - before < MOST
        (root / name).write_bytes(content)


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        (2, -1, "of no size"), (3, -1, "of no size"), (2, 2**31, "out of its range"),
        (2, -(2**31), "of no size"), (3, 10**6, "out|end|form|size"),
    ],
)  # fmt: skip
def test_heads_that_cannot_be(number: int, value: int, words: str) -> None:
    fields, body = footer(packed(pa.table({"a": [1, 2, 3]})))

    def change(head: list[Field], data: bytes) -> bytes:
        next(one for one in head if one.number == number).value = value
        return data

    made = sealed(repaged(body, chunk(fields), change, 0), fields)
    if value == 10**6:  # the reader finds it cut
        assert sizes(made)
        return
    with pytest.raises(pa.ArrowInvalid, match=words):
        sizes(made)


@pytest.mark.parametrize(
    ("at", "words"),
    [(-1, "outside"), (2**40, "outside"), (0, "kind|range|size|end|writer")],
    ids=["before", "behind", "elsewhere"],
)  # fmt: skip
def test_pages_that_lie_elsewhere(at: int, words: str) -> None:
    fields, body = footer(packed(pa.table({"a": [1, 2, 3]}), use_dictionary=False))
    next(one for one in chunk(fields) if one.number == 9).value = at
    with pytest.raises(pa.ArrowInvalid, match=words):
        sizes(sealed(body, fields))


def test_pages_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_pages, "_MOST_PAGES", 3)
    with pytest.raises(pa.ArrowInvalid, match="too many pages"):
        sizes(packed(pa.table({"a": [1, 2, 3], "b": [1, 2, 3]})))


@pytest.mark.parametrize("depth", [1, 40])
def test_a_head_may_say_more_but_not_too_deeply(depth: int) -> None:
    fields, body = footer(packed(pa.table({"a": [1, 2, 3]})))

    def change(head: list[Field], data: bytes) -> bytes:
        inner = [Field(9, [Field(8, b"x" * 5000)], 1, 8), Field(7, bytes(8), 2), Field(1, None, 3)]
        for _ in range(depth):
            inner = [Field(12, inner, 1), Field(5, 7, 2)]
        head.append(Field(12, inner, 40))
        return data

    made = sealed(repaged(body, chunk(fields), change, 0), fields)
    if depth == 1:
        assert len(sizes(made)) == 2
    else:
        with pytest.raises(pa.ArrowInvalid, match="no writer writes"):
            sizes(made)


def test_a_footer_that_disagrees_with_itself_ends_no_process(tmp_path: Path, write) -> None:
    """Of columns that hold nothing at places, the schema says that they always hold something."""
    path = write(tmp_path / "made", ".parquet") / "items.parquet"
    fields, body = footer(path.read_bytes())
    for element in part(fields, 2)[1:]:
        next(one for one in element.value if one.number == 3).value = 0
    path.write_bytes(sealed(body, fields))
    with pytest.raises(DataError, match=r"items.parquet is not a readable parquet file"):
        read_dataset(path.parent)
    with pytest.raises(RunError, match=r"damaged items.parquet"):
        read_parquet(path, "Run 'x'")


def test_no_rows_where_the_footer_tells_of_some(tmp_path: Path, write) -> None:
    path = write(tmp_path / "made", ".parquet") / "items.parquet"
    fields, body = footer(path.read_bytes())
    for group in part(fields, 4):
        next(one for one in group.value if one.number == 3).value = 0
    path.write_bytes(sealed(body, fields))
    with pytest.raises(DataError, match=r"items.parquet is not a readable parquet file"):
        read_dataset(path.parent)


def test_a_footer_that_is_too_large_to_be_one(tmp_path: Path) -> None:
    content = packed(pa.table({"a": [1, 2, 3]}))
    fields, body = footer(content)
    next(one for one in fields if one.number == 5).value *= 200_000
    path = tmp_path / "a.parquet"
    path.write_bytes(sealed(body, fields))
    with pytest.raises(RunError, match="damaged a.parquet"):
        read_parquet(path, "Run 'x'")
