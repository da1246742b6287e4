"""The report is one file that needs no network."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, sound
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

pytestmark = pytest.mark.browser


def test_downloaded_and_opened_without_a_network(
    served: Server, tab: "Page", visit: Visit, tmp_path: Path
) -> None:
    open_page(tab, served, "overview")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download report").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    assert download.value.suggested_filename.endswith(".html")
    sound(tab, served)

    reader = visit(new=True)
    asked: list[str] = []
    errors: list[str] = []

    def note(request: "Request") -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            asked.append(request.url)

    reader.on("request", note)
    reader.on("pageerror", lambda error: errors.append(str(error)))
    reader.context.set_offline(True)
    reader.goto(report.as_uri())
    charts = reader.locator(".js-plotly-plot")
    reader.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot')]"
        ".every(p => p.querySelector('.main-svg'))"
    )
    assert charts.count() >= 4
    assert "What was found" in reader.locator("body").inner_text()
    assert asked == [] and errors == []
