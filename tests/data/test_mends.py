"""Every message names the cause, and its mend, applied as it says, makes the data readable.

A row: what is spoiled, what the message must say, and a mend that does no more than that says.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
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


def without_header(file: str) -> Change:
    return lambda root: (root / file).write_text((root / file).read_text().partition("\n")[2])


def with_header(file: str, header: str) -> Change:
    return lambda root: (root / file).write_text(f"{header}\n{(root / file).read_text()}")


def one_domain(root: Path) -> None:
    """No column ``domain``, and one of them alone."""
    for file in (LOG, ITEMS):
        table = pd.read_csv(root / file, dtype=str, keep_default_na=False)
        food = table[table["domain"] == "food"].drop(columns="domain")
        food.to_csv(root / file, index=False)


def with_a_word(root: Path) -> None:
    for file in (LOG, ITEMS):
        table = pd.read_csv(root / file, dtype=str, keep_default_na=False)
        table.assign(domain="food").to_csv(root / file, index=False)


def dated(zone: str, day: str = "2020-10-01", row: int | None = None) -> Change:
    """Times as a date and the word after it; with ``row``, that row has the word alone."""

    def change(root: Path) -> None:
        table = pd.read_csv(root / LOG, dtype=str)
        table["timestamp"] = f"{day or '2020-10-01'} 12:00:00 {zone if row is None else ''}".strip()
        if row is not None:
            table.loc[row, "timestamp"] = zone
        table.to_csv(root / LOG, index=False)

    return change


def ids(log: str, items: str) -> Change:
    """Items called by numbers, which each table writes in its way."""

    def change(root: Path) -> None:
        for file, form in ((LOG, log), (ITEMS, items)):
            table = pd.read_csv(root / file, dtype=str, keep_default_na=False)
            table["item_id"] = [form.format(10 + int(i[-1])) for i in table["item_id"]]
            table.to_csv(root / file, index=False)

    return change


def array(indent: int | None) -> Change:
    """Interactions as one array of JSON, on one line or on many."""

    def change(root: Path) -> None:
        rows = pd.read_csv(root / LOG, dtype=str).to_dict("records")
        (root / LOG).unlink()
        (root / "interactions.jsonl").write_text(json.dumps(rows, indent=indent))

    return change


def lines_of_it(root: Path) -> None:
    rows = json.loads((root / "interactions.jsonl").read_text())
    (root / "interactions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def renamed_parquet(root: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), root / LOG)


def spark(root: Path) -> None:
    (root / LOG).rename(root / "kept.csv")
    (root / "interactions.parquet").mkdir()


def unspark(root: Path) -> None:
    (root / "kept.csv").rename(root / "interactions.parquet" / "part-0.csv")


def instead(file: str, data: bytes) -> Change:
    """Something in the place of the interactions, which are kept."""
    return both(move(LOG, "kept"), write(file, data))


def packed(file: str, pack: Callable[[bytes], bytes]) -> Change:
    """The interactions, packed."""
    return lambda root: both(move(LOG, "kept"), write(file, pack((root / LOG).read_bytes())))(root)


def restored(file: str) -> Change:
    return both(remove(file), move("kept", LOG))


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo(LOG)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def pandas_json(**options: object) -> Change:
    """Interactions as pandas writes JSON of its own accord."""

    def change(root: Path) -> None:
        table = pd.read_csv(root / LOG, dtype=str)
        table.to_json(root / "interactions.jsonl", **options)  # type: ignore[call-overload]
        (root / LOG).rename(root / "kept")

    return change


def literals(root: Path) -> None:
    rows = pd.read_csv(root / LOG, dtype=str).to_dict("records")
    instead("interactions.jsonl", "".join(f"{row}\n" for row in rows).encode())(root)


def columns_of(change: Callable[[pd.DataFrame], dict[str, object]]) -> Change:
    """Interactions as parquet, with some columns of another kind."""

    def made(root: Path) -> None:
        table = pd.read_csv(root / LOG, dtype=str)
        both(move(LOG, "kept"))(root)
        columns = {name: table[name].tolist() for name in table}
        pq.write_table(pa.table(columns | change(table)), root / "interactions.parquet")

    return made


def pivoted(root: Path) -> None:
    table = pd.read_csv(root / LOG)
    wide = table.pivot_table(index="user_id", columns="item_id", values="timestamp")
    move(LOG, "kept")(root)
    wide.to_csv(root / LOG)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
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
    "no header": Row(without_header(LOG), "values ('u0', 'f0', 'food', '1000')",
                     "put names above them",
                     with_header(LOG, "user_id,item_id,domain,timestamp")),
    "no header, no number": Row(without_header(ITEMS), "values ('f0', 'food', 'food no. 0'",
                                "put names above them",
                                with_header(ITEMS, "item_id,domain,title,description,image")),
    "separator at ends": Row(both(swap(LOG, "\n", ",\n", -1), swap(LOG, "timestamp,", "timestamp")),
                             "5 fields where the header has 4", "end the header with one too",
                             swap(LOG, "timestamp", "timestamp,")),
    "separator at one end": Row(swap(LOG, FIRST, FIRST + ","), "5 fields where the header has 4",
                                "take the separator from its end", swap(LOG, FIRST + ",", FIRST)),
    "field too few": Row(swap(ITEMS, "food no. 0,,images", "food no. 0,images"), "4 fields where",
                         "a separator for each field that is missing",
                         swap(ITEMS, "food no. 0,images", "food no. 0,,images")),
    "one domain, unsaid": Row(one_domain, "no column 'domain'", "with one word in all rows",
                              with_a_word),
    "zeros lost": Row(ids("{}", "0{}"), "'10' is not in items.csv, which has '010'",
                      "write the id alike", ids("0{}", "0{}")),
    "ids as fractions": Row(ids("{}.0", "{}"), "'10.0' is not in items.csv, which has '10'",
                            "write the id alike", ids("{}", "{}")),
    "capitals": Row(swap(LOG, ",f0,", ",F0,", -1), "'F0' is not in items.csv, which has 'f0'",
                    "write the id alike", swap(LOG, ",F0,", ",f0,", -1)),
    "array of JSON": Row(array(None), "an array of objects", "on a line of its own", lines_of_it),
    "array over lines": Row(array(2), "goes on over the end of the line", "on one", lines_of_it),
    "name in capitals": Row(move(LOG, "Interactions.CSV"), "(there are 'Interactions.CSV')",
                            "give the file that is one this name", move("Interactions.CSV", LOG)),
    "zone of a place": Row(dated("Europe/Berlin"), "12:00:00 Europe/Berlin'",
                           "write the zone 'Europe/Berlin' as hours", dated("+02:00")),
    "zone in a word of a date": Row(dated("GMT", "Thu, 01 Oct 2020"), "01 Oct 2020 12:00:00 GMT'",
                                    "dates like 2014-05-31", dated("")),
    "nothing said by a word": Row(dated("NaT", "", 3), "timestamp is 'NaT'",
                                  "dates like 2014-05-31", dated("")),
    "UTF-16 without its mark": Row(both(recode(LOG, "utf-16-le"), recode(ITEMS, "utf-16-le")),
                                   "UTF-16", "--encoding utf-16-le", typed=True),
    "UTF-16, the other way": Row(both(recode(LOG, "utf-16-be"), recode(ITEMS, "utf-16-be")),
                                 "UTF-16", "--encoding utf-16-be", typed=True),
    "web page": Row(instead(LOG, b"<!DOCTYPE html>\n<html><head><title>Sign in</title>"),
                    "a web page", "give the table itself", restored(LOG)),
    "web page of a table": Row(instead(LOG, b"\n <TABLE border=1><tr><td>user_id</td>"),
                               "a web page", "give the table itself", restored(LOG)),
    "pointer": Row(instead(LOG, POINTER), "a pointer of Git LFS", "git lfs pull", restored(LOG)),
    "pointer as parquet": Row(instead("interactions.parquet", POINTER), "a pointer of Git LFS",
                              "git lfs pull", restored("interactions.parquet")),
    "old spreadsheet": Row(instead(LOG, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)),
                           "a spreadsheet of an older kind", "save its sheet as CSV",
                           restored(LOG)),
    "database": Row(instead(LOG, b"SQLite format 3\0" + bytes(99)), "an SQLite database",
                    "write its table as CSV", restored(LOG)),
    "pickle": Row(instead(LOG, pickle.dumps([1])), "a pickle of Python", "write its table as CSV",
                  restored(LOG)),
    "xz as gzip": Row(packed(f"{LOG}.gz", lzma.compress), "is xz-compressed", "unpack it",
                      restored(f"{LOG}.gz")),
    "zip as gzip": Row(instead(f"{LOG}.gz", b"PK\x03\x04rest"), "a zip archive", "unpack it",
                       restored(f"{LOG}.gz")),
    "packed twice": Row(packed(f"{LOG}.gz", lambda d: gzip.compress(gzip.compress(d))),
                        "gzip-compressed twice", "unpack it once", restored(f"{LOG}.gz")),
    "tar": Row(packed(f"{LOG}.gz", tarred), "a tar archive", "unpack it", restored(f"{LOG}.gz")),
    "spreadsheet by its ending": Row(move(LOG, "interactions.xlsx"), "is a spreadsheet",
                                     "save its sheet as interactions.csv",
                                     move("interactions.xlsx", LOG)),
    "archive by its ending": Row(move(LOG, f"{LOG}.zip"), "is an archive", "unpack it",
                                 move(f"{LOG}.zip", LOG)),
    "packed by its ending": Row(packed(f"{LOG}.bz2", bz2.compress), "in a way that is not read",
                                "unpack it", restored(f"{LOG}.bz2")),
    "lines of JSON by another ending": Row(
        both(pandas_json(orient="records", lines=True),
             move("interactions.jsonl", "interactions.json")),
        "only where it has an object on each line", "call it interactions.jsonl",
        move("interactions.json", "interactions.jsonl")),
    "text by another ending": Row(move(LOG, "interactions.txt"), "by another ending only",
                                  "call it interactions.csv", move("interactions.txt", LOG)),
    "no table that is read": Row(packed("interactions.pkl", bytes), "is no table that is read",
                                 "write it as interactions.csv", restored("interactions.pkl")),
    "comments above": Row(with_header(LOG, "# made by a shop\n# 2024"), "'# made by a shop'",
                          "remove the lines above", both(without_header(LOG), without_header(LOG))),
    "title above": Row(with_header(LOG, "Shop,,,\n,,,"), "'Shop,,,' where the names",
                       "remove the lines above", both(without_header(LOG), without_header(LOG))),
    "words below": Row(lambda r: (r / LOG).write_text((r / LOG).read_text() + "(48 rows)\n"),
                       "line 50: there is 1 field where", "remove the line if it is no row",
                       swap(LOG, "(48 rows)\n", "")),
    "cut off": Row(lambda r: (r / LOG).write_bytes((r / LOG).read_bytes() + bytes(512)),
                   "NUL bytes to the end", "copy it again",
                   lambda r: (r / LOG).write_bytes((r / LOG).read_bytes().rstrip(b"\0"))),
    "marks of thousands": Row(swap(LOG, FIRST, 'u0,f0,food,"1,000,000"'), "is '1,000,000'",
                              "without marks between their thousands",
                              swap(LOG, '"1,000,000"', "1000000")),
    "points of thousands": Row(swap(LOG, FIRST, "u0,f0,food,1.000.000"), "is '1.000.000'",
                               "without marks between their thousands",
                               swap(LOG, "1.000.000", "1000000")),
    "ids rounded": Row(swap(LOG, ",f0,", ",9.78E+12,", -1), "a number that was rounded",
                       "export ids as text", swap(LOG, "9.78E+12", "f0", -1)),
    "items in one field": Row(swap(LOG, FIRST, "u0,f0 f1|f2,food,1000"), "several in one field",
                              "write a row for each",
                              swap(LOG, "u0,f0 f1|f2,food,1000", FIRST)),
    "a list in a field": Row(swap(LOG, FIRST, "u0,\"['f0', 'f1']\",food,1000"),
                             "several in one field", "write a row for each",
                             swap(LOG, "u0,\"['f0', 'f1']\",food,1000", FIRST)),
    "a column for each item": Row(pivoted, "a column for each item", "as melt does",
                                  restored(LOG)),
    "columns of pandas": Row(pandas_json(), "'user_id' is '{", "orient='records', lines=True",
                             both(remove("interactions.jsonl"), move("kept", LOG),
                                  pandas_json(orient="records", lines=True))),
    "table of pandas": Row(pandas_json(orient="split"), "a whole table of pandas",
                           "orient='records', lines=True", restored("interactions.jsonl")),
    "schema of pandas": Row(pandas_json(orient="table"), "a whole table of pandas",
                            "orient='records', lines=True", restored("interactions.jsonl")),
    "literals of Python": Row(literals, "an object of Python", "as json.dumps does",
                              restored("interactions.jsonl")),
    "lists in parquet": Row(columns_of(lambda t: {"item_id": [[i] for i in t["item_id"]]}),
                            "'item_id' holds list", "as explode does",
                            restored("interactions.parquet")),
    "bytes in parquet": Row(columns_of(lambda t: {"user_id": pa.array([b"\xff" * 16] * len(t),
                                                                      pa.binary(16))}),
                            "'user_id' is not UTF-8", "hexadecimal digits",
                            restored("interactions.parquet")),
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
    found = read_dataset(shop, dialect=dialect, **row.options)  # type: ignore[arg-type]
    assert len(found.domains) == (1 if row.spoil is one_domain else 2)
