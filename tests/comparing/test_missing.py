"""What missing modalities cost: points of the study, and both ways measured on the same users."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from micrec_core.cli import main
from micrec_core.sample.generate import generate_sample

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = tmp_path_factory.mktemp("missing")
    generate_sample(folder / "data", users=90, items=36, seed=3, picture_size=32)
    words = ["missing", str(folder / "data"), "--out", str(folder / "out"), "--shares", "0.5"]
    return [*words, "--model", "content-profile", "--set", "image=none", "--json"], folder / "out"


def test_each_point_is_measured_masked_and_imputed(told, capsys: pytest.CaptureFixture) -> None:
    words, out = told
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    points = {(row["what"], row["within"], row["share"]) for row in rows}
    assert points == {("", "", 0.0), ("text", "", 0.5), ("text", "food", 1.0),
                      ("text", "kitchen", 1.0)}  # fmt: skip
    known = {(r["what"], r["within"], r["domain"]): r for r in rows if r["protocol"] == "known"}
    # Food's lists lose by food's text and nothing by that of the other shop.
    full = known["", "", "food"]["masked"]
    assert known["text", "food", "food"]["masked"] < full
    assert known["text", "kitchen", "food"]["masked"] == pytest.approx(full)
    half = known["text", "", "food"]
    assert half["gain"] == pytest.approx(half["imputed"] - half["masked"]) and half["gain"] != 0
    assert all(row["n"] > 0 and row["low"] <= row["gain"] <= row["high"] for row in rows)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*/trained.json")}
    assert len(kept) == 8
    assert main(words) == 0  # and nothing is solved again
    assert kept == {path: path.stat().st_mtime_ns for path in out.glob("*/trained.json")}
