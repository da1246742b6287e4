"""Train on the sample: watch, reload, cancel, start again, finish, use; what others may do."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micrec_core.data import read_dataset
from micrec_core.jobs.manager import JobManager
from micrec_core.runs import list_runs
from micrec_core.sample.generate import generate_sample
from micrec_core.ui import uploads
from tests.journeys.app import ROOT, Server, open_page, settled, sound, widget
from tests.journeys.conftest import Serve, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (ROOT / "sample_data" / "items.csv").is_file(), reason="the sample data is not there"
    ),
]
FOREVER = 8 * 60_000
DEBOUNCE = 600


def set_epochs(tab: "Page", epochs: int) -> None:
    """Move the slider by its keys."""
    thumb = widget(tab, "rt_epochs").get_by_role("slider")
    thumb.focus()
    thumb.press("Home")
    for _ in range(epochs - 1):
        thumb.press("ArrowRight")
    # The slider tells the server a moment after its last key; a click before that is faster.
    tab.wait_for_timeout(DEBOUNCE)
    settled(tab)
    assert thumb.input_value() == str(epochs)


def start(tab: "Page") -> None:
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("is being trained").wait_for()


def cancel(tab: "Page", runs: Path) -> float:
    """Cancel the training; seconds from the click until no process of it is left."""
    job = JobManager(runs).current()
    assert job is not None
    button = tab.get_by_role("button", name="Cancel")
    button.wait_for()
    begun = time.monotonic()
    button.click()
    while at_work(job.pid):
        assert time.monotonic() - begun < 60, "the training goes on"
        time.sleep(0.02)
    return time.monotonic() - begun


def at_work(group: int) -> bool:
    """Whether the process that leads this group is there and no zombie."""
    try:
        stat = Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return stat[0] not in "ZX"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of datasets with a small sample that somebody brought: trained to its end soon."""
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path / "brought"))
    monkeypatch.setenv("MICREC_DATA", str(tmp_path / "data"))
    folder = tmp_path / "brought" / ".uploads" / "ada" / "one"
    generate_sample(folder, users=90, items=36, seed=3, picture_size=32)
    edges = sum(len(domain.edges) for domain in read_dataset(folder).domains)
    about = {"n_users": 90, "n_items": 36, "n_interactions": edges}
    uploads.keep(folder, "small", "ada", {"domains": [{"missing": {}}] * 2, **about})
    return tmp_path / "data"


def choose(tab: "Page", dataset: str) -> None:
    widget(tab, "rt_dataset").locator("input").click()
    tab.get_by_role("option", name=dataset).click()
    settled(tab)


def test_start_reload_cancel_start_finish_use(
    serve: Serve, visit: Visit, port: int, small: Path
) -> None:
    server = serve(port=port, MICREC_DATA=str(small))
    tab = visit()
    open_page(tab, server, "retrain")
    choose(tab, "sample_data")  # which takes long enough to be watched and cancelled
    start(tab)
    tab.get_by_text(re.compile(r"Epoch \d+ of")).wait_for(timeout=FOREVER)

    tab.reload()
    tab.get_by_text("is being trained").wait_for()
    assert tab.get_by_role("button", name="Start training").count() == 0

    others_watch(visit, tab, server)

    cancel(tab, server.runs)
    tab.get_by_text("was cancelled").wait_for()
    assert list_runs(server.runs) == [], "a cancelled training leaves no run behind"

    tab.get_by_role("button", name="Start training").wait_for()
    choose(tab, "small")
    set_epochs(tab, 2)
    start(tab)
    tab.get_by_role("button", name="Use this run").wait_for(timeout=FOREVER)
    assert list_runs(server.runs) == [], "a candidate is no run before it is used"
    tab.get_by_role("button", name="Use this run").click()
    tab.get_by_role("button", name="Use this run").wait_for(state="detached")
    (found,) = list_runs(server.runs)
    assert found.status == "complete" and found.problem is None
    open_page(tab, server, "overview", f"?run={found.name}")
    assert tab.get_by_text(found.name).count() >= 1
    sound(tab, server)


def others_watch(visit: Visit, tab: "Page", server: Server) -> None:
    """A second tab sees the job as its own; another visitor sees it, and could wait behind it."""
    second = tab.context.new_page()
    second.goto(f"{server.url}/retrain")
    second.get_by_text("is being trained").wait_for()
    assert second.get_by_role("button", name="Start training").count() == 0
    second.get_by_role("button", name="Cancel").wait_for()
    second.close()

    stranger = visit(new=True)
    stranger.goto(f"{server.url}/retrain")
    stranger.get_by_text("by another visitor").wait_for()
    stranger.get_by_role("button", name="Start training").wait_for()
    assert stranger.get_by_role("button", name="Cancel").count() == 0
    sound(stranger, server)


def test_a_training_outlives_the_app(serve: Serve, visit: Visit, port: int) -> None:
    server = serve(port=port)
    tab = visit()
    open_page(tab, server, "retrain")
    start(tab)
    server.stop()
    job = JobManager(server.runs).current()
    assert job is not None and job.running, "the training must not end with the app"

    again = serve(server.runs, port=port)
    tab.goto(f"{again.url}/retrain")
    tab.get_by_text("is being trained").wait_for()
    JobManager(server.runs).cancel(job.owner)
    tab.get_by_text("was cancelled").wait_for()
    sound(tab, again)
