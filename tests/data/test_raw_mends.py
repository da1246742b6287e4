"""What ``prepare`` says of files as people have them: the cause, and a mend that, applied, works.

A row: the format, its files, what the message says, and what is done by it: a file written anew, or
options. Where there is no message, such files are read as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image

from micrec_core.data import read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.data.raw import Options, Source, prepare
from micrec_core.errors import DataError

LOG = [
    (f"u{u}", f"{10 + (u + k) % 6}", 1.5 + k, 1_600_000_000 + k) for u in range(6) for k in range(4)
]
TITLES = {f"{10 + i}": f"Caf\u00e9 no. {i}" for i in range(6)}
Text = str | bytes


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def table(mark: str = ",", decimal: str = ".", header: bool = True) -> str:
    rows = [mark.join(map(str, r[:2])) + f"{mark}{r[2]}".replace(".", decimal) + f"{mark}{r[3]}"
            for r in LOG]  # fmt: skip
    head = [mark.join(("user_id", "item_id", "rating", "timestamp"))] if header else []
    return lines(*head, *rows)


def shelf(mark: str = ",") -> str:
    return lines(mark.join(("item_id", "title")), *(mark.join(pair) for pair in TITLES.items()))


def reviews(names: str = "user_id business_id stars date") -> list[dict[str, object]]:
    return [dict(zip(names.split(), r, strict=True)) for r in LOG]


def products(write: Callable[[object], str], item: str, title: str) -> str:
    return lines(*(write({item: i, title: t}) for i, t in TITLES.items()))


YELP = {
    "log": lines(*map(json.dumps, reviews())),
    "items": products(json.dumps, "business_id", "name"),
}
STEAM = [repr(record) for record in reviews("username product_id hours date")]
GAMES = products(repr, "id", "app_name")
OLD = "reviewerID asin overall unixReviewTime"


@dataclass(frozen=True)
class Row:
    """Files, what is said of them, and what is done: to the log, to the items, by options."""

    form: str
    log: Text
    items: Text
    cause: str = ""
    mend: str = ""
    log_then: Text = ""
    items_then: Text = ""
    options: Options = field(default_factory=Options)
    form_then: str = ""


def typed(columns: Sequence[str] = (), separator: str = "", encoding: str = "", decimal: str = ""):
    return Options(dialect=Dialect.of(columns, separator, encoding, decimal))


ROWS = {
    "a mark at the start": Row("csv", table().encode("utf-8-sig"), shelf().encode("utf-8-sig")),
    "UTF-16": Row("csv", table().encode("utf-16"), shelf().encode("utf-16"), "is UTF-16",
                  "--encoding utf-16", options=typed(encoding="utf-16")),
    "UTF-16, cut": Row("csv", table().encode("utf-16")[:-1], shelf(), "is UTF-16",
                       "--encoding utf-16", log_then=table()),
    "Excel of a country with commas": Row("csv", table(";", ","), shelf(";")),
    "the same with sep=": Row("csv", "sep=;\r\n" + table(";", ","), shelf(";")),
    "decimal commas beside tabs": Row("csv", table("\t", ","), shelf("\t"), "separated by tabs",
                                      "--separator tab",
                                      options=typed(separator="tab", decimal=",")),
    "decimal commas unsaid": Row("mmrec", table("\t", ","), shelf("\t"), "rating is '1,5'",
                                 "say --decimal ,", options=typed(decimal=",")),
    "no header": Row("csv", table(header=False), shelf(), "values ('u0', '10', '1.5'",
                     "put names above them", log_then=table()),
    "pairs of colons": Row("movielens", table("::", header=False), shelf("::"),
                           "separated by pairs of colons", "by prepare movielens1m",
                           form_then="movielens1m"),
    "commas for colons": Row("movielens1m", table(header=False), shelf("::"),
                             "1 fields where the header has 4", "separate them by '::'",
                             log_then=table("::", header=False)),
    "JSON is an array": Row("yelp", json.dumps(reviews()), YELP["items"], "an array of objects",
                            "each on a line of its own", log_then=YELP["log"]),
    "an array over lines": Row("yelp", json.dumps(reviews(), indent=1), YELP["items"],
                               "goes on over the end of the line", "write it on one",
                               log_then=YELP["log"]),
    "an array of a line each": Row("yelp", "[\n" + ",\n".join(map(json.dumps, reviews())) + "\n]",
                                   "[" + YELP["items"].strip().replace("\n", ",\n") + "]"),
    "commas after literals": Row("steam", lines(*(f"{r}," for r in STEAM)), GAMES),
    "commas within literals": Row("steam", lines(*(f"{r[:-1]},}}" for r in STEAM)), GAMES),
    "literals of Python 2": Row("steam", lines(*(r.replace(": '", ": u'") for r in STEAM)), GAMES),
    "records as csv": Row("goodreads", table().replace("item_id", "book_id"),
                          products(json.dumps, "book_id", "title")),
    "products as csv": Row("yelp", YELP["log"], lines("business_id,name,city",
                                                      *(f"{i},{t},X" for i, t in TITLES.items()))),
    "literals where JSON is": Row("amazon2018", lines(*map(json.dumps, reviews(OLD))),
                                  products(repr, "asin", "title"), "a Python dict, not JSON",
                                  "read the file as amazon2014", form_then="amazon2014"),
}  # fmt: skip


def write(path: Path, text: Text) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("kind", ROWS)
def test_the_mend_that_is_named_works(tmp_path: Path, one_sentence, kind: str) -> None:
    row = ROWS[kind]
    source = Source("shop", tmp_path / "log", tmp_path / "items")
    write(source.interactions, row.log)
    write(tmp_path / "items", row.items)
    if row.cause:
        with pytest.raises(DataError) as caught:
            prepare(row.form, [source], tmp_path / "out")
        said = str(caught.value)
        one_sentence(said)
        assert row.cause in said and row.mend in said.partition(";")[2], said
        write(source.interactions, row.log_then or row.log)
        write(tmp_path / "items", row.items_then or row.items)
    prepare(row.form_then or row.form, [source], tmp_path / "out", row.options)
    (made,) = read_dataset(tmp_path / "out", rating_threshold=None).domains
    assert sorted(made.titles) == sorted(TITLES.values()) and len(made.edges) == len(LOG)


def test_pictures_whose_items_lost_their_zeros(tmp_path: Path, one_sentence) -> None:
    source = Source("shop", tmp_path / "log", None, tmp_path / "pictures")
    write(source.interactions, table())
    (tmp_path / "pictures" / "00").mkdir(parents=True)
    for item in TITLES:
        Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "00" / f"00{item}.jpg")
    with pytest.raises(DataError, match=r"there is '00\d\d.jpg', and an item '1\d'") as caught:
        prepare("csv", [source], tmp_path / "out")
    one_sentence(str(caught.value).replace(str(tmp_path), ""))
    mended = replace(source, interactions=tmp_path / "mended")
    write(mended.interactions, re.sub(r"(?<=,)(1\d)(?=,)", r"00\1", table()))
    made = prepare("csv", [mended], tmp_path / "out")
    assert made["domains"]["shop"]["pictures"]["copied"] == len(TITLES)
