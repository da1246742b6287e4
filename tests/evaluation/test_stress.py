"""What each stress takes away, counted: nested shares, tests untouched, nothing leaked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from micrec_core.data.types import Dataset, Split, shared_rows
from micrec_core.errors import ConfigError
from micrec_core.evaluation.leaks import require_disjoint
from micrec_core.evaluation.questions import questions
from micrec_core.evaluation.stress import (
    Stress,
    bare_items,
    kept,
    plan_stresses,
    strangers,
    thinned,
    without_features,
)
from micrec_core.training.prepare import knowledge_of
from tests.method.worlds import NEIGHBOURS, World, small


@pytest.fixture(scope="module")
def world() -> World:
    return small()


def pairs(edges) -> set[tuple[int, int]]:
    return set(zip(edges.user.tolist(), edges.item.tolist()))


def overlapping(dataset: Dataset, split: Split) -> set[str]:
    """Ids with train interactions in both domains, the plain way."""
    a, b = (
        {d.user_ids[u] for u in p.train.user}
        for d, p in zip(dataset.domains, split.domains, strict=True)
    )
    return a & b


def test_shares_of_interactions_are_nested_and_every_user_keeps_one(world: World) -> None:
    dataset, split = world.dataset, world.split
    n, users = len(split.domains[0].train), set(split.domains[0].train.user)
    masks = {s: kept(dataset, split, "d0", s) for s in (0.05, 0.25, 0.5, 0.75, 1.0)}
    for small_one, large in zip(list(masks), list(masks)[1:]):
        assert (masks[small_one] <= masks[large]).all()
    for share in (0.5, 0.75, 1.0):
        assert masks[share].sum() == np.floor(share * n + 0.5)
    assert masks[0.05].sum() == len(users) > 0.05 * n
    assert set(split.domains[0].train.user[masks[0.05]]) == users
    assert (kept(dataset, split, "d0", 0.5) == masks[0.5]).all()
    other = replace(split, seed=1)
    assert (kept(dataset, other, "d0", 0.5) != masks[0.5]).any()


def test_thinning_leaves_all_but_the_target_s_train_interactions(world: World) -> None:
    left = thinned(world.dataset, world.split, "d1", 0.25)
    assert left.domains[0] is world.split.domains[0]
    before, now = world.split.domains[1], left.domains[1]
    assert pairs(now.train) < pairs(before.train)
    for part in ("valid", "test", "new_user_test", "new_item_test", "cold_test"):
        assert getattr(now, part) is getattr(before, part)
    require_disjoint(world.dataset, left)


def test_the_draw_goes_by_ids_and_not_by_rows(world: World) -> None:
    domain, part = world.dataset.domains[0], world.split.domains[0]
    items = np.random.default_rng(5).permutation(domain.n_items)
    mixed = np.random.default_rng(6).permutation(len(part.train))
    train = replace(part.train, item=items.astype(np.int32)[part.train.item])[mixed]
    moved = replace(domain, item_ids=domain.item_ids[np.argsort(items)])
    dataset = replace(world.dataset, domains=(moved, world.dataset.domains[1]))
    split = replace(world.split, domains=(replace(part, train=train), world.split.domains[1]))

    def ids(where: Dataset, what: Split) -> set[tuple[str, str]]:
        edges = thinned(where, what, "d0", 0.4).domains[0].train
        d = where.domains[0]
        return {(d.user_ids[u], d.item_ids[i]) for u, i in pairs(edges)}

    assert ids(world.dataset, world.split) == ids(dataset, split)
    bare, after = bare_items(domain, 0.3, 0), bare_items(moved, 0.3, 0)
    assert set(domain.item_ids[bare]) == set(moved.item_ids[after])


def test_a_share_of_items_shows_nothing_and_the_rest_all_it_did(world: World) -> None:
    features = world.features
    quarter, half = (bare_items(world.dataset.domains[0], s, 0) for s in (0.25, 0.5))
    assert quarter.sum() == 10 and half.sum() == 20 and (quarter <= half).all()
    left = without_features(world.dataset, world.split, features, ("text",), 0.25)
    assert left.matrices["image"] is features.matrices["image"]
    text, before = left.matrices["text"][0], features.matrices["text"][0]
    assert not text.present[quarter].any() and not text.dense[quarter].any()
    assert text.sparse is not None and text.sparse[quarter].nnz == 0
    assert (text.present[~quarter] == before.present[~quarter]).all()
    assert (text.dense[~quarter] == before.dense[~quarter]).all()
    assert abs(text.sparse[~quarter] - before.sparse[~quarter]).nnz == 0
    both = Stress("missing", 0.25, "all").apply(world.dataset, world.split, features)[2]
    for matrices in both.matrices.values():
        assert not matrices[0].present[quarter].any()


def test_a_modality_that_nobody_has_is_gone(world: World) -> None:
    def left(what: str) -> tuple[str, ...]:
        stress = Stress("missing", 1.0, what)
        return stress.apply(world.dataset, world.split, world.features)[2].modalities

    assert left("text") == ("image",) and left("image") == ("text",) and left("all") == ()


def test_strangers_share_no_id_and_nobody_else_changes(world: World) -> None:
    dataset, split = world.dataset, world.split
    both = overlapping(dataset, split)
    known = [overlapping(strangers(dataset, split, s), split) for s in (0.0, 0.25, 0.5, 1.0)]
    assert known[0] == set() and known[-1] == both
    assert known[1] < known[2] < both
    assert len(known[1]) == np.floor(0.25 * len(both) + 0.5)
    apart = strangers(dataset, split, 0.0)
    assert (apart.domains[0].user_ids == dataset.domains[0].user_ids).all()
    here, before = apart.domains[1].user_ids, dataset.domains[1].user_ids
    assert set(before[here != before]) == both
    assert len(set(here)) == len(here) and list(here) == sorted(here)
    cold = dataset.domains[1].user_ids[split.domains[1].cold_users]
    assert len(cold) and set(cold) <= set(here)


def test_without_known_people_there_are_no_links(world: World) -> None:
    apart = strangers(world.dataset, world.split, 0.0)
    whole, none = (
        knowledge_of(d, world.split, world.features, ("text",), NEIGHBOURS)
        for d in (world.dataset, apart)
    )
    assert all(len(rows) for rows, _ in whole.links.values())
    assert not any(len(rows) for rows, _ in none.links.values())
    alone = world.knowledge(("text",), replace(NEIGHBOURS, cross_profile=False))
    for a, b in zip(none.domains, alone.domains, strict=True):
        assert (a.profiles["text"].content == b.profiles["text"].content).all()
    rows = shared_rows(*(d.user_ids for d in strangers(world.dataset, world.split, 1.0).domains))
    expected = shared_rows(*(d.user_ids for d in world.dataset.domains))
    assert all((a == b).all() for a, b in zip(rows, expected))


def test_plans_leave_out_what_takes_nothing_away(world: World) -> None:
    def plan(*protocols: str, shares: tuple[float, ...] = ()) -> list[Stress]:
        return plan_stresses(
            world.dataset, world.split, world.features.modalities, protocols, shares
        )

    assert plan("overlap", shares=(1.0, 0.5)) == [Stress("overlap", 0.5)]
    assert plan("missing", shares=(0.0, 0.5)) == [
        Stress("missing", 0.5, what) for what in ("text", "image", "all")
    ]
    # Below one interaction a user there is nothing less to train on.
    assert [s.share for s in plan("sparsity", shares=(1, 0.5, 0.02, 0.01)) if s.what == "d0"] == [
        0.5, 0.02,
    ]  # fmt: skip
    assert {s.what for s in plan("sparsity")} == {"d0", "d1"}
    with pytest.raises(ConfigError, match="no protocol 'known' that trains on less"):
        plan("known")
    with pytest.raises(ConfigError, match="a share is 20"):
        plan("missing", shares=(20.0,))
    with pytest.raises(ConfigError, match="share of 0"):
        plan("sparsity", shares=(0.0,))


def test_what_is_asked_is_of_the_whole_split(world: World) -> None:
    """The pipeline asks the questions of the whole; here: none of its users was thinned away."""
    asked = [q for q in questions(world.dataset, world.split) if q.protocol == "known"]
    left = thinned(world.dataset, world.split, "d0", 0.05)
    trained = set(left.domains[0].train.user)
    assert set(asked[0].users) <= trained
