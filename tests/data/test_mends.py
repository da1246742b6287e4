"""Every message names the cause, and its mend, applied as it says, makes the data readable.

A row: what is spoiled, what the message must say, and a mend that does no more than that says.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from micrec_core.data import read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.errors import DataError

LOG, ITEMS = "interactions.csv", "items.csv"
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Row:
    """A fault, its message, and what the message says to do: to the files or by options."""

    spoil: Change
    cause: str
    mend: str
    do: Change = lambda root: None
    options: dict[str, object] = field(default_factory=dict)
    typed: bool = False


def swap(file: str, old: str, new: str, count: int = 1) -> Change:
    def change(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text, (old, text[:200])
        (root / file).write_text(text.replace(old, new, count), encoding="utf-8")

    return change


def write(file: str, data: bytes) -> Change:
    return lambda root: (root / file).write_bytes(data)


def recode(file: str, encoding: str) -> Change:
    def change(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8").replace("food no. 0", "caf\u00e9")
        (root / file).write_bytes(text.encode(encoding))

    return change


def both(*changes: Change) -> Change:
    return lambda root: [change(root) for change in changes]


def move(old: str, new: str) -> Change:
    return lambda root: (root / old).rename(root / new)


def remove(file: str) -> Change:
    return lambda root: (root / file).unlink()


def renamed_parquet(root: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), root / LOG)


def spark(root: Path) -> None:
    (root / LOG).rename(root / "kept.csv")
    (root / "interactions.parquet").mkdir()


def unspark(root: Path) -> None:
    (root / "kept.csv").rename(root / "interactions.parquet" / "part-0.csv")


FIRST = "u0,f0,food,1000"
ROWS = {
    "item unknown": Row(swap(LOG, "u0,f0", "u0,f99"), "'f99' is not in", "add the items",
                        swap(ITEMS, "f0,food", "f99,food,Extra,,\nf0,food")),
    "item unknown, dropped": Row(swap(LOG, "u0,f0", "u0,f99"), "'f99' is not in",
                                 "--unknown-items drop", options={"unknown_items": "drop"}),
    "column by another name": Row(swap(LOG, "user_id", "uid"), "no column 'user_id'",
                                  "--map user_id=uid", typed=True),
    "column misspelt": Row(swap(ITEMS, "title", "titel"), "no column 'title'", "rename 'titel'",
                           swap(ITEMS, "titel", "title")),
    "column twice": Row(swap(LOG, "timestamp", "domain"), "'domain' is there twice",
                        "remove or rename one", swap(LOG, "item_id,domain,domain",
                                                     "item_id,domain,timestamp")),
    "bars": Row(swap(LOG, ",", "|", -1), "separated by vertical bars", "--separator bar",
                both(swap(ITEMS, '"Made of ""1"", tin\nand salt"', "x"),
                     swap(ITEMS, ",", "|", -1)), typed=True),
    "UTF-16": Row(both(recode(LOG, "utf-16"), recode(ITEMS, "utf-16")), "UTF-16",
                  "--encoding utf-16", typed=True),
    "cp1252": Row(recode(ITEMS, "cp1252"), "not UTF-8", "--encoding cp1252", typed=True),
    "id padded": Row(swap(LOG, FIRST, " " + FIRST), "white space around it", "trim it",
                     swap(LOG, " " + FIRST, FIRST)),
    "id empty": Row(swap(LOG, FIRST, "," + FIRST[3:]), "user_id is empty", "remove the row",
                    swap(LOG, "," + FIRST[3:] + "\n", "")),
    "domain unknown": Row(swap(LOG, "f0,food", "f0,fod"), "no item is in the domain 'fod'",
                          "write 'food'", swap(LOG, "f0,fod", "f0,food")),
    "item twice": Row(swap(ITEMS, "f1,food", "f0,food"), "is there already", "keep one",
                      swap(ITEMS, "f0,food,food no. 1", "f1,food,food no. 1")),
    "time mixed": Row(swap(LOG, "food,1000", "food,2014-05-31"), "timestamp is '1007'",
                      "in all rows", swap(LOG, "2014-05-31", "1000")),
    "time empty": Row(swap(LOG, "food,1007", "food,"), "timestamp is empty", "fill it in",
                      swap(LOG, "food,\n", "food,1007\n")),
    "field too many": Row(swap(LOG, FIRST, FIRST + ",x"), "5 fields where the header has 4",
                          "in double quotes", swap(LOG, FIRST + ",x", FIRST)),
    "quote left open": Row(swap(ITEMS, "kitchen no. 4", '"kitchen no. 4'), "never closed",
                           "close it", swap(ITEMS, '"kitchen no. 4', '"kitchen no. 4"')),
    "picture missing": Row(lambda r: (r / "images" / "food0.png").unlink(), "does not exist",
                           "leave the field empty", swap(ITEMS, "images/food0.png", "")),
    "picture outside": Row(swap(ITEMS, "images/food0.png", "../food0.png"), "by '..'",
                           "a path inside", swap(ITEMS, "../food0.png", "images/food0.png")),
    "gzip by name alone": Row(move(LOG, LOG + ".gz"), "not a gzip file", "drop .gz",
                              move(LOG + ".gz", LOG)),
    "gzip without the name": Row(lambda r: (r / LOG).write_bytes(
        gzip.compress((r / LOG).read_bytes())), "gzip-compressed", "the ending .gz",
        move(LOG, LOG + ".gz")),
    "two tables": Row(lambda r: (r / "items.tsv").write_text("x"), "only one can be meant",
                      "keep one", remove("items.tsv")),
    "no table": Row(move(LOG, "log.csv"), "no interactions table", "add interactions.csv",
                    move("log.csv", LOG)),
    "folder without parts": Row(spark, "a folder without a table", "put parts into it", unspark),
    "toml": Row(write("dataset.toml", b"nam = 1"), "no setting 'nam'", "write name",
                write("dataset.toml", b'name = "x"')),
    "toml, domain": Row(write("dataset.toml", b'domains = ["food", "kichen"]'),
                        "'kichen' has no item", "write 'kitchen'",
                        write("dataset.toml", b'domains = ["food", "kitchen"]')),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_the_mend_that_is_named_works(shop: Path, one_sentence, kind: str) -> None:
    row = ROWS[kind]
    row.spoil(shop)
    with pytest.raises(DataError) as caught:
        read_dataset(shop)
    said = str(caught.value)
    one_sentence(said)
    assert row.cause in said and row.mend in said.partition(";")[2], said
    row.do(shop)
    dialect = None
    if row.typed:  # the option, taken from the message itself
        words = dict(re.findall(r"--(map|separator|encoding) ([^\s,)]+)", said))
        dialect = Dialect.of(
            [words["map"]] if "map" in words else [], words.get("separator", ""),
            words.get("encoding", ""),
        )  # fmt: skip
    assert len(read_dataset(shop, dialect=dialect, **row.options).domains) == 2  # type: ignore[arg-type]
