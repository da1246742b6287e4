"""The pages over a run that the pipeline wrote and the real recommender serves."""

import json

import pytest
import streamlit as st

from micrec_core.bundled import BASE as ROOT
from micrec_core.names import CATALOGUE
from micrec_core.protocols import CURVES
from micrec_core.report.export import report
from micrec_core.runs import open_run
from micrec_core.ui import widgets
from micrec_core.ui.navigation import SECTIONS
from tests import claims
from tests.pages.conftest import at_address, healthy, words
from tests.report.test_numbers import of as figures_of
from tests.reports import Sections

PAGES = [entry.file for group in SECTIONS.values() for entry in group]


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory):
    if not (ROOT / "sample_data" / "items.csv").is_file():
        pytest.skip("the sample dataset is not there")
    from micrec_core.config import RunSettings
    from micrec_core.running.train import train_run

    folder = tmp_path_factory.mktemp("real")
    settings = RunSettings(training={"epochs": 2, "steps": 3}, split="inductive")
    train_run(ROOT / "sample_data", folder / "short", settings, device="cpu", umap=False)
    return folder


@pytest.fixture
def open_page(real_runs, monkeypatch, tmp_path):
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(real_runs))
    return at_address


@pytest.mark.parametrize("page", PAGES)
def test_page(open_page, page):
    test = open_page(page)
    healthy(test)
    assert not test.error


def test_every_claim_is_carried_by_its_test(open_page, real_runs):
    """Of a run of one's own, on the page and in its report: no model but the strongest is named."""
    run = open_run(real_runs / "short")
    frame = lambda path: run.frame(path) if run.has(path) else None  # noqa: E731
    labels = {"food": "Food", "kitchen": "Kitchen"}
    read = Sections()
    read.feed(report(run))
    in_report = claims.walk(read.cards, frame, labels, 0)
    assert {"known all food", "new-items full list kitchen", "cold-domain all food"} <= set(
        in_report
    )
    assert {"new-users all food", "low degree  kitchen"} <= set(in_report)
    # An invisible character keeps "@" from being read as an address.
    said = words(open_page("overview")).replace("\\", "").replace("\u2060", "")
    for title, lines in read.cards:
        assert f"**{title}**" in said and all(line in said for line in lines)
    assert "popularity (NDCG@20)" not in said.lower()


def test_ablations_of_a_run_with_baselines_asks_for_its_variants_alone(open_page):
    test = open_page("ablations")
    said = words(test)
    assert "No variants in this run" in said and "that this run does not hold" in said
    # What Overview claims stands where the evidence is.
    assert claim_of(open_page("overview"), "For known users") in said
    asked = open_page("ablations", abl_protocol="New items")
    assert claim_of(open_page("overview"), "For items without") in words(asked)
    assert "Difference from the full model" in {h.value for h in test.header}
    assert "What does it cost?" in {e.label for e in test.expander}


def claim_of(test, setting):
    return next(m.value for m in test.markdown if m.value.startswith(f"**{setting}"))


def test_everyone_gets_lists_in_both_domains(open_page):
    test = open_page("cold_start")
    assert [s.value for s in test.header] == ["Food", "Kitchen"]
    assert " parameters changed" in words(test)
    assert "**0 of " in words(test)
    places = [t.value for t in test.text if t.value.startswith("1. ")]
    assert len(places) == 2
    button = next(b for b in test.button if b.label == "Start over")
    button.click().run()
    test.text_area(key="cold_text").set_value("green tea for a Japanese breakfast").run()
    healthy(test)
    assert not test.error
    assert len([t.value for t in test.text if t.value.startswith("1. ")]) == 2


def test_the_steps_of_the_computation(open_page):
    test = open_page("cold_start")
    test.session_state["cold_tabs"] = "Step by step"
    test.run()
    healthy(test)
    assert "What is known" in words(test)
    drawn = [json.loads(e.proto.json) for e in test.get("bidi_component")]
    flow = next(data for data in drawn if "stages" in data)
    assert len(flow["map"]["path"]) == len(flow["stages"]) + 1 and flow["map"]["path"][0] is None


def test_an_explanation_adds_up(open_page):
    said = words(open_page("recommendations"))
    line = next(part for part in said.splitlines() if "contributions add up to" in part)
    total, score = line.split("add up to ")[1].split("; the score is ")
    assert float(total) == pytest.approx(float(score.split(" ")[0].rstrip(".")), abs=2e-4)


def test_the_first_look_at_the_bundled_run_has_titles_and_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path))
    test = at_address("cold_start")
    healthy(test)
    shown = [t.value.partition(". ") for t in test.text]
    first = [title for place, _, title in shown if place in ("1", "2", "3")][:6]
    items = open_run(ROOT / "assets" / "runs" / "sample").frame(CATALOGUE)
    pictured = set(items.loc[items["thumbnail"].notna(), "title"])
    assert len(first) == 6 and set(first) <= pictured, first


def test_every_chart_of_figures_says_what_they_are_of(monkeypatch, tmp_path):
    """Means over seeds differ from one training's: each chart's caption says which it shows."""
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path))
    said, shown = [""], []

    def caption(text, *words, **options):
        said.append(str(text))
        return told(text, *words, **options)

    told = st.caption
    monkeypatch.setattr(st, "caption", caption)
    monkeypatch.setattr(widgets, "table_and_csv", lambda table, key, *more, **options: shown.append(
        (key, "model" in table, figures_of(said[-1]))))  # fmt: skip
    opened = {f"abl_{curve}_all": "1" for curve in (*CURVES, "curve")}
    for page, query in {"ablations": opened, "low_degree": {}, "modalities": {}}.items():
        healthy(at_address(page, **query))
    of_models = {key: label for key, of_model, label in shown if of_model}
    assert {"abl_scores", "abl_differences", "abl_sparsity", "low_recall", "mo_effect"} <= set(
        of_models
    )
    assert None not in of_models.values(), of_models
