"""A score taken apart adds up, for users and items of every kind, and means what it says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from micrec_core.method.explanation import split_by_source
from micrec_core.method.taken import Taken, taken_elsewhere
from tests.serving.conftest import remembered

SENTENCES = ("dark roast coffee", "blue striped bowl", "organic noodles", "zzz unknown words")


def random_user(rec, generator, kind: str, domain: str, pictures):
    """A user of the kind that is asked for, as far as the domain goes."""
    d = rec.domains.index(domain)
    other = rec.domains[1 - d]

    def likes(name: str) -> dict[str, list[str]]:
        part = rec.bundle.domains[rec.domains.index(name)]
        n = int(generator.integers(1, 12))
        return {name: [str(i) for i in generator.choice(part.item_ids, n, replace=False)]}

    if kind == "hot":
        return rec.user(id=str(generator.choice(rec.user_ids(domain))))
    if kind == "hot, changed":
        return rec.user(id=str(generator.choice(rec.user_ids(domain))), likes=likes(domain))
    if kind == "warm":
        return rec.user(likes=likes(domain))
    if kind == "warm in both":
        return rec.user(likes=likes(domain) | likes(other))
    if kind == "cold":
        return rec.user(likes=likes(other))
    if kind == "text":
        return rec.user(text=str(generator.choice(SENTENCES)))
    if kind == "image":
        return rec.user(image=pictures[int(generator.integers(len(pictures)))])
    if kind == "everything":
        return rec.user(likes=likes(domain), text=SENTENCES[1], image=pictures[0])
    return rec.user()


KINDS = (
    "hot", "hot, changed", "warm", "warm in both", "cold", "text", "image", "everything", "nothing"
)  # fmt: skip


@pytest.fixture(scope="session")
def pictures(world) -> list[bytes]:
    return [p.read_bytes() for p in sorted((world.dataset.root / "images").iterdir())[:12]]


def test_contributions_add_up_for_a_thousand_pairs_of_every_kind(trained, pictures) -> None:
    rec, generator = trained.recommender, np.random.default_rng(0)
    new_items = {
        name: [
            rec.new_item(name, text=SENTENCES[0]),
            rec.new_item(name, image=pictures[0]),
            rec.new_item(name, text=SENTENCES[1], users=list(rec.user_ids(name)[:3])),
        ]
        for name in rec.domains
    }
    seen: Counter[str] = Counter()
    for number in range(1000):
        kind = KINDS[number % len(KINDS)]
        domain = rec.domains[int(generator.integers(2))]
        user = random_user(rec, generator, kind, domain, pictures)
        part = rec.bundle.domains[rec.domains.index(domain)]
        if number % 4 == 0:
            item = new_items[domain][int(generator.integers(3))]
        else:
            item = str(generator.choice(part.item_ids))
        found = rec.explain(user, domain, item)
        # One inner product of whole embeddings, which knows nothing of parts.
        _, score, _ = rec.rank(user, domain, item)
        scale = max(abs(score), 1e-9)
        assert abs(found.score - score) <= 1e-4 * scale
        assert abs(found.table["contribution"].sum() - score) <= 1e-4 * scale
        assert abs(found.cells["contribution"].sum() - score) <= 1e-4 * scale
        by_source = found.table.groupby("source")["contribution"].sum()
        for source, value in found.parts.items():
            assert abs(by_source.get(source, 0.0) - value) <= 1e-4 * scale
        seen[kind + user.kind[domain]] += 1
    assert len(seen) >= len(KINDS)


@pytest.mark.parametrize(
    ("name", "without"),
    [("inmo", ()), ("lightgcn", ()), ("micrec", ("templates",)), ("micrec", ("cross-domain",))],
)
def test_contributions_add_up_in_variants(make_run, pictures, name, without) -> None:
    rec, generator = make_run(name, without).recommender, np.random.default_rng(1)
    for number in range(90):
        kind, domain = KINDS[number % len(KINDS)], rec.domains[number % 2]
        user = random_user(rec, generator, kind, domain, pictures)
        item = str(generator.choice(rec.bundle.domains[number % 2].item_ids))
        found = rec.explain(user, domain, item)
        _, score, _ = rec.rank(user, domain, item)
        assert abs(found.table["contribution"].sum() - score) <= 1e-4 * max(abs(score), 1e-9)


def test_the_score_of_a_training_user_is_the_trained_models(trained) -> None:
    rec, generator = trained.recommender, np.random.default_rng(2)
    for d, domain in enumerate(rec.domains):
        part = rec.bundle.domains[d]
        users, items = trained.encoded[d].users.numpy(), trained.encoded[d].items.numpy()
        trains = [part.train for part in trained.knowledge.domains]
        taken = Taken(trains[d], taken_elsewhere(trains, trained.knowledge.links, d))
        memory = remembered(trained.knowledge, d).scores(taken)
        for row in generator.choice(np.flatnonzero(part.user_degree > 0), 25, replace=False):
            user, item = rec.user(id=str(part.user_ids[row])), int(generator.integers(len(items)))
            score = float(users[row] @ items[item]) + memory[row, item]
            table = rec.explain(user, domain, str(part.item_ids[item])).table
            assert abs(table["contribution"].sum() - score) <= 1e-4 * max(abs(score), 1e-2)


def test_lists_show_the_same_parts_as_the_explanation(trained) -> None:
    rec = trained.recommender
    user = rec.user(id=str(rec.user_ids("food")[0]))
    for domain in rec.domains:
        items = rec.recommend(user, domain, k=20).items
        assert list(items.columns) == ["item_id", "title", "score", *rec.sources]
        np.testing.assert_allclose(items[list(rec.sources)].sum(axis=1), items["score"], rtol=1e-9)
        for row in items.itertuples():
            found = rec.explain(user, domain, row.item_id)
            assert found.score == pytest.approx(row.score, rel=1e-6)
            for source in rec.sources:
                assert found.parts[source] == pytest.approx(getattr(row, source), abs=1e-6)


def test_every_like_is_named_with_its_domain_and_title(trained) -> None:
    rec = trained.recommender
    likes = {
        part.name: [str(i) for i in part.item_ids[np.flatnonzero(part.item_degree > 2)[:3]]]
        for part in rec.bundle.domains
    }
    table = rec.explain(rec.user(likes=likes), "food", str(rec.bundle.domains[0].item_ids[5])).table
    mine = table[(table["side"] == "user") & (table["contributor_id"] != "")]
    for domain, ids in likes.items():
        assert set(ids) <= set(mine.loc[mine["domain"] == domain, "contributor_id"])
    assert (mine["title"] != "").all()
    crossing = table[table["source"] == "bridge"]
    assert set(crossing.loc[crossing["via"].str.contains("Kitchen"), "domain"]) >= {"kitchen"}
    ordered = table["contribution"].abs().to_numpy()
    assert (np.diff(ordered) <= 1e-12).all()


def test_a_cold_users_reasons_lead_back_to_the_other_domain(trained) -> None:
    rec = trained.recommender
    part = rec.bundle.domains[0]
    likes = [str(i) for i in part.item_ids[np.flatnonzero(part.item_degree > 2)[:4]]]
    user = rec.user(likes={"food": likes})
    table = rec.explain(user, "kitchen", str(rec.bundle.domains[1].item_ids[0])).table
    named = table[(table["side"] == "user") & (table["domain"] == "food")]
    assert set(likes) <= set(named["contributor_id"])
    assert set(named["source"]) == {"bridge", "memory"}
    paths = set(named["via"])
    assert {f"{m} of your item in Food, bridged" for m in ("text", "image")} <= paths
    both = table[table["via"].str.startswith("user of both")]
    assert set(both["contributor_id"]) <= set(rec.user_ids("food")) & set(rec.user_ids("kitchen"))
    assert len(both)


def test_equal_sides_share_the_credit() -> None:
    user = np.array([[1.0, 0.0], [0.0, 2.0]])
    items = np.array([[[3.0, 0.0], [0.0, 0.0]], [[0.0, 5.0], [0.0, 0.0]]], dtype=np.float32)
    parts = split_by_source(user, items)
    # First item: id meets id. Second: the user's second source meets the item's first.
    np.testing.assert_allclose(parts, [[3.0, 0.0], [5.0, 5.0]])
