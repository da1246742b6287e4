"""A comparison of several trainings in the runs folder: it is named as one, and opens what it can.

It has the tables of its trainings and no model to look into.
"""

import pytest

from micrec_core.protocols import CURVES
from micrec_core.runs import list_runs
from micrec_core.ui import library
from tests import ui_run
from tests.pages.conftest import PAGES, healthy, words

NEEDS_MODEL = ("alignment", "modalities", "cold_start", "new_item", "recommendations")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    ui_run.write_run(folder, "a-contest", kind="comparison")
    ui_run.write_run(folder, "model")
    return folder


def test_the_picker_names_it_and_opens_a_model_first(app, folder):
    picker = app(folder, "overview").sidebar.selectbox(key="run")
    assert picker.value == "model"
    assert picker.options == ["model", "a-contest (comparison)"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_it(app, folder, page):
    test = app(folder, page, run="a-contest (comparison)")
    healthy(test)
    assert not test.error
    assert test.sidebar.selectbox(key="run").value == "a-contest"
    assert ("This is a comparison" in words(test)) == (page in NEEDS_MODEL)


def test_its_tables_are_drawn(app, folder):
    test = app(folder, "ablations", run="a-contest (comparison)")
    assert len(test.get("plotly_chart")) == 2, "the rest is drawn once it is opened"
    sections = ["cost", "cutoff", *CURVES]
    for section in sections:
        test.session_state[f"abl_{section}_section"] = True
    test.run()
    healthy(test)
    assert len(test.get("plotly_chart")) == 4 + 3
    test.switch_page("../../pages/low_degree.py").run()
    assert len(test.get("plotly_chart")) == 3
    assert "not with a comparison" in words(test)


def test_the_overview_says_what_it_is(app, folder):
    said = words(app(folder, "overview", run="a-contest (comparison)"))
    assert "several models" in said
    assert "No history" not in said


def test_it_is_not_offered_beside_a_known_user(app, folder):
    test = app(folder, "recommendations", user="u3")
    assert test.selectbox(key="rec_other").options == []


def test_its_report(folder):
    listing = next(f for f in list_runs(folder) if f.name == "a-contest")
    html = library.report(library.open_listed(listing)).decode()
    assert "Several models, compared under one protocol" in html
    assert "How few interactions will do?" in html
