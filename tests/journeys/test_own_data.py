"""The ninth thing that somebody does: bring data, mend it, keep it, train on it, compare, tidy up.

On tables of each kind that the other eight are tried on: two domains, three, one without pictures.
"""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, settled, sound, widget
from tests.journeys.conftest import Serve, Visit
from tests.journeys.looking import cells, look, said, table_of, true_of
from tests.journeys.test_retrain import set_epochs
from tests.journeys.worlds import KINDS, asked_for, dealt

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(2400), asked_for]
FOREVER = 15 * 60_000
# Columns as another shop calls them.
THEIRS = {"user_id": "who", "timestamp": "when", "title": "name", "domain": "shop"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dealt(tmp_path_factory.mktemp("brought"))


def zipped(data: Path) -> bytes:
    """The tables under other names, with other names of columns and one row that is broken."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file, theirs in (("interactions.csv", "orders.csv"), ("items.csv", "goods.csv")):
            with open(data / file, newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
            rows[0] = [THEIRS.get(name, name) for name in rows[0]]
            if theirs == "orders.csv":
                broken = rows[1].copy()
                broken[rows[0].index("item_id")] = ""
                rows.append(broken)
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            archive.writestr(f"mine/{theirs}", text.getvalue())
        for picture in (data / "images").iterdir():
            archive.write(picture, f"mine/images/{picture.name}")
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_9_own_data_from_a_zip_to_a_comparison(
    kind: str, tables: Path, serve: Serve, visit: Visit, tmp_path: Path
) -> None:
    server = serve(MICREC_DATA=str(tmp_path / "kept"))
    tab = visit("light", 1280, 900)
    brought(tab, server, kind, zipped(tables / kind))
    name = f"mine-{kind}"
    trained(tab, server, kind, name)
    compared(tab, server, kind, name)
    tidied(tab, server, name)


def brought(tab: "Page", server: Server, kind: str, content: bytes) -> None:
    """Uploaded, its columns said, a row mended, kept, and still there after a reload."""
    open_page(tab, server, "data")
    tab.get_by_role("tab", name="Upload").click()
    tab.locator('[data-testid="stFileUploader"] input[type="file"]').set_input_files(
        {"name": "mine.zip", "mimeType": "application/zip", "buffer": content}
    )
    tab.get_by_role("button", name="Check the upload", disabled=False).click()
    tab.get_by_role("button", name="Use these files").click()
    tab.get_by_role("button", name="Read them so").wait_for()
    settled(tab)
    look(tab, server, f"9-mapping-{kind}")
    tab.get_by_role("button", name="Read them so").click()
    tab.get_by_text(re.compile(r"interactions\.csv, line \d+: item_id is empty")).wait_for()
    look(tab, server, f"9-problem-{kind}")
    tab.get_by_role("button", name="Leave all these rows out").click()
    tab.get_by_text("is usable").wait_for()
    settled(tab)
    box = tab.get_by_label("Name of the dataset")
    box.fill(f"brought-{kind}")
    box.press("Enter")
    settled(tab)
    look(tab, server, f"9-usable-{kind}")
    true_of(tab, KINDS[kind][0], True)
    tab.get_by_role("button", name="Keep it").click()
    tab.get_by_text(f"Dataset 'brought-{kind}' is kept.").wait_for()
    tab.reload()
    tab.get_by_role("button", name=f"Check brought-{kind}").wait_for()
    sound(tab, server)


def trained(tab: "Page", server: Server, kind: str, name: str) -> None:
    """A training of an epoch, seen on another page, used and then open."""
    open_page(tab, server, "retrain")
    widget(tab, "rt_dataset").locator("input").click()
    tab.get_by_role("option", name=f"brought-{kind}").click()
    settled(tab)
    set_epochs(tab, 1)
    box = widget(tab, "rt_name").locator("input")
    box.fill(name)
    box.press("Enter")
    settled(tab)
    look(tab, server, f"9-retrain-{kind}")
    tab.get_by_role("button", name="Start training").click()
    tab.get_by_text("is being trained").wait_for()
    tab.get_by_test_id("stSidebarNavLink").filter(has_text="Runs").click()
    tab.get_by_test_id("stSidebar").get_by_text(f"training: {name}").wait_for()
    open_page(tab, server, "retrain")
    use = tab.get_by_role("button", name="Use this run")
    use.wait_for(timeout=FOREVER)
    look(tab, server, f"9-candidate-{kind}")
    use.click()
    tab.get_by_text(f"Run '{name}' is open on every page.").wait_for()
    # Where it is the first of all runs it is the default, which no address names.
    tab.wait_for_function(f"() => document.querySelector('.st-key-run input').value === {name!r}")
    settled(tab)
    sound(tab, server)


def compared(tab: "Page", server: Server, kind: str, name: str) -> None:
    """Variants and baselines of the run that is open; three pages have them."""
    tab.get_by_text(f"Variants and baselines beside run '{name}'").click()
    tab.get_by_role("button", name="Train and compare").wait_for()
    settled(tab)
    look(tab, server, f"9-compare-{kind}")
    tab.get_by_role("button", name="Train and compare").click()
    tab.get_by_text("has its comparison").wait_for(timeout=FOREVER)
    tab.get_by_role("button", name="Close").click()
    for page in ("overview", "ablations", "low-degree"):
        open_page(tab, server, page, f"?run={name}")
        true_of(tab, *KINDS[kind])
        look(tab, server, f"9-{page}-{kind}")
        if page == "overview":
            assert "Switched off one by one." in said(tab)
        else:
            table = table_of(tab, {"ablations": "abl_scores", "low-degree": "low_recall"}[page])
            assert {"micrec", "lightgcn", "inmo"} <= set(table["model"])
            if page == "ablations":
                assert {"full", "text"} <= set(table["variant"])


def tidied(tab: "Page", server: Server, name: str) -> None:
    """A note and a tag, a file to hand on, the same file taken in again, and both deleted."""
    open_page(tab, server, "runs", f"?run={name}")
    choose(tab, name)
    tab.get_by_label("Note", exact=True).fill("for the lecture")
    tags = tab.get_by_test_id("stMultiSelect").locator("input")
    tags.fill("class")
    tags.press("Enter")
    tags.press("Escape")  # its list lies over the button
    tab.get_by_role("button", name="Keep").click()
    settled(tab)
    tab.reload()
    settled(tab)
    assert any("for the lecture" in cell for row in cells(tab) for cell in row)
    choose(tab, name)
    look(tab, server, f"9-runs-{name}")
    with tab.expect_download() as download:
        tab.get_by_role("button", name=f"Download {name} as a zip").click()
    widget(tab, "runs_zip").locator('input[type="file"]').set_input_files(
        {
            "name": f"{name}.zip", "mimeType": "application/zip",
            "buffer": download.value.path().read_bytes(),
        }
    )  # fmt: skip
    box = widget(tab, "runs_name").locator("input")
    box.fill("again")
    box.press("Enter")
    settled(tab)
    tab.get_by_role("button", name="Import", disabled=False).click()
    tab.get_by_text("Run 'again' is here and whole.").wait_for()
    for run in ("again", name):
        choose(tab, run)
        tab.get_by_role("button", name="Delete", exact=True).click()
        widget(tab, "runs_delete").get_by_role("button").click()
        tab.get_by_text(f"Run '{run}' is deleted.").wait_for()
        settled(tab)
    sound(tab, server)


def choose(tab: "Page", name: str) -> None:
    """One of the runs by its name; the first offered may be another."""
    settled(tab)
    widget(tab, "runs_chosen").locator("input").click()
    tab.get_by_role("option", name=name, exact=True).click()
    tab.get_by_test_id("stMain").locator("h2", has_text=name).wait_for()
    settled(tab)
