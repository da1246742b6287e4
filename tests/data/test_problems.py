"""All that is wrong is named at once, with file and line; rows can be mended in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from micrec_core.data import read_dataset
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.mending import Mend, apply
from micrec_core.data.preview import preview
from micrec_core.data.problems import MOST, Problem, all_problems
from micrec_core.errors import DataError
from micrec_core.ui.mends import for_page, options_in
from tests.data.test_mends import ITEMS, LOG, ROWS, recode, swap

ROOM = 1 << 24


def told(root: Path, dialect: Dialect = PLAIN, drop: bool = False) -> list[Problem]:
    with pytest.raises(DataError) as caught:
        read_dataset(root, dialect=dialect or None, unknown_items="drop" if drop else "error")
    return all_problems(root, caught.value, dialect, drop=drop, most_bytes=ROOM)


@pytest.mark.parametrize("kind", ROWS)
def test_the_first_refusal_is_always_among_them(shop: Path, kind: str) -> None:
    ROWS[kind].spoil(shop)
    with pytest.raises(DataError) as caught:
        read_dataset(shop)
    said = [problem.said for problem in told(shop)]
    assert str(caught.value) in said
    on_page = [for_page(sentence) for sentence in said]
    assert not [sentence for sentence in on_page if "--" in sentence], "a page has no options"
    if ROWS[kind].mend.startswith("--") and "map" not in ROWS[kind].mend:
        assert options_in(said), "it has a control in their place"


def spoil(root: Path) -> None:
    for old, new in {
        "u0,f0,food,1000": ",f0,food,1000",
        "u0,f1,food,1007": "u0,f1,food,soon",
        "u0,f2,food,1014": "u0,f99,food,1014",
        "u0,k0,kitchen,1000": "u0,k0,kitchn,1000",
    }.items():
        swap(LOG, old, new)(root)
    swap(LOG, "u1,k0,kitchen", "u1,k0,kitchen,x,y")(root)
    swap(ITEMS, "images/food0.png", "images/none.png")(root)


def test_faults_of_every_kind_are_named_with_line_column_and_value(shop: Path) -> None:
    spoil(shop)
    found = {(p.file, p.column): p for p in told(shop)}
    lines = (shop / LOG).read_text().split("\n")
    assert {(f, c): p.value for (f, c), p in found.items()} == {
        (ITEMS, "image"): "images/none.png",
        (LOG, "user_id"): "",
        (LOG, "timestamp"): "soon",
        (LOG, "item_id"): "f99",
        (LOG, "domain"): "kitchn",
        (LOG, ""): "",
    }
    assert lines[found[LOG, "timestamp"].line - 1] == "u0,f1,food,soon"
    assert lines[found[LOG, ""].line - 1].endswith(",x,y," + "1000")
    assert lines[found[LOG, "domain"].line - 1] == "u0,k0,kitchn,1000"


def test_mends_in_place_make_it_readable(shop: Path) -> None:
    spoil(shop)
    right = {"user_id": "u0", "timestamp": "1007", "item_id": "f2", "domain": "kitchen",
             "image": "images/food0.png"}  # fmt: skip
    mends = [Mend(p.file, p.line, p.column, right.get(p.column, "")) for p in told(shop)]
    before = (shop / LOG).read_bytes().count(b"\n")
    apply(shop, mends, PLAIN, ROOM)
    assert (shop / LOG).read_bytes().count(b"\n") == before, "rows keep their lines"
    (food, kitchen) = read_dataset(shop).domains
    assert (len(food.edges), len(kitchen.edges)) == (24, 23)
    assert "Made of" in food.descriptions[1], "a field of several lines is left alone"


def test_not_more_than_can_be_read(shop: Path) -> None:
    text = (shop / LOG).read_text().replace(",1000", ",x").replace("u0,", " u0,")
    (shop / LOG).write_text(text.replace("food", "fod") + "u9,f0\n" * 9)
    found = told(shop)
    assert len(found) <= MOST and {p.column for p in found} >= {"timestamp", "user_id", ""}
    assert sum(p.column == "timestamp" for p in found) == 5


@pytest.mark.parametrize(
    "mend", [Mend("../x", 2), Mend("none.csv", 2), Mend(LOG, 999), Mend(LOG, 2, "colour", "x")]
)
def test_a_mend_of_what_is_not_there_is_refused(shop: Path, mend: Mend) -> None:
    before = (shop / LOG).read_bytes()
    with pytest.raises(DataError):
        apply(shop, [mend], PLAIN, ROOM)
    assert (shop / LOG).read_bytes() == before


def test_lines_of_json_and_of_another_encoding_are_mended(shop: Path) -> None:
    recode(ITEMS, "cp1252")(shop)
    apply(shop, [Mend(ITEMS, 2, "title", "th\u00e9")], Dialect(encoding="cp1252"), ROOM)
    assert "th\u00e9" in (shop / ITEMS).read_bytes().decode("cp1252")
    (shop / "a.jsonl").write_text('{"user_id": "u", "n": 1}\n\n{"user_id": "v"}\n')
    mends = [Mend("a.jsonl", 1, "user_id", "w"), Mend("a.jsonl", 3)]
    apply(shop, mends, PLAIN, ROOM)
    assert (shop / "a.jsonl").read_text() == '{"user_id": "w", "n": 1}\n\n\n'


@pytest.mark.parametrize(
    ("change", "dialect"),
    [
        (lambda text: text, PLAIN),
        (lambda text: text.replace(",", ";"), PLAIN),
        (lambda text: text.replace(",", "|"), Dialect(separator="|")),
    ],
)
def test_first_rows_and_guesses(
    tmp_path: Path, change: Callable[[str], str], dialect: Dialect
) -> None:
    (tmp_path / "reviews.csv").write_text(
        change("reviewer,asin,shop,date\n" + "u,i,food,2014-01-01\n" * 9)
    )
    (tmp_path / "goods.jsonl").write_text('{"asin": "i", "name": "A thing", "price": null}\n')
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    broken, goods, reviews = preview(tmp_path, dialect)
    assert broken["columns"] == [] and not broken["kind"]
    assert goods["kind"] == "items" and goods["rows"] == [["i", "A thing", ""]]
    assert goods["guesses"] == {"item_id": "asin", "title": "name"}
    assert reviews["columns"] == ["reviewer", "asin", "shop", "date"]
    assert reviews["rows"][0] == ["u", "i", "food", "2014-01-01"] and len(reviews["rows"]) == 5
