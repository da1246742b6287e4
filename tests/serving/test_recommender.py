"""The recommender's promises: who is served what, notes, proofs, refusals."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from micrec_core.bundled import SAMPLE_DATA
from micrec_core.config import ModelSettings
from micrec_core.errors import ConfigError, DataError, RunError
from micrec_core.runs import RunWriter, open_run
from micrec_core.serving import Recommender
from micrec_core.training.build import build_any


def liked(rec, domain: str, n: int = 4) -> dict[str, list[str]]:
    part = rec.bundle.domains[rec.domains.index(domain)]
    return {domain: [str(i) for i in part.item_ids[np.flatnonzero(part.item_degree > 2)[:n]]]}


def test_opening_is_quick_and_needs_no_dataset(trained) -> None:
    Recommender.open(trained.run)
    started = time.perf_counter()
    rec = Recommender.open(trained.run)
    assert time.perf_counter() - started < 1.0
    assert rec.domains == ("food", "kitchen") and rec.modalities == ("text", "image")
    assert rec.sources == ("id", "text", "image", "bridge", "memory")
    assert rec.n_parameters == sum(p.numel() for p in trained.model.parameters())


def test_no_list_is_compared_by_content_where_that_has_no_weight(trained) -> None:
    bundle = trained.recommender.bundle
    assert all(held.likeness is not None for held in bundle.remembered)
    memory = tuple(
        (replace(constants, similar=0.0, similar_new=0.0, similar_elsewhere=0.0), *rest)
        for constants, *rest in bundle.memory
    )
    plain = replace(bundle, memory=memory).remembered
    assert all(held.likeness is None for held in plain)


def test_nothing_changes_a_parameter(trained, world) -> None:
    rec = trained.recommender
    before = rec.parameter_hash()
    picture = next((world.dataset.root / "images").iterdir()).read_bytes()
    user = rec.user(likes=liked(rec, "food"), text="dark roast coffee", image=picture)
    for domain in rec.domains:
        answer = rec.recommend(user, domain)
        rec.explain(user, domain, answer.items["item_id"][0])
        rec.steps(user, domain)
        rec.new_item(domain, text="a blue bowl", users=list(rec.user_ids(domain)[:2]))
    assert rec.parameter_hash() == before == Recommender.open(trained.run).parameter_hash()
    bundle = rec.bundle
    bundle.domains[0].any_user[0] += 1
    assert rec.parameter_hash() != before
    bundle.domains[0].any_user[0] -= 1


def test_lists_leave_out_what_is_liked_or_excluded(trained) -> None:
    rec = trained.recommender
    user = rec.user(id=str(rec.user_ids("food")[3]))
    past = set(rec.history(user.id, "food")["item_id"])
    assert past == set(user.likes["food"]) and past
    first = rec.recommend(user, "food", k=5)
    assert first.kind == "hot" and first.milliseconds > 0 and first.note == ""
    ids = list(first.items["item_id"])
    assert not past & set(ids)
    rest = rec.recommend(user, "food", k=5, exclude=ids[:2]).items["item_id"]
    assert list(rest[:3]) == ids[2:]
    everything = rec.recommend(user, "food", k=10_000).items
    part = rec.bundle.domains[0]
    has = part.item_degree > 0
    for m in part.modalities.values():
        has = has | m.features.present
    assert len(everything) == has.sum() - len(past)
    assert everything["item_id"].is_unique
    new = trained.world.split.domains[0].new_items
    assert set(part.item_ids[new[has[new]]]) <= set(everything["item_id"])


def test_ranks_agree_with_lists(trained) -> None:
    rec = trained.recommender
    user = rec.user(likes=liked(rec, "food"))
    items = rec.recommend(user, "kitchen", k=10_000).items
    for place in (0, 3, len(items) - 1):
        rank, score, of = rec.rank(user, "kitchen", items["item_id"][place])
        assert (rank, of) == (place + 1, len(items))
        assert score == pytest.approx(items["score"][place], rel=1e-4, abs=1e-6)
    item = rec.new_item("kitchen", text="a blue striped bowl")
    rank, score, of = rec.rank(user, "kitchen", item)
    assert of == len(items) + 1 and rank == 1 + (items["score"] >= score).sum()


def test_kinds_and_notes(trained) -> None:
    rec = trained.recommender
    nobody = rec.user()
    assert nobody.kind == {"food": "cold", "kitchen": "cold"}
    answer = rec.recommend(nobody, "food", k=6)
    assert answer.kind == "cold" and "most popular" in answer.note
    assert list(answer.items["item_id"]) == list(rec.baselines.popular("food", 6)["item_id"])
    assert "most popular" in rec.explain(nobody, "food", answer.items["item_id"][0]).note
    assert len(rec.steps(nobody, "food")) == 2
    told = rec.user(text="dark roast coffee")
    assert told.kind == {"food": "warm", "kitchen": "warm"}
    assert rec.recommend(told, "food").note == ""
    puzzled = rec.user(text="zzzzzz qqqqq")
    assert puzzled.kind["food"] == "cold" and "known to the encoder" in puzzled.notes[0]
    one = rec.user(likes=liked(rec, "food"))
    assert one.kind == {"food": "warm", "kitchen": "cold"}
    assert rec.recommend(one, "kitchen").note == ""


def test_text_and_picture_change_what_is_shown(trained, world) -> None:
    rec = trained.recommender
    a = rec.user(text="green tea leaves from japan")
    b = rec.user(text="chocolate biscuits")
    lists = [tuple(rec.recommend(u, "food").items["item_id"]) for u in (a, b)]
    assert lists[0] != lists[1]
    paths = sorted((world.dataset.root / "images").iterdir())
    by_bytes = rec.embedding(rec.user(image=paths[0].read_bytes()), "food")
    np.testing.assert_array_equal(by_bytes, rec.embedding(rec.user(image=paths[0]), "food"))
    assert not np.allclose(by_bytes, rec.embedding(rec.user(image=paths[5]), "food"))


def test_taking_a_like_back_is_computed_anew(trained) -> None:
    rec = trained.recommender
    ids = liked(rec, "food", 5)["food"]
    user = rec.user(likes={"food": ids})
    less = rec.without(user, "food", ids[2])
    same = rec.user(likes={"food": [i for i in ids if i != ids[2]]})
    np.testing.assert_array_equal(rec.embedding(less, "food"), rec.embedding(same, "food"))
    known = rec.user(id=str(rec.user_ids("food")[0]))
    changed = rec.without(known, "food", known.likes["food"][0])
    assert known.kind["food"] == "hot" and changed.kind["food"] != "hot"
    back = rec.user(id=known.id, likes={"food": known.likes["food"]})
    assert back.kind["food"] == "hot"


def test_likes_come_on_top_of_the_history(trained) -> None:
    rec = trained.recommender
    known = rec.user(id=str(rec.user_ids("kitchen")[0]))
    extra = next(i for i in liked(rec, "kitchen", 30)["kitchen"] if i not in known.likes["kitchen"])
    more = rec.user(id=known.id, likes={"kitchen": [extra]})
    assert set(more.likes["kitchen"]) == {*known.likes["kitchen"], extra}
    assert more.kind["kitchen"] == "warm"


def test_a_model_of_vectors_per_user_goes_by_likes(make_run) -> None:
    """The list that is measured of it on new users: see test_foldin.py for the vector."""
    rec = make_run("lightgcn").recommender
    user = rec.user(likes=liked(rec, "food"), text="coffee")
    answer = rec.recommend(user, "food", k=4)
    assert answer.kind == "warm" and "no text" in answer.note
    part = rec.bundle.domains[0]
    scores = pd.Series(part.items @ rec.embedding(user, "food"), part.item_ids)
    scores = scores[part.item_degree > 0].drop(list(user.likes["food"]))
    assert list(answer.items["item_id"]) == list(scores.nlargest(4).index)
    nobody = rec.recommend(user, "kitchen", k=4)
    assert nobody.kind == "cold" and "Nothing is known about this user here" in nobody.note
    assert list(nobody.items["item_id"]) == list(rec.baselines.popular("kitchen", 4)["item_id"])
    known = rec.user(id=str(rec.user_ids("food")[0]))
    assert rec.recommend(known, "food").note == ""
    with pytest.raises(RunError, match="nothing this run's model can go by"):
        rec.new_item("food", text="coffee")
    assert np.abs(rec.new_item("food", users=[known.id]).vector).max() > 0


def test_inmo_serves_anyone_with_likes_and_nobody_from_elsewhere(make_run) -> None:
    rec = make_run("inmo").recommender
    user = rec.user(likes=liked(rec, "food"))
    assert rec.recommend(user, "food").note == ""
    assert list(rec.recommend(user, "food").items.columns) == ["item_id", "title", "score", "id"]
    assert "most popular" in rec.recommend(user, "kitchen").note
    assert rec.weights(user, "food") == {}
    with pytest.raises(RunError, match="goes by interactions alone"):
        rec.baselines.content_only(user, "food")


def test_without_text_a_sentence_counts_for_nothing(make_run) -> None:
    rec = make_run("micrec", ("text",)).recommender
    user = rec.user(text="coffee")
    assert user.kind["food"] == "cold" and "takes no text" in user.notes[0]
    assert set(rec.weights(rec.user(likes=liked(rec, "food")), "food")) == {"image"}


def test_weights_say_what_is_missing(trained) -> None:
    rec = trained.recommender
    told = rec.weights(rec.user(text="dark roast coffee"), "food")
    assert told["text"] > 0 and told["image"] == 0
    part = rec.bundle.domains[0]
    blind = np.flatnonzero(~part.modalities["image"].features.present)[0]
    assert rec.item_weights("food", str(part.item_ids[blind]))["image"] == 0


def test_similar_items_and_neighbours(trained) -> None:
    rec = trained.recommender
    part = rec.bundle.domains[0]
    row = int(np.flatnonzero(part.modalities["text"].features.present & (part.item_degree > 0))[0])
    item_id = str(part.item_ids[row])
    for modality in (None, "text", "image"):
        found = rec.similar("food", item_id, k=5, modality=modality)
        assert list(found.columns) == ["item_id", "title", "similarity"]
        assert item_id not in set(found["item_id"]) and len(found) <= 5
        assert (np.diff(found["similarity"]) <= 1e-6).all()
    near = rec.neighbours("food", item=item_id)
    kept = part.modalities["text"].item_neighbours
    ids = near.loc[near["modality"] == "text", "id"]
    assert list(ids) == list(part.item_ids[kept.rows[row][kept.rows[row] >= 0]])
    np.testing.assert_allclose(near.groupby("modality")["weight"].sum(), 1.0)
    twin = rec.new_item("food", text=part.titles[row])
    assert len(rec.similar("food", twin, modality="text")) and len(rec.similar("food", twin))
    user = rec.user(id=str(rec.user_ids("food")[0]))
    assert user.id not in set(rec.neighbours("food", user=user)["id"])
    assert not rec.similar("food", rec.new_item("food", text="tea"), modality="image").size
    with pytest.raises(RunError, match="no sound"):
        rec.similar("food", item_id, modality="sound")


def test_content_only_ranks_by_features(trained) -> None:
    rec = trained.recommender
    part = rec.bundle.domains[0]
    row = int(np.flatnonzero(part.modalities["text"].features.present)[0])
    found = rec.baselines.content_only(rec.user(text=part.titles[row]), "food", 5)
    assert part.titles[row] in set(found["title"])
    assert (np.diff(found["score"]) <= 1e-6).all()


def test_items_taken_together_are_listed_as_the_baseline_lists_them(trained) -> None:
    """By hand, and by ``bm25`` with room for every neighbour."""
    rec, likes = trained.recommender, liked(trained.recommender, "food")
    user = rec.user(likes=likes)
    found = rec.baselines.bought_together(user, "food", 8)
    settings = ModelSettings(name="bm25", options={"nearest": 1000})
    model = build_any(settings, trained.inputs, 0)
    model.solve(trained.knowledge)
    taken = []
    for part in rec.bundle.domains:
        rows = np.isin(part.item_ids, list(likes.get(part.name, ())))
        taken.append(csr_matrix(rows[None].astype(np.float32)))
    scores = np.where(taken[0].toarray()[0] > 0, -np.inf, model.scores(0, taken)[0])
    np.testing.assert_allclose(found["score"], np.sort(scores)[::-1][:8], rtol=1e-5)
    assert not set(found["item_id"]) & set(likes["food"])
    with pytest.raises(RunError, match="nothing was liked in this one"):
        rec.baselines.bought_together(user, "kitchen")


def test_steps_tell_the_way_from_likes_to_score(trained) -> None:
    rec = trained.recommender
    user = rec.user(likes=liked(rec, "food"), text="dark roast coffee")
    titles = [step.title for step in rec.steps(user, "food")]
    assert titles == [
        "What is known", "Templates", "Profile", "Neighbours", "Weights of the modalities",
        "Propagation", "Memory", "Score",
    ]  # fmt: skip
    cold = {step.title: step for step in rec.steps(rec.user(likes=liked(rec, "food")), "kitchen")}
    assert "From another domain" in cold and "Propagation: none" in cold
    *_, memory, score = rec.steps(user, "food")
    best = rec.recommend(user, "food", 1).items.iloc[0]
    assert score.table[list(rec.sources)].to_numpy().sum() == pytest.approx(best["score"])
    whole = rec.explain(user, "food", best["item_id"]).remembered
    assert whole["brings"].sum() == pytest.approx(best["memory"])
    pd.testing.assert_frame_equal(memory.table, whole.head(len(memory.table)))
    liked_items = set(rec.bundle.domains[0].titles[user.items[0]])
    # What everybody takes is due to none of them.
    assert set(whole["liked item"]) == {*liked_items, "none of them"}
    assert "What everybody takes here counts" in memory.text
    assert f"add {best['memory']:.3f} to the score" in memory.text
    assert "what everybody takes here" not in memory.text
    assert "what everybody takes here" in cold["Memory"].text


def test_equal_items_get_equal_scores_and_the_lower_row_first(make_run) -> None:
    rec = make_run("inmo").recommender
    part = rec.bundle.domains[0]
    user = rec.user(likes=liked(rec, "food"))
    scores = rec._scores(rec._fold.user(user, 0))
    unseen = np.flatnonzero(part.item_degree == 0)
    assert len(unseen) > 3 and len(set(scores[unseen].tolist())) == 1
    # Without content INMO has nothing to tell unseen items apart, so it does not list them.
    assert not set(part.item_ids[unseen]) & set(rec.recommend(user, "food", 999).items["item_id"])


def test_threads_get_the_same_answers(trained) -> None:
    rec = Recommender.open(trained.run)
    texts = ["dark roast coffee", "green tea", "blue bowl", "noodles"] * 6

    def ask(text: str) -> list[str]:
        user = rec.user(likes=liked(rec, "food"), text=text)
        return [i for d in rec.domains for i in rec.recommend(user, d).items["item_id"]]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, texts))
    assert together == [ask(text) for text in texts]


def test_what_is_not_known_is_refused_in_a_sentence(trained) -> None:
    rec = trained.recommender
    for wrong in (
        lambda: rec.user(id="nobody"),
        lambda: rec.user(likes={"food": ["no-such-item"]}),
        lambda: rec.user(likes={"garden": ["x"]}),
        lambda: rec.recommend(rec.user(), "garden"),
        lambda: rec.explain(rec.user(), "food", "no-such-item"),
        lambda: rec.new_item("food"),
        lambda: rec.new_item("food", text="tea", users=["nobody"]),
    ):
        with pytest.raises(RunError, match=r"^there is no"):
            wrong()
    with pytest.raises(ConfigError, match="1 or more"):
        rec.recommend(rec.user(), "food", k=0)
    with pytest.raises(DataError, match="not a picture"):
        rec.user(image=b"no picture")


def test_personas_come_along_with_known_items_only(trained) -> None:
    rec = trained.recommender
    assert len(rec.personas) == len(json.loads((SAMPLE_DATA / "personas.json").read_text())) == 8
    for person in trained.run.json("serving.json")["personas"]:
        assert person["name"] and person["sentence"]
        assert rec.recommend(rec.user(likes=person["likes"]), "food").note == ""


def test_runs_without_a_usable_bundle_are_refused(trained, tmp_path) -> None:
    writer = RunWriter(tmp_path / "bare", {})
    writer.finish()
    with pytest.raises(RunError, match="nothing to serve from"):
        Recommender.open(open_run(tmp_path / "bare"))
    about = trained.run.json("serving.json")
    for name, change in (("newer", {"version": 99}), ("torn", {"modalities": ["text", "sound"]})):
        writer = RunWriter(tmp_path / name, {})
        writer.write_json("serving.json", about | change)
        writer.write_json("serving_encoders.json", trained.run.json("serving_encoders.json"))
        writer.write_parquet("serving_ids.parquet", trained.run.frame("serving_ids.parquet"))
        for tensors in ("model.safetensors", "serving.safetensors"):
            writer.write_tensors(tensors, trained.run.tensors(tensors))
        writer.finish()
        with pytest.raises(RunError, match="version 99" if name == "newer" else "fit together"):
            Recommender.open(open_run(tmp_path / name))


def test_the_bundle_says_nothing_about_where_it_was_made(trained, world) -> None:
    text = json.dumps(trained.run.json("serving.json"))
    assert str(world.dataset.root) not in text


def test_everyones_lists_are_those_of_each(trained) -> None:
    rec = trained.recommender
    for domain in rec.domains:
        table = rec.recommend_all(domain, k=7)
        ids = rec.user_ids(domain)
        assert list(table["user_id"].unique()) == list(ids)
        for user_id in ids[::9]:
            found = table[table["user_id"] == user_id]
            alone = rec.recommend(rec.user(id=user_id), domain, k=7).items
            assert list(found["rank"]) == list(range(1, len(alone) + 1))
            assert list(found["item_id"]) == list(alone["item_id"])
            assert list(found["title"]) == list(alone["title"])
            np.testing.assert_allclose(found["score"], alone["score"], rtol=1e-4, atol=1e-5)


def test_embeddings_are_the_trained_ones(trained) -> None:
    rec = trained.recommender
    for d, domain in enumerate(rec.domains):
        ids, users = rec.embeddings("users", domain)
        assert list(ids) == list(rec.user_ids(domain))
        whole = trained.encoded[d].users.detach().numpy()
        kept = np.isin(rec.bundle.domains[d].user_ids, ids)
        np.testing.assert_allclose(users, whole[kept], rtol=1e-4, atol=1e-5)
        items, vectors = rec.embeddings("items", domain)
        assert vectors.shape == (len(items), users.shape[1])
    with pytest.raises(ConfigError, match="use 'users' or 'items'"):
        rec.embeddings("people", domain)
    with pytest.raises(ConfigError, match="give 1 or more"):
        rec.recommend_all(domain, k=0)
