"""Ids that look alike are named as such: the mend is never to add or drop an item."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from micrec_core.data import read_dataset
from micrec_core.data.lookalikes import twin, twins_notes
from micrec_core.errors import DataError

COMPOSED = "caf\u00e9"
TWINS = {
    "decomposed": unicodedata.normalize("NFD", COMPOSED),
    "zero-width space": "caf\u00e9\u200b",
    "byte order mark": "\ufeffcaf\u00e9",
    "soft hyphen": "ca\u00adf\u00e9",
    "full-width": "\uff43af\u00e9",
}


@pytest.mark.parametrize("other", TWINS.values(), ids=TWINS)
def test_an_item_that_only_looks_known(tmp_path: Path, write, rows, one_sentence, other) -> None:
    items, interactions = rows
    for table, name in ((items, COMPOSED), (interactions, other)):
        for row in table:
            row["item_id"] = name if row["item_id"] == "f1" else row["item_id"]
    root = write(tmp_path / "d", items=items, interactions=interactions)
    with pytest.raises(DataError, match="look the same, and only the second is in items") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))
    assert ascii(COMPOSED) in str(caught.value) and ascii(other) in str(caught.value)
    assert "add the items" not in str(caught.value)
    for row in interactions:  # the mend, applied
        row["item_id"] = COMPOSED if row["item_id"] == other else row["item_id"]
    root = write(tmp_path / "mended", items=items, interactions=interactions)
    assert not any("look" in note for note in read_dataset(root).notes)


def test_a_user_spelled_in_two_ways_is_named(tmp_path: Path, write: Callable, rows) -> None:
    items, interactions = rows
    for row in interactions:
        if row["user_id"] == "u0":
            row["user_id"] = COMPOSED if row["domain"] == "food" else TWINS["decomposed"]
    root = write(tmp_path / "d", items=items, interactions=interactions)
    notes = [note for note in read_dataset(root).notes if "look like another" in note]
    assert len(notes) == 1 and notes[0].startswith("2 user ids of interactions.csv")
    assert "caf\\xe9" in notes[0] and "cafe\\u0301" in notes[0]


def test_users_that_one_table_reads_as_numbers_are_named(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    for other in ("00{}", "{}.0"):
        log = [
            {**r, "user_id": other.format(r["user_id"][1:]) if r["domain"] == "food"
             else r["user_id"][1:]}
            for r in interactions
        ]  # fmt: skip
        found = read_dataset(write(tmp_path / other[:2], items=items, interactions=log))
        (note,) = [n for n in found.notes if "look like another" in n]
        assert note.startswith("12 user ids of interactions.csv") and "leading zeros" in note


def test_white_space_within_an_id() -> None:
    ids = np.array(["a b", "a  b", "a\u00a0b", "ab"], dtype=object)
    (note,) = twins_notes(ids, "the table", "item")
    assert note.startswith("3 item ids")
    assert not twins_notes(np.array(["a b", "ab", "A b", "caf\u00e9"], dtype=object), "t", "x")


def test_no_id_is_its_own_twin() -> None:
    assert twin("a", ["a", "b"]) is None
    assert twin("a\u200b", ["b", "a"]) == "a"
