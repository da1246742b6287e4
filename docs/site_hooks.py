"""What the site does beyond MkDocs: pages of the top folder, and documents' names as links."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# Files beside docs/ that are pages of the site too, and what they are called there.
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
NAMED = re.compile(r"(?<!\[)`((?:docs/)?(?:notes/)?[\w-]+\.md)`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents of the top folder, whose links to ``docs/`` lose that step."""
    for name, page in TOP.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the name of a document, `docs/method.md`, into a link to its page."""
    here = PurePosixPath(page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        name = found[1].removeprefix("docs/")
        name = TOP.get(name, name)
        if files.get_file_from_path(name) is None or name == page.file.src_uri:
            return found[0]
        return f"[{found[0]}]({os.path.relpath(name, here)})"

    return NAMED.sub(link, markdown)
