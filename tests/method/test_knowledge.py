"""What training is given: neighbours, links and sides, from train interactions alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from micrec_core.data.types import Edges, Split
from micrec_core.method import inputs as inputs_module
from micrec_core.method.inductive import alone_side
from micrec_core.method.inputs import model_inputs
from micrec_core.method.knowledge import Knowledge
from tests.method import oracle, worlds

MODALITIES = ("text", "image")


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.tiny()


@pytest.fixture(scope="module")
def inputs(world):
    return model_inputs(world.knowledge())


def matrix(graph, n: int) -> np.ndarray:
    return (graph @ torch.eye(n)).numpy()


@pytest.mark.parametrize("m", MODALITIES)
@pytest.mark.parametrize("d", [0, 1])
def test_neighbours_equal_the_oracle(world, inputs, m, d) -> None:
    for side, wanted in (
        (inputs.domains[d].users, oracle.user_side(world, d, (m,))),
        (inputs.domains[d].items, oracle.item_side(world, d, (m,))),
    ):
        found = matrix(side.neighbours[m], len(side))
        np.testing.assert_allclose(found, wanted.neighbours[m], atol=1e-5)
        assert not found.diagonal().any(), "nobody is its own neighbour"
        assert not found[:, wanted.degree == 0].any(), "only what was trained lends"
        there = found.sum(1)
        np.testing.assert_allclose(there[there > 0], 1, atol=1e-5)
        assert not found[~wanted.has[m]].any() and not found[:, ~wanted.has[m]].any()


def test_density_equals_the_oracle(world) -> None:
    knowledge = world.knowledge()
    for d in (0, 1):
        for m in MODALITIES:
            wanted = oracle.item_side(world, d, (m,)).statistic[m]
            found = knowledge.domains[d].item_neighbours[m].density()
            np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_links_join_the_same_ids_with_train_interactions_in_both(world, inputs) -> None:
    for link in inputs.links:
        source, target = (world.dataset.domains[d] for d in (link.source, link.target))
        there, here = source.user_ids[link.source_rows], target.user_ids[link.target_rows]
        assert np.array_equal(there, here)
        pairs = zip(link.source_rows.tolist(), link.target_rows.tolist(), strict=True)
        assert list(pairs) == oracle.overlap(world, link.source, link.target)


@pytest.mark.parametrize("d", [0, 1])
def test_users_alone_bring_nothing_from_the_other_domain(world, d) -> None:
    rows = np.array([r for r, _ in oracle.overlap(world, d, 1 - d)])
    found = alone_side(world.knowledge(), d, rows, "cpu")
    wanted = oracle.alone_side(world, d, list(rows), MODALITIES)
    assert np.array_equal(found.degree, wanted.degree)
    for k, m in enumerate(MODALITIES):
        np.testing.assert_allclose(found.content[m], wanted.content[m], atol=1e-5)
        assert np.array_equal(found.has[:, k], wanted.has[m])
        lent = matrix(found.neighbours[m], world.dataset.domains[d].n_users)
        np.testing.assert_allclose(lent, wanted.neighbours[m], atol=1e-5)
        assert not lent[np.arange(len(rows)), rows].any(), "nobody is its own neighbour"
        np.testing.assert_allclose(found.signals[:, k], wanted.signals(m), rtol=1e-4, atol=1e-4)


def equal(a: Knowledge, b: Knowledge) -> bool:
    x, y = model_inputs(a), model_inputs(b)
    sides = [
        (p, q)
        for e, f in zip(x.domains, y.domains, strict=True)
        for p, q in ((e.users, f.users), (e.items, f.items))
    ]
    return all(
        torch.equal(p.signals, q.signals)
        and torch.equal(p.degree, q.degree)
        and torch.equal(p.has, q.has)
        and all(torch.equal(p.content[m], q.content[m]) for m in MODALITIES)
        and all(
            (p.neighbours[m].matrix != q.neighbours[m].matrix).nnz == 0 for m in MODALITIES
        )
        for p, q in sides
    )  # fmt: skip


def test_nothing_but_train_interactions_is_looked_at() -> None:
    world = worlds.small(kind="inductive")
    before, rng = world.knowledge(), np.random.default_rng(0)
    parts = []
    for domain, part in zip(world.dataset.domains, world.split.domains, strict=True):
        wrong = Edges(
            rng.integers(domain.n_users, size=30).astype(np.int32),
            rng.integers(domain.n_items, size=30).astype(np.int32),
        )
        hidden = (
            "valid",
            "test",
            "new_user_support",
            "new_user_test",
            "new_item_test",
            "cold_test",
        )
        parts.append(replace(part, **dict.fromkeys(hidden, wrong)))
    changed = replace(world, split=Split("inductive", 0, tuple(parts)))
    assert equal(before, changed.knowledge())
    part = parts[0]
    fewer = replace(changed, split=Split("", 0, (replace(part, train=part.train[1:]), parts[1])))
    assert not equal(before, fewer.knowledge()), "and the comparison is not blind"


def test_withheld_entities_lend_to_nobody() -> None:
    world = worlds.small(kind="inductive")
    knowledge = world.knowledge()
    for part, known in zip(world.split.domains, knowledge.domains, strict=True):
        assert len(part.new_items) and len(part.new_users) and len(part.cold_users)
        assert not known.item_degree[part.new_items].any()
        for m in MODALITIES:
            items, users = known.item_neighbours[m].rows, known.user_neighbours[m].rows
            assert not np.isin(items, part.new_items).any()
            assert not np.isin(users, np.r_[part.new_users, part.cold_users]).any()


def test_a_modality_that_a_domain_lacks_is_empty_there() -> None:
    world = worlds.small()
    inputs = model_inputs(world.knowledge())
    items, users = inputs.domains[1].items, inputs.domains[1].users
    image = MODALITIES.index("image")
    assert not items.has[:, image].any() and not items.neighbours["image"].matrix.nnz
    assert users.has[:, image].any(), "users of both domains bring their images along"
    for side in (items, users):
        assert torch.isfinite(side.signals).all() and torch.isfinite(side.unseen).all()


@pytest.mark.parametrize("without", [[], ["cross-domain"]])
def test_what_is_projected_of_items_sums_up_to_what_is_projected_of_users(
    world, without, monkeypatch
) -> None:
    """Profiles hold items of both domains, or of one; the shorter way gives the same."""
    found = []
    for columns in (0, 10**6):
        monkeypatch.setattr(inputs_module, "COLUMNS_AN_ENTRY", columns)
        model, inputs = world.build(without=without)
        for domain in inputs.domains:
            assert set(domain.users.sums) == (set() if columns else set(inputs.modalities))
        projected, _ = model._projected(inputs)
        found.append([one for of_users in projected for one in of_users])
    for one, other in zip(*found, strict=True):
        assert other.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
