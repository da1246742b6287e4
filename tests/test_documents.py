"""Files that documents name exist, and so do the targets of make that they tell of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "python.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_document_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wanted = set(re.findall(r"`((?:micrec_core|pages|tests|docs)/[\w./-]*)`", text))
    missing = [name for name in sorted(wanted) if not (ROOT / name).exists()]
    assert not missing
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    told = set(re.findall(r"^ {4}make ([a-z-]+)", text, re.M))
    assert told <= targets


def test_notes_are_dated_and_named_as_they_are() -> None:
    notes = {path.name for path in (ROOT / "docs" / "notes").glob("*.md")}
    assert notes and all(re.match(r"\d{4}-\d\d-\d\d-[a-z-]+\.md$", name) for name in notes)
    texts = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "micrec_core").rglob("*.py"),
    ]
    said = {
        n for path in texts for n in re.findall(r"\bnotes/([\w-]+\.md)", path.read_text("utf-8"))
    }
    assert said <= notes


def test_every_room_is_in_the_table() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    rooms = {p.parent.name for p in (ROOT / "micrec_core").glob("*/__init__.py")}
    without = {room for room in rooms if f"`micrec_core/{room}/`" not in text}
    assert without <= {"benchmarks", "_bundled"}
