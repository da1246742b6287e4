from collections.abc import Mapping
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from micrec_core.bundled import BASE as ROOT
from micrec_core.ui import serve
from micrec_core.ui.looks import BROKEN
from micrec_core.ui.navigation import SECTIONS
from tests.ui_run import write_run
from tests.ui_stub import StubRecommender

PAGES = [entry.file for group in SECTIONS.values() for entry in group]
ROUTER = str(ROOT / "micrec_core" / "ui" / "router.py")


@pytest.fixture(scope="session")
def full_run(tmp_path_factory):
    """A runs folder with one whole made-up run, for tests that only read it."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder, "tiny")
    write_run(folder, "zweit", seed=3)
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """``written("tiny", pictures=False)``: a runs folder with such a run, for who only reads it."""
    made = {}

    def folder(name, **options):
        key = name, repr(options)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("runs")
            write_run(made[key], name, **options)
        return made[key]

    return folder


@pytest.fixture
def app(monkeypatch, tmp_path):
    """Open a page of the app over a runs folder: ``app(folder, "alignment")``."""
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_DATA", str(tmp_path))

    def stub(key, _run):
        model = StubRecommender(_run)
        return model, model.parameter_hash()

    monkeypatch.setattr(serve, "_recommender", stub)

    def open_page(folder, page, **query):
        monkeypatch.setenv("MICREC_RUNS", str(folder))
        return at_address(page, **query)

    return open_page


def at_address(page: str, **query) -> AppTest:
    """A page of the app as its address opens it; Overview as the bare address does.

    ``AppTest.switch_page`` knows pages only when one was drawn, which costs more than the page.
    """
    return opened_at(page, query)


def opened_at(page: str, query: Mapping[str, Any], timeout: float = 60) -> AppTest:
    """``at_address`` for whatever names an address may have; ``timeout`` in seconds."""
    test = AppTest.from_file(ROUTER, default_timeout=timeout)
    for key, value in query.items():
        test.query_params[key] = value
    if page != "overview":
        test._page_hash = calc_hash(page.replace("_", "-"))  # as st.Page has it of its address
    return test.run()


def words(test: AppTest) -> str:
    """Everything that the page says in text."""
    kinds = ("markdown", "caption", "title", "header", "error", "success", "warning", "info")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    return "\n".join([*said, *(str(code.value) for code in test.code)])


def healthy(test: AppTest) -> None:
    """Nothing broke off anywhere on the page."""
    assert not test.exception, [e.value for e in test.exception]
    assert not [e.value for e in test.error if e.icon == BROKEN]


__all__ = ["PAGES", "at_address", "healthy", "opened_at", "words"]
