"""Where the app, its pages, the sample data and the sample run lie, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_INSIDE = PACKAGE / "_bundled"  # only a wheel has it (see pyproject.toml)
BASE = _INSIDE if _INSIDE.is_dir() else PACKAGE.parent

APP = BASE / "app.py"
PAGES = BASE / "pages"
SAMPLE_DATA = BASE / "sample_data"
ICON = BASE / "assets" / "icon.svg"
RUNS = BASE / "assets" / "runs"
SAMPLE_RUN = RUNS / "sample"


def home() -> Path:
    """Where relative paths of the app begin: the checkout, or the current folder if installed."""
    return PACKAGE.parent if BASE != _INSIDE else Path.cwd()


def from_home(path: Path) -> Path:
    """``path`` as one would type it at home: relative where it lies below."""
    return path.relative_to(home()) if path.is_relative_to(home()) else path
