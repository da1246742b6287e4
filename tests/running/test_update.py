"""A run that is updated: what comes later gets what fold-in gives it, and all else stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import micrec_core as mc
from micrec_core import cli
from micrec_core.bundled import SAMPLE_DATA, SAMPLE_RUN
from micrec_core.errors import ConfigError, DataError, RunError
from micrec_core.names import CATALOGUE, PARAMETERS
from micrec_core.running import update
from micrec_core.running.drift import RETRAIN_AT, advice
from micrec_core.running.update import update_run
from micrec_core.runs import Run, open_run
from micrec_core.serving import Recommender, audience
from micrec_core.serving.what_if import items_without, stays

pytestmark = pytest.mark.usefixtures("one_thread")
# Ids before and after all others, in both domains and in one; known users with more; new items.
TAKEN = [
    ("zz", "food-0001", "food"),
    ("zz", "food-0206", "food"),
    ("zz", "kitchen-0003", "kitchen"),
    ("zz", "tea", "food"),
    ("AA", "kitchen-0001", "kitchen"),
    ("AA", "kitchen-0007", "kitchen"),
    ("u0005", "tea", "food"),
    ("u0005", "food-0003", "food"),
    ("u0001", "tea", "food"),
]
ITEMS = [
    ("tea", "food", "Green Tea of Yuzu", "Fresh and smoky"),
    ("spice", "food", "Smoky Moroccan Spice Blend", ""),
    ("bare", "kitchen", "", ""),
    ("food-0001", "food", "another title", ""),
]


def interactions(rows: list[tuple[str, str, str]] = TAKEN) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "domain"])


def items(rows: list[tuple[str, str, str, str]] = ITEMS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["item_id", "domain", "title", "description"])


@dataclass(frozen=True)
class Pair:
    """A run and what an update made of it."""

    parent: Run
    child: Run
    old: Recommender
    new: Recommender


Make = Callable[..., Run]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    out = tmp_path_factory.mktemp("updated") / "child"
    parent = open_run(SAMPLE_RUN)
    child = open_run(update_run(parent, out, interactions(), items()).run)
    return Pair(parent, child, Recommender.open(parent), Recommender.open(child))


LIKES = {"food": ["food-0001", "food-0206", "tea"], "kitchen": ["kitchen-0003"]}


@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_a_user_added_gets_the_list_of_the_same_likes(made: Pair, domain: str) -> None:
    by_id = made.new.recommend(made.new.user(id="zz"), domain, 20)
    by_likes = made.new.recommend(made.new.user(likes=LIKES), domain, 20)
    assert by_id.items.equals(by_likes.items) and by_id.kind == by_likes.kind == "warm"
    assert not set(by_id.items["item_id"]) & set(LIKES[domain])


def test_who_would_get_a_new_item_is_asked_of_everyone_by_now(
    made: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whom came later too, and of all that they took: as their own lists would have it."""
    for most in ("MOST_HERE", "MOST_ELSEWHERE"):
        monkeypatch.setattr(audience, most, 10_000)
    rec = made.new
    for domain in ("food", "kitchen"):
        found = rec.audience(rec.new_item(domain, text="Smoky tea"), 20)
        item = rec.new_item(domain, text="Smoky tea")
        asked = found[found["user_id"].isin(["zz", "AA", "u0005", "u0001"])]
        assert {"zz", "u0005"} <= set(asked["user_id"])
        for row in asked.itertuples():
            user = rec.user(id=row.user_id)
            place, score, _ = rec.rank(user, domain, item)
            assert row.score == pytest.approx(score, rel=1e-4, abs=1e-5)
            assert row.gets == (place <= 20)
            assert row.degree == len(rec.history(row.user_id, row.known_in))


def test_embeddings_are_those_that_the_parent_folds_in(made: Pair) -> None:
    """With the same likes, as far as the parent knows of them; known users keep theirs."""
    likes = {"kitchen": ["kitchen-0001", "kitchen-0007"]}
    for domain in ("food", "kitchen"):
        added = made.new.embedding(made.new.user(id="AA"), domain)
        folded = made.old.embedding(made.old.user(likes=likes), domain)
        np.testing.assert_allclose(added, folded, atol=1e-6)
        same = (r.embedding(r.user(id="u0010"), domain) for r in (made.old, made.new))
        np.testing.assert_array_equal(*same)


def test_an_item_added_gets_what_a_new_item_gets(made: Pair) -> None:
    for name, text, users in (
        ("tea", "Green Tea of Yuzu\nFresh and smoky", ["u0005", "u0001"]),
        ("spice", "Smoky Moroccan Spice Blend", []),
    ):
        new = made.old.new_item("food", text=text, users=users)
        part = made.new.bundle.domains[0]
        row = part.item_ids.tolist().index(name)
        np.testing.assert_allclose(part.items[row], new.vector, atol=1e-6)
        assert made.new.item_weights("food", name) == pytest.approx(dict(new.weights))
        pd.testing.assert_frame_equal(
            made.new.neighbours("food", item=name), made.old.neighbours("food", item=new)
        )


def test_scores_of_a_new_item_stay_those_of_a_new_item(tmp_path: Path, made: Pair) -> None:
    """Memory too: nobody took it yet, so that its neighbours speak for it."""
    child = update_run(made.parent, tmp_path / "items", items=items()).run
    new = Recommender.open(open_run(child))
    item = made.old.new_item("food", text="Smoky Moroccan Spice Blend")
    for who in ({"id": "u0003"}, {"likes": {"kitchen": ["kitchen-0003"]}}, {"text": "spices"}):
        wanted = made.old.rank(made.old.user(**who), "food", item)
        found = new.rank(new.user(**who), "food", "spice")
        assert found[1] == pytest.approx(wanted[1], abs=1e-6)


@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_lists_of_everyone_are_those_of_each(made: Pair, domain: str) -> None:
    everyone = made.new.recommend_all(domain, 5)
    ids = everyone["user_id"].drop_duplicates().tolist()
    assert ids == sorted(ids) == made.new.user_ids(domain).tolist()
    for user in ("zz", "AA", "u0005", "u0001", "u0010"):
        if user not in ids:
            continue
        listed = everyone[everyone["user_id"] == user]
        alone = made.new.recommend(made.new.user(id=user), domain, 5).items
        assert listed["item_id"].tolist() == alone["item_id"].tolist(), user
        np.testing.assert_allclose(listed["score"], alone["score"], rtol=1e-4)
    some = made.new.recommend_many(["u0010", "zz"], domain, 5)
    wanted = everyone[everyone["user_id"].isin(["zz", "u0010"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, wanted, rtol=1e-5)


def test_counts_go_by_everything(made: Pair) -> None:
    counted = interactions().groupby("item_id").size()
    for part, domain in zip(made.new.bundle.domains, made.new.domains, strict=True):
        before = made.old.baselines.popular(domain, 10_000).set_index("item_id")["degree"]
        now = made.new.baselines.popular(domain, 10_000).set_index("item_id")["degree"]
        for item in part.item_ids:
            assert now[item] == before.get(item, 0) + counted.get(item, 0)
    catalogue = made.child.frame(CATALOGUE).set_index(["domain", "item_id"])
    assert (
        catalogue.loc[("food", "tea"), "degree"] == 3 and catalogue.loc[("food", "tea"), "has_text"]
    )
    assert catalogue.loc[("food", "food-0001"), "title"] != "another title"
    assert not catalogue.loc[("kitchen", "bare"), "has_text"]
    histories = [set(made.new.history(u, "food")["item_id"]) for u in made.new.user_ids("food")]
    both = sum({"tea", "food-0206"} <= history for history in histories)
    table = made.new.explain(made.new.user(likes={"food": ["food-0206"]}), "food", "tea").table
    assert both and f"{both} took both" in set(table["via"])
    assert made.new.history("u0005", "food")["item_id"].tolist().count("tea") == 1


@pytest.mark.parametrize("who", ["zz", "AA", "u0005", "u0010"])
@pytest.mark.parametrize("item", ["tea", "spice", "food-0003"])
def test_reasons_add_up(made: Pair, who: str, item: str) -> None:
    user = made.new.user(id=who)
    found = made.new.explain(user, "food", item)
    assert found.table["contribution"].sum() == pytest.approx(found.score, abs=1e-5)
    assert sum(found.parts.values()) == pytest.approx(found.score, abs=1e-5)
    assert made.new.rank(user, "food", item)[1] == pytest.approx(found.score, abs=1e-5)


@pytest.mark.parametrize("off", ["text", "neighbours", "propagation", "templates"])
def test_parts_are_left_out_of_what_came_later_too(made: Pair, off: str) -> None:
    """All parts but one and that one alone make the whole, of trained and of later items."""
    fold, part = made.new._fold, made.new.bundle.domains[0]
    user, rows = made.new.user(id="u0005"), np.arange(len(part.item_ids))
    left = items_without(fold, 0, rows, {off}).astype(np.float64).sum(axis=1)
    for item in ("food-0003", "tea", "spice"):
        row = part.item_ids.tolist().index(item)
        blocks = fold.item(0, row).blocks
        gone = sum(b.vectors.sum(axis=0) for b in blocks if not stays(b, {off}))
        np.testing.assert_allclose(left[row] + gone, part.items[row], atol=1e-5)
    assert len(made.new.recommend(user, "food", 5, without={off}).items) == 5


def test_nothing_is_trained_and_the_parent_is_named(made: Pair) -> None:
    assert made.old.parameter_hash() == made.new.parameter_hash()
    assert made.parent.digests[PARAMETERS] == made.child.digests[PARAMETERS]
    assert open_run(SAMPLE_RUN).key == made.parent.key
    info = made.child.info
    assert info.parent is not None
    assert (info.parent.name, info.parent.key) == (made.parent.name, made.parent.key)
    assert info.update["added"]["food"] == {"users": 1, "items": 2, "interactions": 6}
    assert info.update["added"]["kitchen"] == {"users": 2, "items": 1, "interactions": 3}
    assert any("known already" in note for note in info.update["notes"])
    drift = info.update["drift"]["food"]
    assert drift["items"] == pytest.approx(2 / len(made.new.bundle.domains[0].item_ids))
    assert drift["users"] == pytest.approx(4 / len(made.new.user_ids("food")), abs=0.002)
    assert 0 < drift["lists"] < 0.2 and drift["places"] < drift["lists"] and drift["days"] > 0


def test_two_updates_are_one(tmp_path: Path, made: Pair) -> None:
    """In whatever order things come; what is there already changes nothing."""
    first = update_run(made.parent, tmp_path / "first", interactions(TAKEN[4:6] + TAKEN[7:8])).run
    second = update_run(open_run(first), tmp_path / "second", interactions(), items()).run
    run = open_run(second)
    again = Recommender.open(run)
    assert run.info.update["times"] == 2
    assert run.info.update["trained"] == made.child.info.update["trained"]
    for domain in made.new.domains:
        wanted, found = made.new.recommend_all(domain, 5), again.recommend_all(domain, 5)
        assert wanted[["user_id", "item_id"]].equals(found[["user_id", "item_id"]])
        np.testing.assert_allclose(wanted["score"], found["score"], rtol=1e-5)


def test_it_opens_as_any_other_run(tmp_path: Path, made: Pair) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(made.child.path, copied)
    run = mc.open_run(copied)
    assert len(run.metrics()) and set(run.files) == set(made.parent.files)
    best = run.recommender().recommend(domain="food", user="zz", k=3)
    assert len(best) == 3
    assert "tea" in set(run.recommender().items("food")["item_id"])


def test_the_notebook_and_the_command_line_do_the_same(
    tmp_path: Path, made: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = next((SAMPLE_DATA / "images").glob("food-*.webp"))
    shutil.copy(picture, tmp_path / "tea.webp")
    interactions(TAKEN[:4]).to_csv(tmp_path / "new.csv", index=False)
    items(ITEMS[:1]).assign(image="tea.webp").to_csv(tmp_path / "items.csv", index=False)
    words = ["update", str(SAMPLE_RUN), "--out", str(tmp_path / "by-hand"), "--json"]
    words += ["--interactions", str(tmp_path / "new.csv"), "--items", str(tmp_path / "items.csv")]
    assert cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["added"]["food"] == {"users": 1, "items": 1, "interactions": 3}
    catalogue = open_run(told["run"]).frame(CATALOGUE).set_index(["domain", "item_id"])
    assert (
        catalogue.loc[("food", "tea"), "thumbnail"] and catalogue.loc[("food", "tea"), "has_image"]
    )


def test_what_cannot_be_added_is_told(
    tmp_path: Path, made: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "not"
    with pytest.raises(ConfigError, match="nothing to add"):
        update_run(made.parent, out)
    with pytest.raises(DataError, match=r"interactions.iloc\[1\].*'gone' is not in the run"):
        rows = [("u0005", "food-0001", "food"), ("u0005", "gone", "food")]
        update_run(made.parent, out, interactions(rows))
    with pytest.raises(DataError, match="column domain: 'toys' is not a domain of this run"):
        update_run(made.parent, out, items=items([("x", "toys", "a toy", "")]))
    assert not out.exists()
    of_bundle = update.read_bundle
    monkeypatch.setattr(update, "read_bundle", lambda run: replace(of_bundle(run), templates=False))
    with pytest.raises(RunError, match="a vector per user, which only training gives"):
        update_run(made.parent, out, interactions())


def test_advice_comes_where_it_was_measured_to_pay() -> None:
    assert not advice({"a": {"interactions": RETRAIN_AT - 0.01}, "b": {"interactions": 0.0}})
    assert "in 'b'" in advice({"a": {"interactions": 0.0}, "b": {"interactions": RETRAIN_AT}})
