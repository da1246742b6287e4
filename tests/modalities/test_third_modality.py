"""A modality that the project does not know, made of supplied vectors, through all of it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.cli import main
from micrec_core.data import read_dataset
from micrec_core.figures import modalities as figures
from micrec_core.modalities.registry import MODALITIES
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample
from micrec_core.serving import Recommender
from tests.pages.conftest import at_address, healthy

ROOT = Path(__file__).resolve().parents[2]
# Where the names of modalities may be spelled out: their own files and their encoders', files whose
# columns are called so, the generator of a sample that has both, and the box for a sentence.
OWN = ("modalities/", "data/", "sample/", "ui/makeup.py")
SOURCES = {"id", "text", "image", "audio", "bridge", "memory"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    generate_sample(folder / "tiny", users=100, items=(50, 40), seed=3, picture_size=32)
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "item_id": domain.item_ids,
                "domain": domain.name,
                "vector": list(rng.normal(size=(domain.n_items, 6)).astype(np.float32)),
            }
        )
        for domain in read_dataset(folder / "tiny").domains
    ]
    pd.concat(parts)[3:].to_parquet(folder / "audio.parquet")  # three items have none
    words = ["train", folder / "tiny", "--out", folder / "runs" / "heard", "--epochs", "1"]
    words += ["--features", f"audio=precomputed:{folder / 'audio.parquet'}", "--no-umap"]
    words += ["--device", "cpu", "--set", "steps=3", "--split", "inductive"]
    assert main([str(word) for word in words]) == 0
    return folder / "runs" / "heard"


def test_it_is_trained_served_and_explained(run: Path) -> None:
    opened = open_run(run)
    assert list(opened.info.encoders) == ["text", "image", "audio"]
    recommender = Recommender.open(opened)
    food = recommender.bundle.domains[0]
    likes = {"food": food.item_ids[5:8].tolist()}
    for domain in recommender.domains:
        user = recommender.user(likes=likes, text="green tea")
        best = recommender.recommend(user, domain, k=3).items
        found = recommender.explain(user, domain, best["item_id"].iloc[0])
        assert set(found.parts) == SOURCES
        assert found.table["contribution"].sum() == pytest.approx(found.score, rel=1e-4)
        assert sum(found.parts.values()) == pytest.approx(found.score, rel=1e-4)
    assert "audio" in set(found.table["source"])
    assert "audio" in recommender.weights(user, "food")
    assert set(recommender.neighbours("food", item=food.item_ids[9])["modality"]) >= {"audio"}
    assert set(recommender.steps(user, "food")[-1].table["user_source"]) == SOURCES


def test_its_weights_are_stored_and_drawn(run: Path) -> None:
    weights = open_run(run).frame("weights.parquet")
    assert {"w_audio", "share_audio", "coherence_audio", "has_audio"} <= set(weights.columns)
    assert (~weights.loc[weights["entity"] == "item", "has_audio"]).sum() == 3
    drawn = json.dumps(figures.parts_bar({"id": 1.0, "text": 0.5, "audio": -0.2}).to_plotly_json(),
                       default=str)  # fmt: skip
    assert "Audio" in drawn


@pytest.mark.parametrize("page", ["overview", "modalities", "cold_start", "recommendations"])
def test_its_pages_open(run: Path, page: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(run.parent))
    test = at_address(page)
    healthy(test)
    assert not test.error


def spelled_out(path: Path) -> list[str]:
    """Literals of a file that are names of modalities; a key called text is one of Plotly's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    keys = {id(k) for n in ast.walk(tree) if isinstance(n, ast.Dict) for k in n.keys}
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in MODALITIES and id(node) not in keys
    ]


def test_no_other_room_spells_a_modality_out() -> None:
    core = ROOT / "micrec_core"
    files = [*core.rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    others = [
        f
        for f in files
        if not f.is_relative_to(core) or not str(f.relative_to(core)).startswith(OWN)
    ]
    assert [place for path in others for place in spelled_out(path)] == []
