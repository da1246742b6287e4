"""The Runs page: all runs in one table, notes that stay, one deleted, another open."""

import io

import pytest

from micrec_core.errors import MicrecError
from micrec_core.runs import open_run
from micrec_core.runs.archive import Note, note, notes, pack
from micrec_core.ui import runs
from tests.pages.conftest import healthy, words
from tests.ui_run import write_run


def test_every_run_has_a_row(app, tmp_path):
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", seed=4)
    (write_run(tmp_path, "bad") / "run.json").write_text("{")
    note(tmp_path, "two", Note("for the lecture", ("class",)))
    test = app(tmp_path, "runs")
    healthy(test)
    table = test.dataframe[0].value.set_index("run")
    assert list(table.index) == ["bad", "one", "two"]
    assert table.loc["bad", "status"] == "damaged"
    assert 0 < table.loc["one", "ndcg@20"] < 1
    assert table.loc["two", "note"] == "for the lecture"
    test.selectbox(key="runs_chosen").set_value("one").run()
    test.pills(key="runs_tags").set_value(["class"]).run()
    healthy(test)
    assert list(test.dataframe[0].value["run"]) == ["two"]
    assert test.selectbox(key="runs_chosen").value == "two", "a run that is hidden is not chosen"


def test_what_is_done_with_one(app, tmp_path):
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", seed=4)
    test = app(tmp_path, "runs")
    healthy(test)
    assert test.selectbox(key="runs_chosen").value == test.sidebar.selectbox(key="run").value
    test.selectbox(key="runs_chosen").set_value("two").run()
    write_run(tmp_path, "before-two", seed=5)  # a training ends: rows move, the choice does not
    test.text_area[0].set_value("worth keeping")
    next(b for b in test.button if b.label == "Keep").click().run()
    healthy(test)
    assert notes(tmp_path) == {"two": Note("worth keeping")}
    next(b for b in test.button if b.label == "Open").click().run()
    assert test.sidebar.selectbox(key="run").value == "two"
    test.button(key="runs_delete").click().run()
    healthy(test)
    assert "is deleted" in words(test)
    assert not (tmp_path / "two").exists() and (tmp_path / "one").exists()
    assert test.selectbox(key="runs_chosen").value == test.sidebar.selectbox(key="run").value


def test_a_run_that_comes_with_the_app_stays(app, tmp_path, monkeypatch):
    path = write_run(tmp_path / "bundled", "sample")
    test = app(tmp_path / "none", "runs")
    monkeypatch.setenv("MICREC_BUNDLED", str(path.parent))
    test.run()
    healthy(test)
    assert "cannot be deleted" in words(test)
    assert "Delete it" not in [b.label for b in test.button]


def test_a_zip_is_taken_in_by_a_process_with_limits(tmp_path, monkeypatch):
    """What ends the reader ends that process alone, and leaves nothing."""
    made, out = open_run(write_run(tmp_path / "from", "tiny")), io.BytesIO()
    pack(made, out)
    here = tmp_path / "here"
    monkeypatch.setenv("MICREC_RUNS", str(here))
    monkeypatch.setenv("MICREC_CHECK_GIGABYTES", "0.001")
    with pytest.raises(MicrecError, match=r"The run could not be read within 120 seconds and 0\."):
        runs._taken_in(out.getvalue(), "")
    assert not list(here.iterdir())
    monkeypatch.delenv("MICREC_CHECK_GIGABYTES")
    assert runs._taken_in(out.getvalue(), "another") == "another"
    with pytest.raises(MicrecError, match="There is a run 'another' already"):
        runs._taken_in(out.getvalue(), "another")
    assert [path.name for path in here.iterdir()] == ["another"]
