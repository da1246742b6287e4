"""The main journeys on a run of three domains and on one of a single domain without pictures."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from micrec_core.config import RunSettings
from micrec_core.running.train import train_run
from micrec_core.sample.generate import generate_sample
from tests.journeys.app import Server, at_rest, open_page, settled, sound, start, widget
from tests.journeys.conftest import Visit
from tests.journeys.test_looks import OVERLAPS
from tests.pages.test_kinds_of_runs import deal
from tests.pages.test_uploads import a_zip

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread", "first_choices"),
]
DOMAINS = {"three": 3, "one": 1}
CARD = '[data-testid="stText"]'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Path:
    """A folder of runs that were trained for two steps."""
    folder = tmp_path_factory.mktemp("other")
    source = folder / "sample"
    generate_sample(source, users=90, items=36, seed=3, picture_size=32)
    for name, n_domains in DOMAINS.items():
        data = deal(source, folder / "data" / name, n_domains)
        if n_domains == 1:
            items = pd.read_csv(data / "items.csv", dtype=str, keep_default_na=False)
            items.drop(columns="image").to_csv(data / "items.csv", index=False)
        settings = RunSettings(
            model={"dim": 8}, training={"epochs": 1, "steps": 2}, split="inductive"
        )
        train_run(data, folder / "runs" / name, settings, device="cpu", umap=False, baselines=False)
    return folder


@pytest.fixture(scope="module")
def others(made: Path) -> Iterator[Server]:
    """One server over those runs, with a place for datasets."""
    server = start(made / "server", made / "runs", MICREC_DATA=str(made / "data"))
    yield server
    server.stop()


def lists(tab: "Page", n_domains: int) -> list[str]:
    """Titles of the lists, one a domain; each begins with its place."""
    tab.locator(CARD, has_text="1. ").nth(n_domains - 1).wait_for()
    settled(tab)
    titles = [t for t in tab.locator(CARD).all_inner_texts() if t.split(".")[0].isdigit()]
    assert sum(t.startswith("1. ") for t in titles) == n_domains
    return titles


@pytest.mark.parametrize("run", DOMAINS)
def test_from_the_front_page_to_somebody_new_and_something_new(
    others: Server, visit: Visit, run: str
) -> None:
    tab, n_shown = visit("light", 1280, 900), DOMAINS[run]
    open_page(tab, others, "overview", f"?run={run}")
    assert tab.get_by_test_id("stAlertContentError").count() == 0

    open_page(tab, others, "cold-start", f"?run={run}&says=tea")
    lists(tab, n_shown)
    widget(tab, "cold_add").get_by_text("Add items", exact=True).click()
    tab.get_by_role("button", name=re.compile("^Like ")).first.click()
    tab.get_by_role("button", name="Liked").first.wait_for()
    before = lists(tab, n_shown)
    assert "0 of " in tab.get_by_text("parameters changed").first.inner_text()
    box = widget(tab, "cold_text").locator("textarea")
    box.fill("a pan")
    box.press("Control+Enter")
    tab.wait_for_url("**says=a+pan**")
    assert lists(tab, n_shown) != before
    box.evaluate("box => box.blur()")
    tab.keyboard.press("p")
    tab.locator(".ranks li").first.wait_for()

    # Bins of three domains side by side would touch on a phone.
    tab.set_viewport_size({"width": 390, "height": 844})
    open_page(tab, others, "low-degree", f"?run={run}")
    at_rest(tab)
    assert tab.evaluate(OVERLAPS) == []
    tab.set_viewport_size({"width": 1280, "height": 900})
    for page in ("new-item", "recommendations"):
        open_page(tab, others, page, f"?run={run}")
        assert tab.get_by_test_id("stAlertContentError").count() == 0
    sound(tab, others)


def test_own_data_is_brought_mended_kept_and_deleted(others: Server, visit: Visit) -> None:
    tab = visit("light", 1024, 768)
    open_page(tab, others, "data")
    tab.get_by_role("tab", name="Upload").click()
    upload = a_zip()
    tab.locator('[data-testid="stFileUploader"] input[type="file"]').set_input_files(
        {"name": upload.name, "mimeType": "application/zip", "buffer": upload.content}
    )
    tab.get_by_role("button", name="Check the upload", disabled=False).click()
    tab.get_by_role("button", name="Use these files").click()
    tab.get_by_role("button", name="Read them so").click()
    tab.get_by_text("interactions.csv, line 34: item_id is empty").wait_for()
    tab.get_by_role("button", name="Leave all these rows out").click()
    tab.get_by_text("is usable").wait_for()
    settled(tab)
    name = tab.get_by_label("Name of the dataset")
    name.fill("tea")
    name.press("Enter")
    settled(tab)
    tab.get_by_role("button", name="Keep it").click()
    tab.get_by_text("Dataset 'tea' is kept.").wait_for()

    open_page(tab, others, "retrain", "?run=one")
    widget(tab, "rt_dataset").locator("input").click()
    tab.get_by_role("option", name="tea").click()
    settled(tab)
    tab.get_by_text("32 interactions").wait_for()
    tab.get_by_text("Go by more").wait_for()
    open_page(tab, others, "data")
    tab.get_by_role("button", name="Delete tea").click()
    tab.get_by_role("button", name="Delete it tea").click()
    tab.get_by_text("Dataset 'tea' is deleted.").wait_for()
    sound(tab, others)
