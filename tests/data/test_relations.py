"""``relations.csv`` and RecBole's ``.kg`` and ``.link``: read, checked, refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from micrec_core.data import read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.data.mending import Mend, apply
from micrec_core.data.preview import preview
from micrec_core.data.problems import all_problems
from micrec_core.data.raw import Source, prepare
from micrec_core.errors import DataError

GOOD = [
    "food:f0,used_for,baking",
    "f1,used_for,baking",
    "k0,used_for,baking",
    "baking,part_of,cooking",
    "f1,goes_with,k0",
    "f1,goes_with,k0",
    "moon,part_of,sky",
]


def relate(root: Path, lines: list[str]) -> Path:
    text = "\n".join(["head,relation,tail", *lines]) + "\n"
    (root / "relations.csv").write_text(text, encoding="utf-8")
    return root


def test_statements_join_items_and_entities_and_what_dangles_is_counted(shop: Path) -> None:
    plain = read_dataset(shop)
    assert plain.relations is None
    dataset = read_dataset(relate(shop, GOOD))
    assert dataset.notes[-2:] == (
        "Merged 1 repeated relation of relations.csv.",
        "relations.csv has 6 relations of 3 kinds, of 3 of 10 items and 4 entities, 2 of which "
        "lead to no item.",
    )
    assert "1 k0" in dataset.relations.lines()[0] or len(dataset.relations.lines()) == 6
    assert dataset.fingerprint != plain.fingerprint
    again = read_dataset(relate(shop, GOOD[::-1]))
    assert again.fingerprint == dataset.fingerprint


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["food:f0,is,x", "food:f9,is,x", "kitchen:q,is,x"],
         r"relations.csv, line 3: there is no item 'food:f9' \(and of 'kitchen:q'\); add it"),
        (["a,is,b"], r"no head or tail of relations.csv is an item \(the first is 'a'\); write"),
        (["f0,,x"], "relations.csv, line 2: relation is empty; fill it in"),
        (["f0 ,is,x"], "white space around it; trim it"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(shop: Path, lines, sentence, one_sentence) -> None:
    with pytest.raises(DataError, match=sentence) as refused:
        read_dataset(relate(shop, lines))
    one_sentence(str(refused.value))


def test_unknown_items_are_left_out_where_that_is_asked_for(shop: Path) -> None:
    relate(shop, ["food:f0,is,x", "food:f9,is,x"])
    dataset = read_dataset(shop, unknown_items="drop")
    assert "Left out 1 relation of relations.csv of unknown items." in dataset.notes
    assert len(dataset.relations) == 1


def test_columns_of_other_names_are_read_by_the_dialect(shop: Path) -> None:
    wanted = read_dataset(relate(shop, GOOD)).fingerprint
    text = (shop / "relations.csv").read_text(encoding="utf-8")
    text = text.replace("head,relation,tail", "subject,predicate,object")
    (shop / "relations.csv").write_text(text, encoding="utf-8")
    seen = next(t for t in preview(shop, Dialect()) if t["file"] == "relations.csv")
    assert seen["kind"] == "relations"
    names = {ours: (theirs,) for ours, theirs in seen["guesses"].items()}
    assert read_dataset(shop, dialect=Dialect(names)).fingerprint == wanted
    with pytest.raises(DataError, match="no column 'relation' among 'head'"):
        read_dataset(shop, dialect=Dialect(names | {"relation": ("verb",)}))


def test_all_that_is_wrong_is_said_at_once_and_mended(shop: Path) -> None:
    relate(shop, ["food:f0,is,x", "food:f9,is,x", "f1,,x", "kitchen:q,is,food:f0 "])
    with pytest.raises(DataError) as refused:
        read_dataset(shop)
    found = all_problems(shop, refused.value, Dialect(), drop=False, most_bytes=1 << 20)
    faults = {(p.line, p.column, p.value) for p in found}
    assert faults == {(3, "head", "food:f9"), (4, "relation", ""), (5, "tail", "food:f0 ")}
    mends = [Mend("relations.csv", 3), Mend("relations.csv", 4), Mend("relations.csv", 5)]
    apply(shop, mends, Dialect(), 1 << 20)
    assert len(read_dataset(shop).relations) == 1


def test_relations_may_not_unpack_to_more_than_a_table_may(shop: Path) -> None:
    relate(shop, [f"f0,is,x{n}" for n in range(4_000)])
    with pytest.raises(DataError, match="relations.csv"):
        read_dataset(shop, max_table_bytes=30_000)


def test_an_id_of_two_shops_must_say_which(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    for row in (*items, *interactions):
        row["item_id"] = "i" + row["item_id"][1:]
    root = write(tmp_path / "x", items=items, interactions=interactions)
    with pytest.raises(DataError, match="'i1' is an item of food and kitchen; write food:i1, or"):
        read_dataset(relate(root, ["i1,is,x"]))
    found = read_dataset(relate(root, ["food:i1,is,entity:i1"])).relations
    assert sorted(found.domain.tolist()) == [-1, 0]


def test_recboles_files_become_relations(tmp_path: Path) -> None:
    taken = [f"u{u}\t{i}" for u in "abcd" for i in "123"]
    kg = "head_id:token\trelation_id:token\ttail_id:token"
    item = "item_id:token\ttitle:token_seq\tclass:token_seq"
    files = {
        "films.inter": ["user_id:token\titem_id:token", *taken],
        "films.item": [item, "1\tOne\tWar Art", "2\tTwo\tArt"],
        "films.kg": [kg, "m1\tgenre\t2", "2\tof\tm3"],
        "films.link": ["item_id:token\tentity_id:token", "1\tm1", "3\tm3"],
    }
    for name, lines in files.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = Source("cinema", tmp_path / "films.inter", tmp_path / "films.item")
    made = prepare("recbole", [source], tmp_path / "out")
    assert "2 relations of films.kg." in made["notes"]
    dataset = read_dataset(tmp_path / "out")
    expected = ["-1 2\tof\t0 3", "0 1\tgenre\t-1 2"]
    assert dataset.relations.lines() == expected, "entity 2 is not item 2, which has no link"
    assert dataset.domains[0].attributes[0] == "class:list=War\nclass:list=Art"
    # Read in place, where the item 3 is none.
    found = read_dataset(tmp_path, unknown_items="drop").relations
    assert found.lines() == ["-1 2\tof\t-1 m3", "0 1\tgenre\t-1 2"]
