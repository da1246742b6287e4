"""A table reads as its plain csv, whatever types and marks pandas, pyarrow, polars, Excel gave."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import dataset_of_frames, delimited, read_dataset
from micrec_core.data.about import About
from micrec_core.errors import DataError
from tests.data.conftest import write_dataset

START = 1_500_000_000
TEXTS = {
    "string": pa.string(), "large": pa.large_string(), "view": pa.string_view(),
    "binary": pa.binary(), "large binary": pa.large_binary(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "dictionary of large": pa.dictionary(pa.int32(), pa.large_string()),
    "categories of polars": pa.dictionary(pa.uint32(), pa.large_string()),
}  # fmt: skip
RATINGS = {
    "float64": pa.float64(), "float32": pa.float32(), "float16": pa.float16(),
    "decimal of polars": pa.decimal128(38, 2), "decimal": pa.decimal128(5, 2),
    "wide decimal": pa.decimal256(40, 3), "text": pa.string(),
}  # fmt: skip
TIMES = {
    **{f"timestamp {u}": pa.timestamp(u) for u in ("s", "ms", "us", "ns")},
    **{f"zoned {u}": pa.timestamp(u, "Asia/Tokyo") for u in ("s", "us", "ns")},
    "int64": pa.int64(), "uint32": pa.uint32(), "float64": pa.float64(), "text": pa.string(),
    "date": pa.string(),
}  # fmt: skip


def column_of(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array([Decimal(str(v)) for v in values], kind)
    if pa.types.is_float16(kind):
        return pa.array(np.array(values, np.float16))
    if pa.types.is_timestamp(kind):
        return (
            pa.array(values, pa.int64())
            .cast(pa.timestamp("s"))
            .cast(pa.timestamp(kind.unit))
            .cast(kind)
        )
    if kind == pa.string_view():
        return pa.array([str(v) for v in values], kind)
    return pa.array([str(v) for v in values], pa.string()).cast(kind)


@settings(max_examples=30, deadline=None)
@given(
    picked=st.tuples(*(st.sampled_from(sorted(k)) for k in (TEXTS, TEXTS, RATINGS, TIMES))),
    suffix=st.sampled_from(["parquet", "parquet of polars", "arrow", "feather stream"]),
    group=st.integers(3, 60),
    order=st.permutations(["user_id", "item_id", "domain", "rating", "timestamp", "more"]),
    seed=st.integers(0, 3),
)
def test_types_of_pyarrow_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory, picked, suffix: str, group: int, order, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pairs = [(d, u, i) for d in "fk" for u in range(6) for i in rng.permutation(5)[:4]]
    rows = {
        "user_id": [f"\u00fc{u}" for _, u, _ in pairs],
        "item_id": [f"{d}{i}" for d, _, i in pairs],
        "domain": [{"f": "food", "k": "kitchen"}[d] for d, _, _ in pairs],
        "rating": [float(1 + i) / 2 + 1 for _, _, i in pairs],
        "timestamp": [START + int(t) * 86_400 for t in rng.permutation(len(pairs))],
        "more": ["x"] * len(pairs),
    }
    reference = write_dataset(
        tmp_path_factory.mktemp("a"),
        interactions=[dict(zip(rows, map(str, r), strict=True)) for r in zip(*rows.values())],
    )
    user, item, rating, time = picked
    times = rows["timestamp"]
    if time == "date":
        times = [str(np.datetime64(t, "s")) for t in times]
    columns = {
        "user_id": column_of(rows["user_id"], TEXTS[user]),
        "item_id": column_of(rows["item_id"], TEXTS[item]),
        "domain": column_of(rows["domain"], TEXTS[user]),
        "rating": column_of(rows["rating"], RATINGS[rating]),
        "timestamp": column_of(times, TIMES[time]),
        "more": pa.array(rows["more"]),
    }
    table = pa.table({name: columns[name] for name in order})
    root = write_dataset(tmp_path_factory.mktemp("b"))
    (root / "interactions.csv").unlink()
    if suffix.startswith("parquet"):
        as_polars = {"compression": "zstd", "data_page_version": "2.0", "store_schema": False}
        more = as_polars if suffix.endswith("polars") else {}
        pq.write_table(table, root / "interactions.parquet", row_group_size=group, **more)
    else:
        (root / "interactions").mkdir()
        path = root / "interactions" / "data.arrow"
        if suffix == "arrow":
            with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
                writer.write_table(table, max_chunksize=group)
        else:
            feather.write_feather(table, path, compression="uncompressed")
    wanted = read_dataset(reference, rating_threshold=2)
    assert read_dataset(root, rating_threshold=2).fingerprint == wanted.fingerprint


def plain(rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame(rows[1]), pd.DataFrame(rows[0])


PANDAS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "objects": lambda t: t.astype(object),
    "string": lambda t: t.astype("string"),
    "pyarrow": lambda t: t.astype("string[pyarrow]"),
    "categories": lambda t: t.astype("category"),
    "numbers": lambda t: t.assign(timestamp=t["timestamp"].astype("int32")),
    "nullable": lambda t: t.assign(timestamp=t["timestamp"].astype("int64").astype("Int64")),
    "datetimes": lambda t: t.assign(timestamp=pd.to_datetime(t["timestamp"].astype(int), unit="s")),
    "zoned": lambda t: t.assign(
        timestamp=pd.to_datetime(t["timestamp"].astype(int), unit="s", utc=True).dt.tz_convert(
            "Europe/Paris"
        )
    ),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_what_pandas_holds_and_writes(tmp_path: Path, write, rows, kind: str) -> None:
    interactions, items = plain(rows)
    for row in rows[1]:
        row["timestamp"] = str(START + int(row["timestamp"]))
    interactions = pd.DataFrame(rows[1])
    root = write(tmp_path / "plain", items=rows[0], interactions=rows[1])
    wanted = read_dataset(root).fingerprint
    made = PANDAS[kind](interactions)
    assert dataset_of_frames(made, items, About("d"), root).fingerprint == wanted
    (root / "interactions.csv").unlink()
    made.to_parquet(root / "interactions.parquet")
    assert read_dataset(root).fingerprint == wanted
    (root / "interactions.parquet").unlink()
    made.to_csv(root / "interactions.csv", index=False)
    assert read_dataset(root).fingerprint == wanted


def test_far_moments_and_bytes_that_are_no_text(tmp_path: Path, write, rows, one_sentence) -> None:
    root = write(tmp_path / "d")
    (root / "interactions.csv").unlink()
    table = pa.table({c: [r[c] for r in rows[1]] for c in ("user_id", "item_id", "domain")})
    years = [np.datetime64(f"{1600 + 40 * k}-01-01", "s") for k in range(table.num_rows)]
    far = table.append_column("timestamp", pa.array(years))
    pq.write_table(far, root / "interactions.parquet")
    found = read_dataset(root)
    assert any("by time" in note for note in found.notes)
    # The same moments in parts of other units, one of which is near: the same order.
    (root / "interactions.parquet").rename(tmp_path / "whole.parquet")
    (root / "interactions").mkdir()
    for k, unit in enumerate(("s", "ms", "us")):
        part = far.slice(8 * k, 8 if k < 2 else None)
        part = part.set_column(3, "timestamp", part["timestamp"].cast(pa.timestamp(unit)))
        pq.write_table(part, root / "interactions" / f"{k}.parquet")
    assert read_dataset(root).fingerprint == found.fingerprint
    shutil.rmtree(root / "interactions")
    for kind, values, sentence in (
        (pa.binary(), [b"\xff"] * table.num_rows, "is not UTF-8"),
        (pa.bool_(), [True] * table.num_rows, "holds bool; write it as text"),
        (pa.duration("s"), [3] * table.num_rows, "holds duration"),
    ):
        pq.write_table(
            table.set_column(0, "user_id", pa.array(values, kind)), root / "interactions.parquet"
        )
        with pytest.raises(DataError, match=sentence) as caught:
            read_dataset(root)
        one_sentence(str(caught.value))


@settings(max_examples=20, deadline=None)
@given(
    delimiter=st.sampled_from([",", ";"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
    sep=st.booleans(),
    titles=st.lists(
        st.text(st.sampled_from('ab ;,"\n\u00e9=@'), max_size=9), min_size=10, max_size=10
    ),
)
def test_dialects_of_csv_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory, delimiter, quoting, end, mark, sep, titles
) -> None:
    from tests.data.conftest import INTERACTIONS, ITEMS

    items = [{**r, "description": t, "image": ""} for r, t in zip(ITEMS, titles, strict=True)]
    reference = write_dataset(tmp_path_factory.mktemp("a"), items=items)
    root = write_dataset(tmp_path_factory.mktemp("b"))
    for name, rows in (("items", items), ("interactions", INTERACTIONS)):
        out = io.StringIO()
        if sep:
            out.write(f"sep={delimiter}{end}")
        writer = csv.DictWriter(
            out, list(rows[0]), delimiter=delimiter, quoting=quoting, lineterminator=end
        )
        writer.writeheader()
        writer.writerows(rows)
        data = out.getvalue().encode()
        (root / f"{name}.csv").write_bytes((b"\xef\xbb\xbf" if mark else b"") + data)
    assert read_dataset(root).fingerprint == read_dataset(reference).fingerprint


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from('a",\n'), max_size=12), piece=st.sampled_from([4, 1 << 22]))
def test_what_is_plainly_quoted_reads_alike_everywhere(text: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited, "_PIECE", piece)
        plain = delimited.plainly_quoted(text.encode(), ",")
    fields = [
        re.fullmatch(r'"[^"]*"|[^"]*', f) for line in text.split("\n") for f in line.split(",")
    ]
    if all(fields):  # no field holds a separator, a quote or the end of a line
        assert plain or piece == 4
    if plain:
        rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
        assert len(rows) == text.removesuffix("\n").count("\n") + 1 or not text
        assert not any('"' in f or "\n" in f for row in rows for f in row)


def test_tables_that_are_quoted_throughout_are_read_once(
    tmp_path: Path, write, monkeypatch
) -> None:
    root = write(tmp_path / "d")
    for name in ("items", "interactions"):
        table = pd.read_csv(root / f"{name}.csv", dtype=str, keep_default_na=False)
        table = table.replace(r'[\n"]', " ", regex=True)
        table.to_csv(root / f"{name}.csv", index=False)
        if name == "items":
            wanted = read_dataset(root).fingerprint
        table.to_csv(root / f"{name}.csv", index=False, quoting=csv.QUOTE_ALL)
    monkeypatch.setattr(delimited.Text, "diagnose", None)  # the slow reading
    assert read_dataset(root).fingerprint == wanted
