"""Files that documents name exist, and so do the targets of make that they tell of."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from micrec_core.baselines import REGISTRY
from micrec_core.cli import commands
from micrec_core.cli.preparing import prepare
from micrec_core.config import RunSettings
from micrec_core.data.raw.formats import FORMATS
from micrec_core.modalities.registry import MODALITIES
from micrec_core.ui.navigation import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
    ROOT / "docs" / "api-server.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "deploy.md",
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


def test_no_change_of_the_table_touches_more_than_three_files() -> None:
    table = PAGES[0].read_text(encoding="utf-8").split("## Where would I change")[1]
    rows = re.findall(r"^\| (.+?) \| (?:about )?(\d+) \| (\d) \| (.+) \|$", table, re.M)
    assert len(rows) >= 12
    for what, before, now, where in rows:
        paths = re.findall(r"`(.+?)`", where)
        new = sum(int(n) for n in re.findall(r"(\d) new files?", where))
        assert len(paths) + new == int(now) <= min(3, int(before)), what
        assert all((ROOT / path).is_file() for path in paths), what


def test_recipes_say_all_that_a_page_a_model_and_a_format_take() -> None:
    pages = {entry.file for section in SECTIONS.values() for entry in section}
    assert pages == {path.stem for path in (ROOT / "pages").glob("*.py")}
    shared = {"__init__", "contract", "layers", "mapping"}
    files = {path.stem for path in (ROOT / "micrec_core" / "baselines").glob("*.py")} - shared
    assert files == {kind.__module__.rpartition(".")[2] for kind in REGISTRY.values()}
    (said,) = get_type_hints(prepare, include_extras=True)["format"].__metadata__
    assert set(FORMATS) == set(re.findall(r"\w+\d*", said.help)) - {"or"}


def test_encoders_of_the_settings_are_those_of_the_command_line() -> None:
    options = inspect.signature(commands.train).parameters
    for name, encoder in RunSettings().features.items():
        assert options[name].default == encoder == MODALITIES[name].encoder
