"""Every page on runs of one, three and six domains, with text, pictures, both or neither.

The runs are trained, for a step or two, on the small sample's items dealt out to more domains.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from micrec_core.cli import main
from micrec_core.config import RunSettings
from micrec_core.jobs.checking import Limits
from micrec_core.names import DEGREE_ITEMS, ONE_DOMAIN
from micrec_core.protocols import MASKS
from micrec_core.report.export import export_run
from micrec_core.running.train import train_run
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample
from micrec_core.ui import own_tables
from tests.pages.conftest import PAGES, at_address, healthy, words

pytestmark = pytest.mark.usefixtures("one_thread")
# Run -> its domains, what is switched off, and what test lists leave out.
KINDS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "one": (1, (), "train"),
    "two-by-image": (2, ("text",), "train"),
    "three-bare": (3, ("text", "image"), "all"),
    "six-by-text": (6, ("image",), "all"),
}


def deal(source: Path, out: Path, n_domains: int) -> Path:
    """The sample's first items dealt out to so many domains; users stay who they are."""
    items = pd.read_csv(source / "items.csv", dtype=str, keep_default_na=False)
    log = pd.read_csv(source / "interactions.csv", dtype=str, keep_default_na=False)
    if n_domains == 1:
        items = items[items["domain"] == "food"]
    places = {item: f"shop{n % n_domains}" for n, item in enumerate(items["item_id"])}
    log = log[log["item_id"].isin(places)]
    shutil.copytree(source / "images", out / "images")
    for frame, name in ((items, "items"), (log, "interactions")):
        dealt = frame.assign(domain=frame["item_id"].map(places))
        dealt.to_csv(out / f"{name}.csv", index=False)
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    source = folder / "sample"
    generate_sample(source, users=90, items=36, seed=3, picture_size=32)
    for name, (n_domains, without, mask) in KINDS.items():
        data = deal(source, folder / f"{name}-data", n_domains)
        settings = RunSettings(
            model={"without": without, "dim": 8},
            training={"epochs": 1, "steps": 2},
            split="inductive",
            mask=mask,
        )
        train_run(
            data, folder / "runs" / name, settings, device="cpu", umap=False,
            baselines=name == "one",
        )  # fmt: skip
    return folder / "runs"


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("data", "retrain")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page(kind, page, runs, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(runs))
    query = {"run": kind}
    if page == "ablations":  # whose further sections are drawn once they are opened
        query["abl_curve"] = "ndcg"
    if page == "cold_start":
        run = open_run(runs / kind, verify=False)
        first = run.frame(DEGREE_ITEMS).iloc[0]
        query["like"] = f"{first['domain']}~{first['item_id']}"
    if page == "alignment":
        query["tour"] = "2"
    test = at_address(page, **query)
    healthy(test)
    assert not test.error, [e.value for e in test.error]
    said = words(test)
    mask = KINDS[kind][2]
    assert [m for m in MASKS if MASKS[m] in said] == [mask]
    if kind == "one" and page in ("ablations", "low_degree"):
        measured = [c.value for c in test.main.caption if MASKS[mask] in c.value]
        assert len(measured) == 3, "each chart of test figures says what they leave out"
    if kind == "six-by-text" and page in ("overview", "cold_start", "new_item"):
        assert "picture" not in said and not test.get("file_uploader"), "there are none"
    if kind == "two-by-image":
        assert bool(test.get("file_uploader")) == (page in ("cold_start", "new_item", "runs"))
        typed = {area.key for kinds in (test.text_area, test.text_input) for area in kinds}
        assert not typed & {"cold_text", "ni_title", "ni_text"}, "words would change nothing"
        assert "has no text" not in said
        assert ("takes no text: nothing is near" in said) == (page == "modalities")
    assert ("nobody is drawn twice" in said) == (kind == "one" and page == "alignment")
    if KINDS[kind][0] == 1:
        assert "Known in several" not in said and "other domain" not in said
        asked = [group.options for group in test.button_group]
        assert all(len(options) > 1 for options in asked), "what has one answer is not asked"
        if page in ("overview", "alignment", "ablations"):
            assert ONE_DOMAIN in said
    if kind == "three-bare" and page == "modalities":
        assert "There is nothing to weigh" in said
    if page == "cold_start":
        assert "parameters changed" in said


def test_a_report_says_it_too(runs, tmp_path) -> None:
    (file,) = export_run(runs / "one", "html", tmp_path / "one.html")
    text = file.read_text(encoding="utf-8")
    assert [m for m in MASKS if MASKS[m] in text] == ["train"]
    assert ONE_DOMAIN in text


def test_data_of_one_domain_is_checked_and_offered_for_training(
    runs, monkeypatch, tmp_path, capsys
) -> None:
    def in_this_process(
        folder: Path, options: list[str], _: Limits, told: Callable[[str], Any]
    ) -> dict[str, Any]:
        told("reading interactions.csv (MiB) 1 of 18")
        assert main(["check", str(folder), *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    monkeypatch.setattr(own_tables, "check_capped", in_this_process)
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MICREC_DATA", str(runs.parent))
    test = at_address("data")
    test.text_input(key="data_folder").set_value(str(runs.parent / "one-data")).run()
    next(b for b in test.button if b.label == "Check").click().run()
    healthy(test)
    said = words(test).replace("\\", "")
    assert "is usable" in said and ONE_DOMAIN in said and "known in both" not in said
    assert not any("(MiB)" in text.value for text in test.text)  # that was on the way
    assert "Users in two domains" not in {m.label for m in test.metric}
    test.switch_page("../../pages/retrain.py").run()
    healthy(test)
    offered = test.multiselect(key="rt_without").options
    assert "text" in offered and "contrast" not in offered and "cross-domain" not in offered
