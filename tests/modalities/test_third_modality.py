"""Five modalities through all of it: the usual two, attributes, knowledge, and one that the
project does not know, made of supplied vectors.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from micrec_core.cli import main
from micrec_core.errors import ConfigError
from micrec_core.figures import modalities as figures
from micrec_core.modalities.registry import MODALITIES
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
from micrec_core.ui import retrain
from tests.modalities.five_sources import make_shops
from tests.pages.conftest import at_address, healthy

ROOT = Path(__file__).resolve().parents[2]
# Where the names of modalities may be spelled out: their own files and their encoders', files whose
# columns are called so, the generator of a sample that has both, and the box for a sentence.
OWN = ("modalities/", "data/", "sample/", "ui/makeup.py")
MODALITIES_OF_IT = ("text", "image", "attributes", "knowledge", "audio")
SOURCES = {"id", *MODALITIES_OF_IT, "bridge", "memory"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    root, audio = make_shops(folder)
    words = ["train", root, "--out", folder / "runs" / "heard", "--epochs", "1"]
    words += ["--features", f"audio=precomputed:{audio}", "--no-umap"]
    words += ["--attributes", "columns", "--knowledge", "walks"]
    words += ["--device", "cpu", "--set", "steps=3", "--split", "inductive", "--no-baselines"]
    assert main([str(word) for word in words]) == 0
    return folder / "runs" / "heard"


@pytest.fixture(scope="module")
def recommender(run: Path) -> Recommender:
    return Recommender.open(open_run(run))


def test_it_is_trained_served_and_explained(run: Path, recommender: Recommender) -> None:
    assert list(open_run(run).info.encoders) == list(MODALITIES_OF_IT)
    food = recommender.bundle.domains[0]
    likes = {"food": food.item_ids[5:8].tolist()}
    for domain in recommender.domains:
        user = recommender.user(likes=likes, text="green tea", attributes="brand=acme; price=3..8")
        assert not user.notes
        best = recommender.recommend(user, domain, k=3).items
        found = recommender.explain(user, domain, best["item_id"].iloc[0])
        assert set(found.parts) == SOURCES
        assert found.table["contribution"].sum() == pytest.approx(found.score, rel=1e-4)
        assert sum(found.parts.values()) == pytest.approx(found.score, rel=1e-4)
        assert set(MODALITIES_OF_IT) <= set(found.table["source"])
    assert set(recommender.weights(user, "food")) == set(MODALITIES_OF_IT)
    near = recommender.neighbours("food", item=food.item_ids[9])
    assert set(near["modality"]) == set(MODALITIES_OF_IT)
    assert set(recommender.steps(user, "food")[-1].table["user_source"]) == SOURCES


def test_reasons_are_told_in_the_words_of_columns_and_relations(recommender: Recommender) -> None:
    ids = recommender.bundle.domains[0].item_ids
    assert "same brand (Bolt)" in recommender.alike("attributes", "food", ids[5], ids[9])
    assert "both in Home > Eat" in recommender.alike("attributes", "food", ids[5], ids[7])
    assert recommender.alike("knowledge", "food", ids[5], ids[10]).startswith(
        "both used for baking"
    )
    assert recommender.alike("knowledge", "food", ids[5], ids[8]) == "both part of kitchen work"
    assert recommender.alike("text", "food", ids[5], ids[9]) == ""
    user = recommender.user(likes={"food": [ids[5]]})
    found = recommender.explain(user, "food", ids[25])
    assert {"attributes", "knowledge"} <= set(found.alike["by"])
    assert found.alike["why"].str.contains("baking").any()
    liked = found.table[found.table["contributor_id"] == ids[5]]
    assert (liked.loc[liked["source"] == "text", "why"] == "").all()


def test_who_says_a_brand_gets_it(recommender: Recommender) -> None:
    of = {m: recommender.bundle.domains[0].modalities[m].features for m in ("attributes",)}
    query = recommender._encode("attributes", "category=Home > Cook > Kind 2")
    assert query is not None
    likeness = (of["attributes"].sparse @ query.sparse.T).toarray().ravel()
    best = np.flatnonzero(likeness == likeness.max())
    assert len(best) and set(best % 6) == {2}
    with pytest.raises(ConfigError, match="is no price; write an amount, or a range"):
        recommender.user(attributes="price=cheap")
    assert "counts for nothing" in recommender.user(attributes="brand=Nobody").notes[0]


def test_its_weights_are_stored_and_drawn(run: Path) -> None:
    weights = open_run(run).frame("weights.parquet")
    assert {"w_audio", "share_audio", "coherence_audio", "has_audio"} <= set(weights.columns)
    assert {"w_attributes", "w_knowledge", "has_knowledge"} <= set(weights.columns)
    items = weights[weights["entity"] == "item"]
    assert [(~items[f"has_{m}"]).sum() for m in MODALITIES_OF_IT[2:]] == [3, 4, 3]
    drawn = json.dumps(figures.parts_bar({"id": 1.0, "text": 0.5, "audio": -0.2}).to_plotly_json(),
                       default=str)  # fmt: skip
    assert "Audio" in drawn


@pytest.fixture
def at_page(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], AppTest]:
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(run.parent))

    def at(page: str) -> AppTest:
        test = at_address(page)
        healthy(test)
        assert not test.error
        return test

    return at


@pytest.mark.parametrize("page", ["overview", "modalities", "recommendations"])
def test_its_pages_open(page: str, at_page: Callable[[str], AppTest]) -> None:
    at_page(page)


def test_cold_start_takes_values_and_ranges(at_page: Callable[[str], AppTest]) -> None:
    test = at_page("cold_start")
    next(box for box in test.multiselect if box.label == "Brand").set_value(["Acme", "Bolt"])
    price = next(slider for slider in test.slider if slider.label == "Price from .. to")
    healthy(price.set_range(3.0, 8.0).run())
    assert not test.error
    made = test.session_state["micrec_session"].made
    assert made.values == "brand=Acme; brand=Bolt; price=3..8" and not made.is_empty


def test_retrain_asks_for_what_is_not_usual() -> None:
    words = retrain.Settings(Path("x"), "", (), 1, 0, also=("attributes", "knowledge")).arguments()
    assert words[-4:] == ["--attributes", "columns", "--knowledge", "walks"]


def test_what_few_have_is_counted_where_there_are_many_modalities(run: Path) -> None:
    weights = open_run(run).frame("weights.parquet")
    cases = set(figures.long_weights(weights)["have"])
    assert "all" in cases and len(cases) > 3
    assert cases <= {"all", *(f"{k} of 5" for k in range(5))} | {
        f"all but {m}" for m in MODALITIES_OF_IT
    }


def spelled_out(path: Path) -> list[str]:
    """Literals of a file that are names of modalities.

    A key called text is one of Plotly's, and a type called text one of a chat's messages.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tables = [n for n in ast.walk(tree) if isinstance(n, ast.Dict)]
    keys = {id(k) for n in tables for k in n.keys}
    keys |= {
        id(v)
        for n in tables
        for k, v in zip(n.keys, n.values, strict=True)
        if isinstance(k, ast.Constant) and k.value == "type"
    }
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
