"""Fold-in against the trained model and against the evaluation's own fold-in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from micrec_core.errors import RunError
from micrec_core.method.inductive import cold_users, encode, encode_by_source, fold_in_inputs
from micrec_core.method.search import Index
from micrec_core.serving.bundle import unpack
from micrec_core.serving.verify import check_against

VARIANTS = [
    ("micrec", ()),
    ("micrec", ("text",)),
    ("micrec", ("modality",)),
    ("micrec", ("cross-domain",)),
    ("micrec", ("templates",)),
    ("inmo", ()),
    ("lightgcn", ()),
]


@pytest.mark.parametrize(("name", "without"), VARIANTS)
def test_folding_in_a_training_user_reproduces_its_embedding(make_run, name, without) -> None:
    trained = make_run(name, without)
    rec = trained.recommender
    for d, domain in enumerate(rec.domains):
        part = rec.bundle.domains[d]
        rows = np.flatnonzero(part.user_degree > 0)
        assert list(rec.user_ids(domain)) == list(part.user_ids[rows])
        found = [rec.embedding(rec.user(id=i), domain) for i in part.user_ids[rows]]
        np.testing.assert_allclose(found, trained.encoded[d].users[rows].numpy(), atol=1e-5)


@pytest.mark.parametrize(("name", "without"), VARIANTS)
def test_item_tables_and_item_blocks_are_the_trained_embeddings(make_run, name, without) -> None:
    trained = make_run(name, without)
    fold = trained.recommender._fold
    for d, part in enumerate(trained.recommender.bundle.domains):
        items = trained.encoded[d].items.numpy()
        np.testing.assert_allclose(part.items, items, atol=1e-5)
        for row in range(0, len(items), 7):
            np.testing.assert_allclose(fold.item(d, row).vector(), items[row], atol=1e-5)


@pytest.mark.parametrize("name", ["micrec", "lightgcn"])
def test_new_users_are_folded_in_as_the_evaluation_does(make_run, name) -> None:
    trained = make_run(name)
    rec, split, dataset = trained.recommender, trained.world.split, trained.world.dataset
    supports = [
        part.new_user_support.matrix(domain.n_users, domain.n_items)
        for part, domain in zip(split.domains, dataset.domains, strict=True)
    ]
    inputs = fold_in_inputs(trained.knowledge, trained.inputs, supports)
    oracle = [encoded.users for encoded in encode(trained.model, inputs)]
    for d, (part, domain) in enumerate(zip(split.domains, dataset.domains, strict=True)):
        rows = [r for r in part.new_users if supports[d][r].nnz]
        assert len(rows) > 5
        for row in rows:
            ids = domain.item_ids[supports[d][row].indices]
            user = rec.user(likes={domain.name: ids})
            assert user.kind[domain.name] == "warm"
            np.testing.assert_allclose(
                rec.embedding(user, domain.name), oracle[d][row].numpy(), atol=1e-5
            )


@pytest.mark.parametrize(("name", "without"), VARIANTS[:5])
def test_cold_users_are_folded_in_as_the_model_does(make_run, name, without) -> None:
    trained = make_run(name, without)
    rec, dataset = trained.recommender, trained.world.dataset
    for target, part in enumerate(trained.world.split.domains):
        source = 1 - target
        here = part.cold_users
        ids = dataset.domains[target].user_ids[here]
        there = np.searchsorted(dataset.domains[source].user_ids.astype(str), ids.astype(str))
        assert len(here) > 3
        oracle = cold_users(
            trained.model, trained.knowledge, trained.inputs, trained.encoded, trained.bridges,
            (source, target), there,
        )  # fmt: skip
        name = rec.domains[target]
        for place, user_id in enumerate(ids):
            user = rec.user(id=str(user_id))
            assert user.kind[name] == "cold"
            np.testing.assert_allclose(rec.embedding(user, name), oracle[place], atol=1e-5)


def test_a_made_up_user_with_the_likes_of_a_cold_one_is_that_user(trained) -> None:
    rec = trained.recommender
    row = trained.world.split.domains[1].cold_users[0]
    user = rec.user(id=str(trained.world.dataset.domains[1].user_ids[row]))
    twin = rec.user(likes={"food": user.likes["food"]})
    assert twin.kind == {"food": "warm", "kitchen": "cold"}
    # Its own row is a neighbour now, in food and so (through the bridge) a little in kitchen.
    a, b = rec.embedding(user, "kitchen"), rec.embedding(twin, "kitchen")
    assert float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) > 0.9


@pytest.mark.parametrize("without", [(), ("image",)])
def test_new_items_get_what_the_model_gives_them(make_run, without) -> None:
    trained = make_run("micrec", without)
    rec = trained.recommender
    for d, domain in enumerate(trained.world.dataset.domains):
        rows = trained.world.split.domains[d].new_items
        with torch.no_grad():
            oracle = trained.model.new_items(d, trained.encoded, trained.inputs.domains[d].items)
        for row in rows[:10]:
            text = f"{domain.titles[row]}\n{domain.descriptions[row]}".strip()
            features = trained.world.features.matrices["text"][d]
            image = domain.images[row] if "image" in rec.modalities else ""
            if not features.present[row] and not image:
                continue
            item = rec.new_item(
                domain.name,
                text=text if features.present[row] else None,
                image=trained.world.dataset.root / image if image else None,
            )
            np.testing.assert_allclose(item.vector, oracle[row].numpy(), atol=2e-5)
            np.testing.assert_allclose(item.vector, rec.bundle.domains[d].items[row], atol=2e-5)


@pytest.mark.parametrize(("name", "without"), [("inmo", ()), ("micrec", ("modality",))])
def test_an_item_given_its_users_gets_its_trained_embedding(make_run, name, without) -> None:
    trained = make_run(name, without)
    rec = trained.recommender
    part = rec.bundle.domains[0]
    columns = part.train.tocsc()
    for row in np.flatnonzero(part.item_degree > 0)[:20]:
        users = part.user_ids[columns.indices[columns.indptr[row] : columns.indptr[row + 1]]]
        item = rec.new_item("food", users=users)
        # What was learned of the item itself is all that a new one lacks.
        learned = part.own_template * part.item_templates[row] / (rec.bundle.layers + 1)
        wanted = trained.encoded[0].items[row].numpy()
        np.testing.assert_allclose(item.vector + learned, wanted, atol=1e-5)
        assert np.abs(learned).max() > 0 if name == "micrec" else not learned.any()


def test_searching_anew_finds_the_neighbours_of_training(trained) -> None:
    rec = trained.recommender
    for d, part in enumerate(rec.bundle.domains):
        for m, kept in part.modalities.items():
            for row in np.flatnonzero(part.user_degree > 0)[:40]:
                user = rec.user(id=str(part.user_ids[row]))
                profile = rec._fold.user(user, d).profiles[m]
                index = Index(kept.user_space)
                _, cosines = index.nearest(profile.query.as_profile(), rec.bundle.k, without=row)
                known = kept.user_neighbours.similarity[row]
                np.testing.assert_allclose(cosines, known[known > 0], atol=1e-5)


def test_a_document_beside_likes_counts_as_one_more_item(trained) -> None:
    rec = trained.recommender
    part = rec.bundle.domains[0]
    row = int(np.flatnonzero(part.modalities["text"].features.present & (part.item_degree > 0))[0])
    likes = {"food": [str(part.item_ids[row])]}
    plain, more = rec.user(likes=likes), rec.user(likes=likes, text=part.titles[row])
    a, b = (rec._fold.user(u, 0).profiles["text"] for u in (plain, more))
    assert sum(e.count for e in b.evidence) == sum(e.count for e in a.evidence) + 1
    assert a.coherence == 0 and b.coherence > 0.1
    assert not np.allclose(rec.embedding(plain, "food"), rec.embedding(more, "food"))


def test_a_bundle_that_does_not_reproduce_the_model_is_not_written(trained) -> None:
    bundle = trained.recommender.bundle
    encoded = encode_by_source(trained.model, trained.inputs)
    check_against(bundle, encoded)
    wrong = [replace(e, users=e.users + 0.01) for e in encoded]
    with pytest.raises(RunError, match="users of 'food'"):
        check_against(bundle, wrong)
    with pytest.raises(RunError, match="items of 'food'"):
        check_against(bundle, [replace(e, items=e.items + 0.01) for e in encoded])
    with pytest.raises(RunError, match="users of 'food'"):
        check_against(replace(bundle, alpha=bundle.alpha + 0.1), encoded)


def test_unpacking_refuses_what_does_not_fit(trained) -> None:
    run = trained.run
    about, ids = run.json("serving.json"), run.frame("serving_ids.parquet")
    with pytest.raises(ValueError, match="as many"):
        unpack(
            run.tensors("model.safetensors"),
            run.tensors("serving.safetensors"),
            about,
            ids[1:],
            run.json("serving_encoders.json"),
        )
