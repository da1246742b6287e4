"""What is read as it is and may not mean what it says is noted with its count."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from micrec_core.data import read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.errors import DataError

START = 1_500_000_000


def doubts_of(root: Path) -> list[str]:
    """The notes on values, without those that every dataset of these rows has."""
    usual = ("The split", "Merged", "Ratings")
    return [note for note in read_dataset(root).notes if not note.startswith(usual)]


@pytest.mark.parametrize("word", ["NaN", "null", "None", "<NA>", "\\N", "#N/A"])
def test_users_called_as_programs_call_nobody(tmp_path: Path, write, rows, word: str) -> None:
    log = [{**row, "user_id": word} if row["user_id"] == "v4" else row for row in rows[1]]
    assert doubts_of(write(tmp_path / "d", interactions=log)) == [
        f"4 interactions of interactions.csv are of a user called '{word}', which often stands for "
        "nobody: remove them if so."
    ]


def test_users_whose_ids_were_rounded(tmp_path: Path, write, rows) -> None:
    names = {"v4": "9.78E+12", "v5": "1,2E+11", "w4": "1E5"}
    log = [{**row, "user_id": names.get(row["user_id"], row["user_id"])} for row in rows[1]]
    (note,) = doubts_of(write(tmp_path / "d", ".jsonl", interactions=log))
    assert note.startswith("2 user ids of interactions.jsonl are rounded numbers, such as ")


@pytest.mark.parametrize("column", ["title", "description"])
def test_texts_that_say_nothing(tmp_path: Path, write, rows, column: str) -> None:
    few = [{**row, column: "nan"} if k == 2 else row for k, row in enumerate(rows[0])]
    assert doubts_of(write(tmp_path / "one", items=few)) == []
    many = [{**row, column: "nan"} if k > 2 else row for k, row in enumerate(rows[0])]
    (note,) = doubts_of(write(tmp_path / "many", items=many))
    assert note.startswith(f"7 {column}s of items.csv say 'nan' or the like")


@pytest.mark.parametrize("nothing", ["0", "-1"])
def test_times_of_nothing_among_dates(tmp_path: Path, write, rows, nothing: str) -> None:
    log = [
        {**row, "timestamp": nothing if k % 12 == 0 else str(START + k)}
        for k, row in enumerate(rows[1])
    ]
    (note,) = doubts_of(write(tmp_path / "d", interactions=log))
    assert note.startswith("4 interactions of interactions.csv have the time 0 or -1")
    counted = [{**row, "timestamp": str(k)} for k, row in enumerate(rows[1])]
    assert doubts_of(write(tmp_path / "e", interactions=counted)) == []


def test_names_with_spaces_are_offered_as_a_shell_takes_them(tmp_path: Path, write, rows) -> None:
    reference = read_dataset(write(tmp_path / "a")).fingerprint
    log = [{"User ID": r["user_id"], "#item": r["item_id"], **r} for r in rows[1]]
    for row in log:
        del row["user_id"], row["item_id"]
    root = write(tmp_path / "d", interactions=log)
    with pytest.raises(DataError) as caught:
        read_dataset(root)
    said = str(caught.value).partition(" or say ")[2].partition(" (")[0]
    typed = [word for word in shlex.split(said) if word != "--map"]
    assert typed == ["user_id=User ID", "item_id=#item"]
    assert read_dataset(root, dialect=Dialect.of(typed)).fingerprint == reference


def test_marks_of_joined_lines_of_json(tmp_path: Path, write) -> None:
    reference = read_dataset(write(tmp_path / "a")).fingerprint
    root = write(tmp_path / "d", ".jsonl")
    path = root / "interactions.jsonl"
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n\xef\xbb\xbf" + rest)
    assert read_dataset(root).fingerprint == reference
