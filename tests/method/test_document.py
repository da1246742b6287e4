"""docs/method.md names where each section stands in code, and nothing cites what is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "method.md"
CODE = [*(ROOT / "micrec_core").rglob("*.py"), *(ROOT / "pages").glob("*.py")]


def sections() -> dict[str, str]:
    """The numbered sections of the page by their heading."""
    parts = re.split(r"^#{2,3} (\d[\d.]* .*)$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def defined(path: Path) -> set[str]:
    """Functions and classes of a module, and ``Class.method``."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
            found |= {f"{node.name}.{name}" for name in methods}
    return found


def named(text: str) -> list[tuple[str, str]]:
    """(file, what it is said to define) of every `file.py`: `name`, `name` of a text."""
    out = []
    for file, names in re.findall(r"`(micrec_core/[\w/]+\.py)`:\s+((?:`[\w.]+`(?:,\s+)?)+)", text):
        out += [(file, name) for name in re.findall(r"`([\w.]+)`", names)]
    return out


def test_every_section_names_a_file_and_a_function_that_exist() -> None:
    found = sections()
    assert len(found) >= 13
    for heading, text in found.items():
        assert named(text), f"section {heading} names no function"
        for file, name in named(text):
            assert name in defined(ROOT / file), f"section {heading}: {file} has no {name}"


def test_sections_count_upwards_and_are_cited_as_they_stand() -> None:
    numbers = [heading.split()[0].rstrip(".") for heading in sections()]
    assert numbers == sorted(numbers, key=lambda n: [int(part) for part in n.split(".")])
    cited = re.compile(r"docs/method\.md,? sections? (\d+(?:\.\d+)?)")
    wrong = [
        f"{path.relative_to(ROOT)}: {number}"
        for path in CODE
        for number in cited.findall(path.read_text(encoding="utf-8"))
        if number not in numbers
    ]
    assert not wrong


def test_no_document_is_cited_that_a_reader_lacks() -> None:
    lacking = re.compile(r"\b(DESIGN|METHOD|UX|STYLE)(\.md|\s+\d)")
    pages = [*CODE, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    found = [
        str(path.relative_to(ROOT))
        for path in pages
        if lacking.search(path.read_text(encoding="utf-8"))
    ]
    assert not found
