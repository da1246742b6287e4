"""Who would get a new item: as if each person's list were made with it, only faster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from micrec_core.serving.plane import item_map

TEXT = "Slow Moroccan spice blend"


def test_the_audience_is_who_has_it_in_their_list(trained) -> None:
    rec = trained.recommender
    for d, domain in enumerate(rec.domains):
        item = rec.new_item(domain, text=TEXT)
        found = rec.audience(item, k=20)
        assert set(found["known_in"]) == set(rec.domains)
        assert found["gets"].any() and not found["gets"].all()
        for group, rows in found.groupby("known_in"):
            for row in rows.iloc[:: max(len(rows) // 8, 1)].itertuples():
                user = rec.user(id=row.user_id)
                place, score, _ = rec.rank(user, domain, item)
                assert row.score == pytest.approx(score, rel=1e-4, abs=1e-5)
                assert row.gets == (place <= 20)
                history = rec.history(row.user_id, str(group))
                assert row.degree == len(history)
        here = rec.bundle.domains[d].user_degree > 0
        assert rec.crowds(domain)[0].of == here.sum()


def test_other_words_reach_other_people(trained) -> None:
    rec = trained.recommender
    domain = rec.domains[0]
    one, other = (rec.audience(rec.new_item(domain, text=t)) for t in (TEXT, "chocolate bar"))
    assert set(one["user_id"]) == set(other["user_id"])
    assert (one["needed"] == other["needed"]).all()
    assert not np.allclose(one["score"], other["score"])


def test_an_item_of_the_catalogue_said_again_has_its_content_rank(trained) -> None:
    """By content alone a new item with an old one's words stands right behind it."""
    rec, data = trained.recommender, trained.world.dataset
    domain, user = rec.domains[0], rec.user(id=str(rec.user_ids(rec.domains[0])[2]))
    part = data.domains[0]
    taken = set(user.likes[domain])
    row = next(
        i for i in range(part.n_items)
        if part.titles[i] and not part.images[i] and part.item_ids[i] not in taken
    )  # fmt: skip
    words = "\n".join(x for x in (part.titles[row], part.descriptions[row]) if x)
    item = rec.new_item(domain, text=words)
    listed = rec.baselines.content_only(user, domain, part.n_items)
    old = 1 + list(listed["item_id"]).index(part.item_ids[row])
    place, total = rec.baselines.rank_by_content(user, domain, item)
    ties = int(np.isclose(listed["score"], listed["score"].iloc[old - 1], atol=1e-6).sum())
    assert old <= place <= old + ties + 1
    assert total == len(listed) + 1 or total <= part.n_items + 1


def test_items_have_places_and_a_new_one_the_same_way(trained) -> None:
    rec = trained.recommender
    drawn = rec.item_map(rec.domains[0])
    assert 0 < drawn.share <= 1
    ids, vectors = rec.embeddings("items", rec.domains[0])
    row = drawn.frame.iloc[4]
    vector = vectors[list(ids).index(row["item_id"])]
    assert drawn.place(vector) == pytest.approx((row["x"], row["y"]), abs=1e-5)
    variances = drawn.frame[["x", "y"]].var()
    assert variances["x"] >= variances["y"]


def test_items_of_both_domains_lie_on_one_map(trained) -> None:
    rec = trained.recommender
    drawn = rec.item_map(*rec.domains)
    assert list(drawn.frame["domain"].unique()) == list(rec.domains)
    assert (
        len(drawn.unit) == len(drawn.frame) == sum(len(rec.item_map(d).frame) for d in rec.domains)
    )
    rows = np.array([0, len(drawn.frame) - 1])
    for row, other in zip(rows, drawn.across(rows), strict=True):
        elsewhere = (drawn.frame["domain"] != drawn.frame["domain"].iloc[row]).to_numpy()
        assert elsewhere[other]
        likeness = drawn.unit @ drawn.unit[row]
        assert likeness[other] == likeness[elsewhere].max()
    assert list(rec.item_map(rec.domains[0]).across(np.array([0]))) == [-1]


def test_groups_are_of_items_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    middles = np.eye(3, 8)
    vectors = np.repeat(middles, 40, axis=0) + rng.normal(scale=0.05, size=(120, 8))
    drawn = item_map(pd.DataFrame({"item_id": range(120)}), vectors.astype(np.float32))
    found = drawn.groups(3)
    assert len(set(found)) == 3
    assert all(len(set(found[at : at + 40])) == 1 for at in (0, 40, 80))
    assert set(drawn.groups(1)) == {0}


def test_what_people_took_is_told_by_column(trained) -> None:
    rec = trained.recommender
    domain = rec.domains[0]
    ids = [str(u) for u in rec.user_ids(domain)[:3]]
    took = rec.taken(domain, [ids[0], "nobody", ids[2]])
    assert took.shape == (3, len(rec.titles(domain))) and took[1].nnz == 0
    names, _ = rec.embeddings("items", domain)
    for row, user in ((0, ids[0]), (2, ids[2])):
        assert set(names[took[row].indices]) == set(rec.history(user, domain)["item_id"])
