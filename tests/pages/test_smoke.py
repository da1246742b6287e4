"""Every page opens on whole, missing, damaged and partial runs, and says what is the matter."""

import json
import shutil

import pytest

from tests.pages.conftest import PAGES, healthy, words
from tests.ui_run import write_run

NEEDS_RUN = [p for p in PAGES if p not in ("retrain", "runs", "data")]


@pytest.mark.parametrize("page", PAGES)
def test_a_whole_run(app, full_run, page):
    test = app(full_run, page)
    healthy(test)
    assert len(test.title) == 1
    assert not test.error
    assert any("synthetic" in m.value for m in test.sidebar.markdown)


@pytest.mark.parametrize("page", PAGES)
def test_no_run_at_all(app, tmp_path, page):
    test = app(tmp_path / "runs", page)
    healthy(test)
    assert len(test.title) == 1
    if page in NEEDS_RUN:
        assert "python -m micrec_core train" in words(test)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    path = write_run(folder, "broken")
    blob = bytearray((path / "weights.parquet").read_bytes())
    blob[40] ^= 0xFF
    (path / "weights.parquet").write_bytes(bytes(blob))
    return folder


@pytest.fixture(scope="module")
def truncated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truncated")
    (write_run(folder, "broken") / "catalogue.parquet").unlink()
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_run(app, damaged, page):
    test = app(damaged, page)
    healthy(test)
    if page in NEEDS_RUN:
        assert len(test.error) == 1
        assert "weights.parquet" in test.error[0].value.replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_a_truncated_run(app, truncated, page):
    test = app(truncated, page)
    healthy(test)
    if page in NEEDS_RUN:
        assert len(test.error) == 1


@pytest.mark.parametrize("page", PAGES)
def test_a_run_without_pictures(app, written, page):
    healthy(app(written("plain", pictures=False), page))


@pytest.mark.parametrize("page", PAGES)
def test_a_run_with_text_only(app, written, page):
    healthy(app(written("text", pictures=False, modalities=("text",)), page))


@pytest.mark.parametrize("page", PAGES)
def test_a_run_that_lacks_what_is_optional(app, written, page):
    lacks = ("metrics/", "snapshots/", "weights", "history.jsonl", "serving.json", "catalogue")
    test = app(written("bare", leave_out=lacks), page)
    healthy(test)
    assert not test.error
    if page in NEEDS_RUN and page != "overview":
        assert "python -m micrec_core" in words(test)


def test_a_damaged_run_beside_a_good_one(app, full_run, tmp_path):
    shutil.copytree(full_run / "tiny", tmp_path / "good")
    shutil.copytree(full_run / "tiny", tmp_path / "abc")
    (tmp_path / "abc" / "run.json").write_text("{")
    test = app(tmp_path, "overview")
    healthy(test)
    picker = test.sidebar.selectbox(key="run")
    assert picker.value == "good"
    assert picker.options == ["good", "abc (damaged)"]


def test_an_address_chooses_run_and_page_state(app, full_run):
    test = app(full_run, "overview", run="zweit")
    assert test.sidebar.selectbox(key="run").value == "zweit"
    test = app(full_run, "overview", run="../../etc")
    healthy(test)
    assert test.sidebar.selectbox(key="run").value == "tiny"


@pytest.mark.parametrize("page", ["overview", "modalities", "cold_start"])
@pytest.mark.parametrize("modalities", [("image",), ()])
def test_a_run_of_one_domain_without_text(app, written, page, modalities):
    test = app(written("one", modalities=modalities, domains=("food",)), page)
    healthy(test)
    assert not test.error
    assert "Kitchen" not in words(test)


@pytest.fixture
def many_users(written):
    return written("large", n_users=300_000)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_three_hundred_thousand_users(app, many_users, page):
    test = app(many_users, page)
    healthy(test)
    assert not test.error
    assert all(len(box.options) <= 100 for box in test.selectbox)


@pytest.mark.slow
def test_many_users_are_a_density_and_a_sample(app, many_users, monkeypatch):
    monkeypatch.setenv("MICREC_MAPS", "plotly")
    test = app(many_users, "alignment")
    said = words(test)
    assert "of 300,000 people" in said
    assert "The grey density has all 300,000." in said
    drawn = json.loads(test.get("plotly_chart")[0].proto.spec)["data"]
    kinds = [trace["type"] for trace in drawn]
    assert kinds.count("heatmap") == 2
    marks = [t for t in drawn if t["type"] == "scattergl" and t["mode"] == "markers"]
    # A piece of each domain in turn: neither is drawn over the other.
    assert [t["name"] for t in marks[:4]] == ["Food", "Kitchen", "Food", "Kitchen"]
    assert len(marks) == 24
    assert sum(bool(t["showlegend"]) for t in marks) == 2
