"""A few viewers for a few seconds: the protocol is spoken, nothing fails, and it is counted."""

import pytest

from micrec_core.ui.viewer import main, viewer
from tests.journeys.app import PAGES, start
from tests.journeys.load import Load, Used, View, cost_table, load, load_table, written


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start(tmp_path_factory.mktemp("load"), MICREC_COMPILE="no")
    yield found
    found.stop()


@pytest.mark.timeout(600)
def test_two_viewers(server):
    with viewer(server.url) as one:
        first = one.see("overview")
    assert not first.error and first.first and first.settled and first.size > 10_000
    found = load(server, viewers=2, seconds=4, wait=0.5, retrain=False)
    assert not found.errors, server.said()
    assert len(found.views) >= 2 and all(view.settled for view in found.views)
    assert found.after.seconds > found.before.seconds > 0
    assert found.after.memory > 2**27


def test_a_page_that_is_not_there_is_an_error(server):
    with viewer(server.url) as one:
        assert "no such page" in one.see("no-such-page").error


def test_a_server_that_does_not_answer_is_an_error(server):
    with viewer(server.url, patience=0.01) as one:
        assert "nothing settled" in one.see("overview").error


def test_the_table_says_what_was_seen():
    views = [View("runs", 1.0, 2.0), View("runs", 3.0, 4.0), View("data", error="lost")]
    found = Load(3, 60, True, views, Used(1.0, 2**30), Used(2.5, 2**31))
    said = load_table(found)
    assert "3 viewers, 1 minutes, a training running" in said
    for row in (
        "| pages seen | 2 |",
        "| first content, p50 and p95 | 2.00 s, 2.90 s |",
        "| settled, p50 and p95 | 3.00 s, 3.90 s |",
        "| errors | 1 |",
        "| processor seconds a page | 0.500 |",
        "| server's memory after | 2,048 MiB |",
    ):
        assert row in said


def test_costs_stand_side_by_side():
    said = cost_table({"before": dict.fromkeys(PAGES, 0.5), "now": dict.fromkeys(PAGES, 0.125)})
    assert "| page | before | now |" in said and "| Overview | 0.500 | 0.125 |" in said
    assert "| mean | 0.500 | 0.125 |" in said


def test_a_new_section_takes_the_place_of_the_old():
    first = written("# Benchmarks\n\nkept above\n", "page load", "old numbers")
    second = written(first + "\nkept below\n", "page load", "new numbers")
    assert "old numbers" not in second and "new numbers" in second
    assert "kept above" in second and "kept below" in second


def test_the_check_of_health_fails_where_no_page_can_be_drawn(server, tmp_path, capsys):
    assert main(server.url) == 0
    # It answers, and whoever comes gets an error in the place of a page.
    broken = start(tmp_path, MICREC_TOKEN="t" * 20, MICREC_ROLES=str(tmp_path / "none.toml"))
    try:
        assert main(broken.url) == 1
    finally:
        broken.stop()
    assert main(broken.url) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("overview: ") and "the app does not answer" in second
