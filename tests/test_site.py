"""The documentation as a site: it builds without a warning and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FETCHED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    found = [(page.name, tag) for page in pages for tag in FETCHED.findall(page.read_text("utf-8"))]
    assert not found
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", "".join(styles))
    # Material would fetch a library for these diagrams.
    assert not any('class="mermaid"' in page.read_text("utf-8") for page in pages)


def test_the_front_door_is_documented_whole(site: Path) -> None:
    import micrec_core as mc

    page = (site / "api" / "index.html").read_text("utf-8")
    own = {
        name
        for name in mc.__all__
        if getattr(getattr(mc, name), "__module__", "") == "micrec_core.notebook"
    }
    assert len(own) >= 5
    assert {name for name in own if f'id="micrec_core.notebook.{name}"' not in page} == set()


def test_names_of_documents_are_links(site: Path) -> None:
    assert 'href="../notes/2026-11-21-training/"' in (site / "method" / "index.html").read_text()
    assert 'href="contributing/"' in (site / "index.html").read_text()


def test_the_picture_shows_the_layers_of_the_contract() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [c for c in linter["contracts"] if c["type"] == "layers"]
    wanted = [layer.strip("()") for layer in contract["layers"]]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.split("```text\n")[1].split("```")[0]
    lines = re.findall(r"^│ (\w+(?: [|:] \w+)*)  ", picture, re.M)
    assert lines == wanted
