"""Every kind of bad table is refused by one sentence that names the file, the line and the mend."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micrec_core.data import read_dataset
from micrec_core.errors import ConfigError, DataError

Spoil = Callable[[Path], object]
Check = Callable[[str], None]
# The first rows of the good tables, line by line: see conftest. Lines count from 1, the header is
# line 1; the description on items line 3 holds a line break, so the item f2 starts on line 5.
F0 = "f0,food,food no. 0,,images/food0.png"
FIRST = "u0,f0,food,1000"


def swap(file: str, old: str, new: str, count: int = 1) -> Spoil:
    def spoil(root: Path) -> None:
        text = (root / file).read_bytes()
        assert old.encode() in text
        (root / file).write_bytes(text.replace(old.encode(), new.encode(), count))

    return spoil


def put(file: str, data: str | bytes) -> Spoil:
    raw = data.encode() if isinstance(data, str) else data
    return lambda root: (root / file).write_bytes(raw)


def raw_swap(file: str, old: bytes, new: bytes) -> Spoil:
    return lambda root: (root / file).write_bytes((root / file).read_bytes().replace(old, new, 1))


def image(path: str) -> Spoil:
    return swap("items.csv", "images/food0.png", path)


def add_line(file: str, line: str) -> Spoil:
    return lambda root: (root / file).write_bytes((root / file).read_bytes() + line.encode())


def rename(old: str, new: str) -> Spoil:
    return lambda root: (root / old).rename(root / new)


def column(name: str, value: str, bad_line: int, bad: str) -> Spoil:
    """A further column in the interactions, good but on one line."""

    def spoil(root: Path) -> None:
        path = root / "interactions.csv"
        lines = path.read_text().splitlines()
        out = [lines[0] + "," + name]
        out += [f"{x},{bad if n == bad_line else value}" for n, x in enumerate(lines[1:], 2)]
        path.write_text("\n".join(out) + "\n")

    return spoil


def link_out(root: Path) -> None:
    outside = root.parent / "secret.png"
    outside.write_bytes(b"secret")
    (root / "images" / "link.png").symlink_to(outside)
    image("images/link.png")(root)


def link_folder_out(root: Path) -> None:
    outside = root.parent / "elsewhere"
    outside.mkdir()
    (outside / "a.png").write_bytes(b"secret")
    (root / "linked").symlink_to(outside)
    image("linked/a.png")(root)


def fifo(root: Path) -> None:
    os.mkfifo(root / "images" / "pipe.png")
    image("images/pipe.png")(root)


def drop_kitchen(file: str) -> Spoil:
    """Without the second domain, which is the second half of either table."""

    def spoil(root: Path) -> None:
        lines = (root / file).read_text().splitlines(keepends=True)
        half = next(k for k, line in enumerate(lines) if ",kitchen," in line)
        (root / file).write_text("".join(lines[:half]))

    return spoil


def parquet(**columns: object) -> Spoil:
    def spoil(root: Path) -> None:
        (root / "interactions.csv").unlink()
        pq.write_table(pa.table(columns), root / "interactions.parquet")

    return spoil


def json_lines(*lines: str | bytes) -> Spoil:
    def spoil(root: Path) -> None:
        (root / "interactions.csv").unlink()
        raw = [x.encode() if isinstance(x, str) else x for x in lines]
        (root / "interactions.jsonl").write_bytes(b"\n".join(raw) + b"\n")

    return spoil


def atomic(inter: str, item: str | None) -> Spoil:
    def spoil(root: Path) -> None:
        (root / "interactions.csv").unlink()
        (root / "items.csv").unlink()
        (root / "food.inter").write_text(inter)
        if item is not None:
            (root / "food.item").write_text(item)

    return spoil


def both(*spoils: Spoil) -> Spoil:
    return lambda root: [s(root) for s in spoils]


LOG, CATALOGUE = "interactions.csv", "items.csv"
GOOD_JSON = '{"user_id": "u0", "item_id": "f0", "domain": "food"}'
BAD = {
    # the folder and its files
    "no interactions file": (lambda r: (r / LOG).unlink(), "shop has no interactions table"),
    "no items file": (lambda r: (r / CATALOGUE).unlink(), "shop has no items table"),
    "two interaction files": (put("interactions.tsv", "a\tb\n"), f"{LOG} and interactions.tsv"),
    "tables and atomic files": (put("food.inter", "a\n"), f"both {LOG} and food.inter"),
    "empty file": (put(LOG, ""), LOG),
    "only blanks": (put(LOG, "\n \n"), LOG),
    "header only": (put(LOG, "user_id,item_id,domain\n"), f"{LOG}, line 1"),
    "a folder for a file": (both(lambda r: (r / LOG).unlink(), lambda r: (r / LOG).mkdir()), LOG),
    # not what the name says
    "gzip that is not": (rename(LOG, LOG + ".gz"), f"{LOG}.gz is not a gzip file"),
    "gzip cut short": (
        lambda r: [
            (r / (LOG + ".gz")).write_bytes(gzip.compress((r / LOG).read_bytes())[:-9]),
            (r / LOG).unlink(),
        ],
        f"{LOG}.gz is a damaged gzip file",
    ),
    "gzip under csv": (lambda r: (r / LOG).write_bytes(gzip.compress(b"a")), LOG),
    "spreadsheet under csv": (put(LOG, b"PK\x03\x04rest"), LOG),
    "parquet that is not": (rename(LOG, "interactions.parquet"), "interactions.parquet"),
    "not UTF-8": (raw_swap(LOG, b"u0,f1", b"\xe9,f1"), f"{LOG}, line 3"),
    "not UTF-8 in a title": (
        raw_swap(CATALOGUE, b"food no. 2", b"caf\xe9"),
        f"{CATALOGUE}, line 5",
    ),
    "UTF-16": (
        lambda r: (r / LOG).write_bytes((r / LOG).read_text().encode("utf-16")),
        f"{LOG}, line 1",
    ),
    "NUL byte": (raw_swap(LOG, b"u0,f1", b"u\0,f1"), f"{LOG}, line 3"),
    # header and separators
    "missing column": (swap(LOG, "item_id", "thing"), f"{LOG}, line 1"),
    "misspelt column": (swap(CATALOGUE, "title", "Titel"), "rename 'Titel'"),
    "duplicate header": (swap(LOG, "timestamp", "user_id"), f"{LOG}, line 1"),
    "bars": (lambda r: swap(LOG, ",", "|", 10**6)(r), "vertical bars"),
    "tabs in csv": (lambda r: swap(LOG, ",", "\t", 10**6)(r), "tabs"),
    "commas in tsv": (rename(LOG, "interactions.tsv"), "interactions.tsv, line 1"),
    "row too short": (swap(LOG, "u0,f1,food,1007", "u0,f1,food"), f"{LOG}, line 3"),
    "row too long": (swap(LOG, "u0,f1,food,1007", "u0,f1,food,1007,x"), f"{LOG}, line 3"),
    "row too long after a line break": (
        swap(CATALOGUE, "food no. 2,", "food, no. 2,"),
        f"{CATALOGUE}, line 5",
    ),
    "quote not closed": (add_line(LOG, 'u9,f0,food,"12\n'), f"{LOG}, line 50"),
    "text after a quote": (swap(CATALOGUE, "food no. 2", '"food" no. 2'), f"{CATALOGUE}, line 5"),
    # ids
    "empty user": (swap(LOG, "u0,f1", ",f1"), f"{LOG}, line 3"),
    "empty item": (swap(LOG, "u0,f1,", "u0,,"), f"{LOG}, line 3"),
    "empty domain": (swap(LOG, "u0,f1,food", "u0,f1,"), f"{LOG}, line 3"),
    "empty item id in items": (swap(CATALOGUE, "f2,food", ",food"), f"{CATALOGUE}, line 5"),
    "space around an id": (swap(LOG, "u0,f1", "u0 ,f1"), f"{LOG}, line 3"),
    "no-break space": (swap(LOG, "u0,f1", "\u00a0u0,f1"), f"{LOG}, line 3"),
    "control character": (swap(LOG, "u0,f1", "u\x1b0,f1"), f"{LOG}, line 3"),
    "line break in an id": (swap(LOG, "u0,f1", '"u\n0",f1'), f"{LOG}, line 3"),
    "id too long": (swap(LOG, "u0,f1", "u" * 600 + ",f1"), f"{LOG}, line 3"),
    "domain with a colon": (swap(CATALOGUE, "f2,food", "f2,fo:od"), f"{CATALOGUE}, line 5"),
    "field too long": (swap(CATALOGUE, "food no. 2", "x" * 140_000), f"{CATALOGUE}, line 5"),
    "title too long": (swap(CATALOGUE, "food no. 2", "x" * 11_000), f"{CATALOGUE}, line 5"),
    # values
    "unknown domain": (swap(LOG, "u0,f1,food", "u0,f1,fod"), f"{LOG}, line 3"),
    "unknown item": (swap(LOG, "u0,f1", "u0,f77"), f"{LOG}, line 3"),
    "item of another domain": (swap(LOG, "u0,f1", "u0,k1"), f"{LOG}, line 3"),
    "item twice": (swap(CATALOGUE, "f2,food", "f0,food"), f"{CATALOGUE}, line 5"),
    "bad split": (column("split", "train", 4, "dev"), f"{LOG}, line 4"),
    "no split in one row": (column("split", "train", 4, ""), f"{LOG}, line 4"),
    "no train row": (column("split", "test", 0, ""), "train interaction in the domain 'food'"),
    "bad timestamp": (swap(LOG, ",1007", ",yesterday"), f"{LOG}, line 3"),
    "no timestamp in one row": (swap(LOG, ",1007", ","), f"{LOG}, line 3"),
    "date among numbers": (swap(LOG, ",1007", ",2014-05-31"), f"{LOG}, line 3"),
    "number overflow": (swap(LOG, ",1007", ",1e999"), f"{LOG}, line 3"),
    "bad date": (swap(LOG, ",1000", ",2014-02-30"), f"{LOG}, line 2"),
    "bad rating": (column("rating", "4", 5, "good"), f"{LOG}, line 5"),
    "NaN rating": (column("rating", "4", 5, "NaN"), f"{LOG}, line 5"),
    "infinite rating": (column("rating", "4", 5, "inf"), f"{LOG}, line 5"),
    "no rating in one row": (column("rating", "4", 5, ""), f"{LOG}, line 5"),
    "bad position": (column("position", "4", 5, "first"), f"{LOG}, line 5"),
    # domains
    "a domain without interactions": (drop_kitchen(LOG), f"{LOG} has no interaction"),
    # pictures
    "absolute image": (image("/etc/passwd"), f"{CATALOGUE}, line 2"),
    "windows image": (image("C:/a.png"), f"{CATALOGUE}, line 2"),
    "image by ..": (image("images/../../a.png"), f"{CATALOGUE}, line 2"),
    "image by a link": (link_out, f"{CATALOGUE}, line 2"),
    "image in a linked folder": (link_folder_out, f"{CATALOGUE}, line 2"),
    "image with backslash": (image("images\\food0.png"), f"{CATALOGUE}, line 2"),
    "web image": (image("https://example.org/a.png"), f"{CATALOGUE}, line 2"),
    "image not there": (image("images/none.png"), f"{CATALOGUE}, line 2"),
    "image is a folder": (image("images"), f"{CATALOGUE}, line 2"),
    "image is a pipe": (fifo, f"{CATALOGUE}, line 2"),
    "image name too long": (image("a" * 300), f"{CATALOGUE}, line 2"),
    # dataset.toml
    "not toml": (put("dataset.toml", 'name = "a"\nsynthetic = maybe\n'), "dataset.toml, line 2"),
    "toml cut short": (put("dataset.toml", 'name = "a'), "dataset.toml, line 1"),
    "toml not UTF-8": (put("dataset.toml", b'name = "\xff"'), "dataset.toml"),
    "toml unknown key": (put("dataset.toml", 'license = "MIT"'), "write licence"),
    "toml wrong type": (put("dataset.toml", 'synthetic = "no"'), "dataset.toml"),
    "toml wrong domains": (put("dataset.toml", "domains = 3"), "dataset.toml"),
    "toml domain twice": (put("dataset.toml", 'domains = ["food", "food"]'), "dataset.toml"),
    "toml domain without items": (put("dataset.toml", 'domains = ["fod"]'), "write 'food'"),
    "domain not in toml": (put("dataset.toml", 'domains = ["food"]'), f"{CATALOGUE}, line 8"),
    # JSON Lines
    "not JSON": (json_lines(GOOD_JSON, "{user_id}"), "interactions.jsonl, line 2"),
    "JSON list": (json_lines(GOOD_JSON, "", "[1]"), "interactions.jsonl, line 3"),
    "JSON too deep": (json_lines("[" * 100_000), "interactions.jsonl, line 1"),
    "JSON key missing": (json_lines(GOOD_JSON, '{"user_id": "u"}'), "interactions.jsonl, line 2"),
    "JSON key twice": (
        json_lines(GOOD_JSON, GOOD_JSON[:-1] + ', "item_id": "f1"}'),
        "interactions.jsonl, line 2",
    ),
    "JSON null id": (json_lines(GOOD_JSON, GOOD_JSON.replace('"f0"', "null")), "jsonl, line 2"),
    "JSON list id": (json_lines(GOOD_JSON, GOOD_JSON.replace('"f0"', "[1]")), "jsonl, line 2"),
    "JSON decimal id": (json_lines(GOOD_JSON, GOOD_JSON.replace('"f0"', "1.5")), "jsonl, line 2"),
    "JSON half character": (
        json_lines(GOOD_JSON, GOOD_JSON.replace("f0", "\\ud800")),
        "interactions.jsonl, line 2",
    ),
    "JSON not UTF-8": (json_lines(GOOD_JSON, b'{"user_id": "\xff"}'), "interactions.jsonl, line 2"),
    # parquet
    "parquet without a column": (parquet(user_id=["u"], item_id=["f0"]), "interactions.parquet"),
    "parquet without rows": (
        parquet(user_id=pa.array([], "string"), item_id=pa.array([], "string"), domain=[]),
        "interactions.parquet",
    ),
    "parquet decimal ids": (
        parquet(user_id=[1.0], item_id=["f0"], domain=["food"]),
        "interactions.parquet",
    ),
    "parquet lists": (parquet(user_id=[["u"]], item_id=["f0"], domain=["food"]), "'user_id'"),
    "parquet null id": (
        parquet(user_id=["u", None], item_id=["f0", "f1"], domain=["food", "food"]),
        "interactions.parquet, row 2",
    ),
    # RecBole
    "atomic without types": (
        atomic("user_id\titem_id\nu\ti\n", "item_id:token\ttitle:token\ni\tI\n"),
        "food.inter, line 1",
    ),
    "atomic with a bad type": (
        atomic("user_id:token\titem_id:int\nu\ti\n", "item_id:token\ttitle:token\ni\tI\n"),
        "food.inter, line 1",
    ),
    "atomic row too short": (
        atomic("user_id:token\titem_id:token\nu\n", "item_id:token\ttitle:token_seq\ni\tI\n"),
        "food.inter, line 2",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_table_is_refused_in_one_sentence(shop: Path, one_sentence: Check, kind: str) -> None:
    spoil, expected = BAD[kind]
    spoil(shop)
    with pytest.raises(DataError) as caught:
        read_dataset(shop)
    message = str(caught.value)
    assert expected in message
    one_sentence(message)


def test_the_good_table_is_good(shop: Path) -> None:
    read_dataset(shop)


def test_missing_folder_and_file_for_folder(shop: Path, one_sentence: Check) -> None:
    for path in (shop / "none", shop / LOG):
        with pytest.raises(DataError) as caught:
            read_dataset(path)
        one_sentence(str(caught.value))


def test_unknown_items_are_listed_with_counts(shop: Path) -> None:
    strange = "".join(f"u0,x{k % 7},food,1\n" for k in range(9))
    add_line(LOG, strange)(shop)
    with pytest.raises(
        DataError, match=r"line 50: .*9 interactions with 7 such items: .*'food:x4', \.\.\."
    ):
        read_dataset(shop)
    dataset = read_dataset(shop, unknown_items="drop")
    assert any("9 interactions" in note for note in dataset.notes)
    assert sum(len(d.edges) for d in dataset.domains) == 48


def test_item_twice_names_both_lines(shop: Path) -> None:
    swap(CATALOGUE, "f2,food", "f0,food")(shop)
    with pytest.raises(DataError, match=r"items.csv, line 5: .*items.csv, line 2"):
        read_dataset(shop)


def test_missing_pictures_are_counted(shop: Path) -> None:
    (shop / "images" / "food0.png").unlink()
    (shop / "images" / "kitchen0.png").unlink()
    with pytest.raises(DataError, match=r"line 2: .*2 pictures are missing"):
        read_dataset(shop)


def test_errors_name_the_first_bad_line_whatever_is_wrong_later(shop: Path) -> None:
    both(swap(LOG, "u1,f0", "u1 ,f0"), swap(LOG, "u0,f2", ",f2"))(shop)
    with pytest.raises(DataError, match="line 4: user_id is empty"):
        read_dataset(shop)


def test_gzip_bomb_is_refused(shop: Path) -> None:
    (shop / LOG).unlink()
    (shop / (LOG + ".gz")).write_bytes(gzip.compress(b"a" * (8 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        read_dataset(shop, max_table_bytes=1 << 20)


@pytest.mark.parametrize(
    "options",
    [
        {"unknown_items": "ignore"},
        {"rating_threshold": float("nan")},
        {"k_core": -1},
        {"seed": -1},
    ],
)
def test_bad_options_are_refused(shop: Path, one_sentence: Check, options: dict) -> None:
    with pytest.raises(ConfigError) as caught:
        read_dataset(shop, **options)
    one_sentence(str(caught.value))


def test_threshold_and_core_that_leave_nothing(shop: Path, one_sentence: Check) -> None:
    for options, words in (
        ({"rating_threshold": 3}, "no column 'rating'"),
        ({"k_core": 50}, "50-core"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            read_dataset(shop, **options)
        one_sentence(str(caught.value))
    column("rating", "2", 0, "")(shop)
    with pytest.raises(DataError, match="no rating of '3' or more"):
        read_dataset(shop, rating_threshold=3)
