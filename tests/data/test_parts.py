"""Tables in parts: folders of Spark and Hive, of files, of Hugging Face; RecBole's editions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micrec_core.data import Dataset, read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.errors import DataError
from micrec_core.modalities.precomputed import _item_keys


@pytest.fixture
def plain(tmp_path: Path, write: Callable[..., Path]) -> Dataset:
    return read_dataset(write(tmp_path / "plain"))


def table_of(rows: list[dict[str, str]]) -> pa.Table:
    return pa.table({c: [r[c] for r in rows] for c in rows[0]})


def test_a_folder_as_spark_writes_it(tmp_path: Path, write, rows, plain: Dataset) -> None:
    root = write(tmp_path / "d")
    (root / "interactions.csv").unlink()
    folder = root / "interactions.parquet"
    folder.mkdir()
    log = table_of(rows[1])
    pq.write_table(log.slice(0, 20), folder / "part-00000-ab.snappy.parquet", compression="snappy")
    pq.write_table(log.slice(20), folder / "part-00001-ab.snappy.parquet", compression="snappy")
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000-ab.snappy.parquet.crc").write_bytes(b"x")
    assert read_dataset(root).fingerprint == plain.fingerprint


def test_a_folder_as_hive_writes_it(tmp_path: Path, write, rows, plain: Dataset) -> None:
    root = write(tmp_path / "d")
    (root / "interactions.csv").unlink()
    for domain in ("food", "kitchen"):
        folder = root / "interactions" / f"domain={domain}"
        folder.mkdir(parents=True)
        mine = [r for r in rows[1] if r["domain"] == domain]
        pq.write_table(table_of(mine).drop_columns(["domain"]), folder / "000000_0.parquet")
    assert read_dataset(root).fingerprint == plain.fingerprint


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl"])
def test_a_folder_of_other_files(tmp_path: Path, write, rows, plain: Dataset, suffix: str) -> None:
    root = write(tmp_path / "d")
    for k, part in enumerate((rows[1][:15], rows[1][15:])):
        made = write(tmp_path / f"part{k}", suffix, interactions=part)
        (root / "interactions").mkdir(exist_ok=True)
        shutil.copy(made / f"interactions{suffix}", root / "interactions" / f"{k}{suffix}")
    (root / "interactions" / "0.csv~").write_text("an editor's copy")
    (root / "interactions.csv").unlink()
    assert read_dataset(root).fingerprint == plain.fingerprint


def test_hugging_face_on_disk(tmp_path: Path, write, rows, plain: Dataset) -> None:
    root = write(tmp_path / "d")
    for stem, table in (("items", rows[0]), ("interactions", rows[1])):
        (root / f"{stem}.csv").unlink()
        (root / stem).mkdir()
        found = table_of(table)
        file = root / stem / "data-00000-of-00001.arrow"
        with pa.OSFile(str(file), "wb") as out, pa.ipc.new_stream(out, found.schema) as writer:
            writer.write_table(found)
        for name in ("dataset_info.json", "state.json"):
            (root / stem / name).write_text("{}")
    assert read_dataset(root).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "place",
    ["{}/data-00000-of-00001.parquet", "{}-00000-of-00001.parquet", "{}.parquet",
     "split={}/0.parquet"],
)  # fmt: skip
@pytest.mark.parametrize("valid", ["valid", "validation"])
def test_parts_named_after_a_split_are_that_split(
    tmp_path: Path, write, rows, place, valid
) -> None:
    if "=" in place and valid != "valid":
        return  # a column that says it says it in our words
    words = ["train"] * 3 + [valid, "test"]
    split = [{**r, "split": words[k % 5][:5]} for k, r in enumerate(rows[1])]
    wanted = read_dataset(write(tmp_path / "w", interactions=split)).fingerprint
    root = write(tmp_path / "d")
    (root / "interactions.csv").unlink()
    for word in dict.fromkeys(words):
        file = root / "interactions" / place.format(word)
        file.parent.mkdir(parents=True, exist_ok=True)
        mine = [r for k, r in enumerate(rows[1]) if words[k % 5] == word]
        pq.write_table(table_of(mine), file)
    found = read_dataset(root)
    assert found.fingerprint == wanted and "The split is the table's own." in found.notes


def test_what_is_all_called_train_has_no_split(tmp_path: Path, write, rows, plain: Dataset) -> None:
    root = write(tmp_path / "d")
    (root / "interactions.csv").unlink()
    (root / "interactions" / "train").mkdir(parents=True)
    pq.write_table(table_of(rows[1]), root / "interactions" / "train" / "0.parquet")
    assert read_dataset(root).fingerprint == plain.fingerprint
    shutil.copy(root / "interactions" / "train" / "0.parquet", root / "interactions" / "a.parquet")
    (root / "interactions" / "train").rename(root / "interactions" / "test")
    with pytest.raises(DataError, match="has no split beside"):
        read_dataset(root)


def test_a_folder_may_say_what_is_mapped(tmp_path: Path, write, rows, plain: Dataset) -> None:
    root = write(tmp_path / "domain=food" / "split=valid" / "d")  # no folder above says a thing
    assert read_dataset(root).fingerprint == plain.fingerprint
    (root / "interactions.csv").unlink()
    for moment in {r["timestamp"] for r in rows[1]}:
        folder = root / "interactions.parquet" / f"at={moment}"
        folder.mkdir(parents=True)
        mine = [r for r in rows[1] if r["timestamp"] == moment]
        pq.write_table(table_of(mine).drop_columns(["timestamp"]), folder / "0.parquet")
    assert any("column 'at'" in note and "not used" in note for note in read_dataset(root).notes)
    mapped = Dialect.of(["timestamp=at"])
    assert read_dataset(root, dialect=mapped).fingerprint == plain.fingerprint
    (root / "interactions.parquet" / "at=1000").rename(
        root / "interactions.parquet" / "at=__HIVE_DEFAULT_PARTITION__"
    )
    with pytest.raises(DataError, match="timestamp is empty"):
        read_dataset(root, dialect=mapped)


def test_a_line_of_a_part_is_named(tmp_path: Path, write, rows, one_sentence) -> None:
    root = write(tmp_path / "d")
    _, interactions = rows
    interactions[20]["user_id"] = ""
    made = write(tmp_path / "e", interactions=interactions)
    lines = (made / "interactions.csv").read_text().splitlines(keepends=True)
    (root / "interactions.csv").unlink()
    (root / "interactions").mkdir()
    (root / "interactions" / "a.csv").write_text("".join(lines[:15]))
    (root / "interactions" / "b.csv").write_text(lines[0] + "".join(lines[15:]))
    with pytest.raises(DataError, match=r"b\.csv, line 8: user_id is empty") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))


def test_folders_that_hold_no_table_or_two_kinds(tmp_path: Path, write, one_sentence) -> None:
    root = write(tmp_path / "d")
    (root / "interactions.csv").rename(root / "kept.csv")
    folder = root / "interactions.parquet"
    folder.mkdir()
    with pytest.raises(DataError, match="a folder without a table in it") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))
    shutil.copy(root / "kept.csv", folder / "a.csv")
    (folder / "b.jsonl").write_text("{}")
    with pytest.raises(DataError, match="several kinds") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))
    (folder / "b.jsonl").unlink()
    assert read_dataset(root).domains


def atomic(root: Path, rows, names: str = "user_id item_id timestamp", item: str = "title") -> Path:
    """RecBole's files of the two domains; no items where ``item`` is empty."""
    root.mkdir(parents=True, exist_ok=True)
    items, interactions = rows
    typed = [f"{n}:{'token' if k < 2 else 'float'}" for k, n in enumerate(names.split())]
    for domain in ("food", "kitchen"):
        log = [r for r in interactions if r["domain"] == domain]
        lines = ["\t".join((r["user_id"], r["item_id"], r["timestamp"])) for r in log]
        (root / f"{domain}.inter").write_text("\n".join(["\t".join(typed), *lines]) + "\n")
        if item:
            shelf = [f"{r['item_id']}\t{r['title']}" for r in items if r["domain"] == domain]
            head = f"{names.split()[1]}:token\t{item}:token_seq"
            (root / f"{domain}.item").write_text("\n".join([head, *shelf]) + "\n")
    return root


@pytest.mark.parametrize(
    ("names", "item"),
    [
        ("user_id product_id timestamp", "app_name"),
        ("session_id item_id timestamp", "title"),
        ("user_id business_id date", "item_name"),
        ("user_id book_id timestamp", "book_title"),
        ("userID itemID timestamp", "name"),
    ],
)
def test_fields_that_recbole_lets_one_name(tmp_path: Path, rows, names: str, item: str) -> None:
    usual = read_dataset(atomic(tmp_path / "usual", rows))
    found = read_dataset(atomic(tmp_path / "named", rows, names, item))
    assert [d.titles.tolist() for d in found.domains] == [d.titles.tolist() for d in usual.domains]
    assert [len(d.edges) for d in found.domains] == [len(d.edges) for d in usual.domains]


def test_interactions_alone_are_titled_by_their_ids(tmp_path: Path, rows) -> None:
    root = atomic(tmp_path / "d", rows, item="")
    dataset = read_dataset(root)
    assert all(d.titles.tolist() == d.item_ids.tolist() for d in dataset.domains)
    assert any("10 items without an item table" in note for note in dataset.notes)
    shutil.copy(atomic(tmp_path / "e", rows) / "food.item", root)
    mixed = read_dataset(root)
    assert mixed.domain("food").titles[0] == "food no. 0"
    assert mixed.domain("kitchen").titles[0] == mixed.domain("kitchen").item_ids[0]
    assert {key[1] for key in _item_keys(root)} == {i for d in mixed.domains for i in d.item_ids}


def split_files(root: Path, parts: tuple[str, ...] = SPLIT_NAMES) -> None:
    for path in [*root.glob("*.inter")]:
        head, *lines = path.read_text().splitlines()
        for k, part in enumerate(parts):
            mine = [line for n, line in enumerate(lines) if max(n % 5 - 2, 0) == k]
            (root / f"{path.stem}.{part}.inter").write_text("\n".join([head, *mine]) + "\n")
        path.unlink()


@pytest.mark.parametrize("parts", [SPLIT_NAMES, ("train", "val", "test")])
@pytest.mark.parametrize("item", ["title", ""])
def test_files_of_a_split_are_one_domain_with_that_split(
    tmp_path: Path, rows, item: str, parts: tuple[str, ...]
) -> None:
    root = atomic(tmp_path / "d", rows, item=item)
    n = [len(d.edges) for d in read_dataset(root).domains]
    split_files(root, parts)
    dataset = read_dataset(root)
    assert [d.name for d in dataset.domains] == ["food", "kitchen"]
    assert [len(d.edges) for d in dataset.domains] == n
    assert "The split is the table's own." in dataset.notes
    for domain in dataset.domains:
        counts = [int((domain.split == k).sum()) for k in range(3)]
        assert counts[0] >= counts[1] >= counts[2] > 0 and sum(counts) == len(domain.edges)


def test_half_a_split_is_refused(tmp_path: Path, rows, one_sentence) -> None:
    root = atomic(tmp_path / "d", rows)
    kept = (root / "food.inter").read_text()
    split_files(root)
    (root / "food.inter").write_text(kept)
    with pytest.raises(DataError, match="food.inter has no split beside food.te") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))
