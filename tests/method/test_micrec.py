"""The model against the dense oracle, stage by stage, and what must hold whatever the weights."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from micrec_core.graphs.bipartite import Dropout
from micrec_core.method.inductive import alone_users
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.training.build import clear_untrained
from tests.method import oracle, worlds

STAGES = (
    "template_users",
    "initial_users",
    "initial_items",
    "aggregated_users",
    "aggregated_items",
)
FINAL = ("users", "items")
MODALITIES = ("text", "image")


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.tiny()


@pytest.fixture(scope="module")
def built(world) -> tuple[MICRec, ModelInputs]:
    model, inputs = world.build(dim=6, layers=2)
    worlds.shake(model)
    clear_untrained(model, inputs)
    return model, inputs


@pytest.fixture(scope="module")
def encoded(built) -> list[Encoded]:
    model, inputs = built
    with torch.no_grad():
        return model(inputs)


def state_of(model: MICRec) -> dict[str, NDArray[np.float64]]:
    return {k: v.double().numpy() for k, v in model.state_dict().items()}


@pytest.fixture(scope="module")
def wanted(world, built) -> list[oracle.OracleDomain]:
    return oracle.encode(world, state_of(built[0]), layers=2)


def check(found: torch.Tensor, expected: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_the_world_has_the_awkward_cases(world) -> None:
    for d in range(2):
        taken = oracle.interactions(world, d)
        assert (taken.sum(1) == 0).sum() == 1 and (taken.sum(0) == 0).sum() == 1
        text, image = (world.features.matrices[m][d].present for m in MODALITIES)
        assert (~text & ~image).any() and (text & ~image).any() and (~text & image).any()
        assert not oracle.profile(world, d, "text", cross=False).has[0], "no item with a text"
    assert len(oracle.overlap(world, 0, 1)) >= 4


@pytest.mark.parametrize("stage", STAGES + FINAL)
@pytest.mark.parametrize("d", [0, 1])
def test_every_stage_equals_the_oracle(encoded, wanted, stage, d) -> None:
    check(getattr(encoded[d], stage), getattr(wanted[d], stage))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_other_depths_equal_the_oracle(world, layers) -> None:
    model, inputs = world.build(dim=4, layers=layers)
    worlds.shake(model)
    found, expected = model(inputs), oracle.encode(world, state_of(model), layers)
    for a, b in zip(found, expected, strict=True):
        check(a.users, b.users)
        check(a.items, b.items)


@pytest.mark.parametrize("without", ["text", "image"])
def test_one_modality_equals_the_oracle(world, without) -> None:
    model, inputs = world.build(dim=4, without=(without,))
    worlds.shake(model)
    left = tuple(m for m in MODALITIES if m != without)
    expected = oracle.encode(world, state_of(model), 2, left)
    for a, b in zip(model(inputs), expected, strict=True):
        check(a.users, b.users)
        check(a.items, b.items)


def test_inmo_configuration_equals_its_formula(world) -> None:
    model, inputs = world.build(name="inmo", dim=4, layers=3)
    worlds.shake(model)
    state = state_of(model)
    assert not [k for k in state if k.startswith(("project", "transfer", "bridge"))]
    assert not [k for k in state if k.endswith("own_template")]
    for d, found in enumerate(model(inputs)):
        p, taken = oracle.under(state, f"domains.{d}."), oracle.interactions(world, d)
        users = oracle.template(taken, p["items"], p["any_user"], 0.7)
        items = oracle.template(taken.T, p["users"], p["any_item"], 0.7)
        for a, b in zip(FINAL, oracle.propagate(taken, users, items, 3), strict=True):
            check(getattr(found, a), b)


def kept_apart(model: MICRec, inputs: ModelInputs) -> list[Encoded]:
    """Every stage, kept apart by source."""
    out = []
    for domain, e in zip(inputs.domains, model.embed(inputs, by_source=True), strict=True):
        users, items = model.propagate(e.aggregated_users, e.aggregated_items, domain)
        out.append(Encoded(**vars(e), users=users, items=items))
    return out


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"without": ("image",)}, {"without": ("cross-domain",)}, {"without": ("templates",)},
     {"name": "inmo"}, {"name": "lightgcn"}],
    ids=str,
)  # fmt: skip
def test_sources_add_up_at_every_stage(world, settings, layers) -> None:
    model, inputs = world.build(dim=6, layers=layers, **settings)
    worlds.shake(model)
    with torch.no_grad():
        found, parts = model(inputs), kept_apart(model, inputs)
    names = model.sources
    for d, (a, b) in enumerate(zip(found, parts, strict=True)):
        for stage in STAGES + FINAL:
            apart = getattr(b, stage)
            assert apart.shape[1:] == (len(names), 6)
            torch.testing.assert_close(apart.sum(1), getattr(a, stage), rtol=1e-5, atol=1e-5)
        means = model.layers(b.aggregated_users, b.aggregated_items, inputs.domains[d])
        items = torch.stack([of_items for _, of_items in means], 1)
        mean = torch.where(inputs.domains[d].items.degree > 0, 1 / (layers + 1), 1.0)
        torch.testing.assert_close(
            items.sum(1) * mean[:, None, None], b.items, atol=1e-5, rtol=1e-5
        )


def test_each_source_is_where_it_comes_from(world, built) -> None:
    """A source is what is gone without it, while the gates and the rest stay as they are."""
    model, inputs = built
    before, without = kept_apart(model, inputs), copy.deepcopy(model)
    assert model.sources == ("id", "text", "image", "bridge")
    for linear in without.transfer.values():
        linear.weight.data.zero_()
    for a, b in zip(before, kept_apart(without, inputs), strict=True):
        assert a.initial_users[:, 3].any() and not b.initial_users[:, 3].any()
        assert torch.equal(a.initial_users[:, :3], b.initial_users[:, :3])
        assert not a.initial_items[:, 1:].any(), "items' own embeddings come from interactions"
        assert not a.aggregated_items[:, 3].any() and a.items[:, 3].any()
    for d in range(len(inputs.domains)):
        without.domain(d).refine.data.zero_()
    for a, b in zip(before, kept_apart(without, inputs), strict=True):
        assert all(a.template_users[:, place].any() for place in range(3))
        assert not b.template_users[:, 1:].any()
        torch.testing.assert_close(a.template_users[:, 0], b.template_users[:, 0])


def test_an_entity_without_edges_keeps_its_embedding(encoded, world) -> None:
    for d, found in enumerate(encoded):
        taken = oracle.interactions(world, d)
        for alone, final, mixed in (
            (taken.sum(1) == 0, found.users, found.aggregated_users),
            (taken.sum(0) == 0, found.items, found.aggregated_items),
        ):
            assert torch.equal(final[alone], mixed[alone])
            assert not torch.equal(final[~alone], mixed[~alone])


def alone(world, model, inputs, encoded, d: int, rows: NDArray) -> torch.Tensor:
    return torch.from_numpy(alone_users(model, world.knowledge(), inputs, encoded, d, rows))


@pytest.mark.parametrize("d", [0, 1])
def test_users_alone_equal_the_oracle(world, built, encoded, wanted, d) -> None:
    model, inputs = built
    rows = np.array([3, 0, 8, 6])
    expected = oracle.alone_users(world, d, list(rows), state_of(model), wanted, 2, MODALITIES)
    check(alone(world, model, inputs, encoded, d, rows), expected)


@pytest.mark.parametrize("d", [0, 1])
def test_users_alone_are_what_they_are_unless_they_took_elsewhere(world, built, encoded, d) -> None:
    model, inputs = built
    there = [row for row, _ in oracle.overlap(world, d, 1 - d)]
    rows = np.arange(world.dataset.domains[d].n_users)
    found = alone(world, model, inputs, encoded, d, rows)
    gap = (found - encoded[d].users).abs().max(1).values
    only_here = np.setdiff1d(rows, there)
    assert len(only_here) > 2 and gap[only_here].max() < 1e-5
    assert gap[there].min() > 1e-3


def test_new_items_equal_the_oracle(world, built, encoded, wanted) -> None:
    model, inputs = built
    for d, domain in enumerate(inputs.domains):
        expected = oracle.new_items(world, d, state_of(model), wanted, MODALITIES)
        check(model.new_items(d, encoded, domain.items), expected)


def test_an_item_without_edges_is_embedded_as_a_new_item_is(world, built, encoded) -> None:
    model, inputs = built
    for d, domain in enumerate(inputs.domains):
        alone = oracle.interactions(world, d).sum(0) == 0
        new = model.new_items(d, encoded, domain.items)
        torch.testing.assert_close(new[alone], encoded[d].items[alone], rtol=1e-5, atol=1e-6)


def test_dropout_takes_the_same_edges_for_users_and_items(world, built) -> None:
    """The dropped template sums, rescaled, over the graph that the rule leaves."""
    model, inputs = built
    state, drop = state_of(model), Dropout(0.4, 11)
    for d, domain in enumerate(inputs.domains):
        taken = oracle.interactions(world, d)
        users, items = (torch.from_numpy(rows) for rows in np.indices(taken.shape))
        left = taken * drop.keep(users, items).numpy()
        p = oracle.under(state, f"domains.{d}.")
        found = model.sum_templates(d, domain, *model.templates(d), drop)
        side = oracle.item_side(world, d, MODALITIES)
        w = oracle.gate(side, oracle.under(p, "item_gate."), MODALITIES)
        refined = oracle.refined(p["items"], side, w, p["refine"], MODALITIES)
        own = p["own_template"] * p["items"]
        for x, rows, degree, anyone, more, got in (
            (refined, left, taken.sum(1), p["any_user"], 0.0, found[0]),
            (p["users"], left.T, taken.sum(0), p["any_item"], own, found[1]),
        ):
            scale = (degree + 1.0)[:, None] ** -0.7
            check(got, scale * (rows @ x / 0.6 + anyone) + more)


def test_dropout_leaves_the_expectation_alone(built) -> None:
    model, inputs = built
    domain = inputs.domains[0]
    with torch.no_grad():
        t = model.templates(0)
        whole = torch.cat(model.sum_templates(0, domain, *t))
        drops = [Dropout(0.3, 1 + 7919 * s) for s in range(1500)]
        draws = torch.stack([torch.cat(model.sum_templates(0, domain, *t, drop)) for drop in drops])
    deviation = draws.std(0) / np.sqrt(len(draws))
    assert bool(((draws.mean(0) - whole).abs() <= 5 * deviation + 1e-5).all())


def test_evaluating_twice_agrees_bit_for_bit(built, encoded) -> None:
    model, inputs = built
    with torch.no_grad():
        again = model(inputs)
    for a, b in zip(encoded, again, strict=True):
        assert all(torch.equal(getattr(a, s), getattr(b, s)) for s in STAGES + FINAL)


def test_an_entitys_own_template_never_enters_its_own_embedding(built) -> None:
    """Hence inductive: a user is nothing but its interactions."""
    model, inputs = built
    with torch.enable_grad():
        users, _ = model.sum_templates(0, inputs.domains[0], *model.templates(0))
        (by_item,) = torch.autograd.grad(users.sum(), model.domain(0).items, retain_graph=True)
        unused = torch.autograd.grad(users.sum(), model.domain(0).users, allow_unused=True)
    assert unused == (None,) and by_item.any()


def test_projection_is_trained_by_simulated_new_items_only(built) -> None:
    model, inputs = built
    with torch.enable_grad():
        found = model(inputs)
        known = sum(
            (e.users.square().sum() + e.items.square().sum() for e in found), torch.zeros(())
        )
        weight = model.project["text"].weight
        assert torch.autograd.grad(known, weight, allow_unused=True, retain_graph=True) == (None,)
        new = model.new_items(0, found, inputs.domains[0].items).square().sum()
        assert torch.autograd.grad(new, weight)[0].any()


def test_permuting_rows_permutes_embeddings_and_nothing_else(world, built, encoded) -> None:
    model, _ = built
    rng = np.random.default_rng(8)
    orders = [
        (rng.permutation(d.n_users).astype(np.int32), rng.permutation(d.n_items).astype(np.int32))
        for d in world.dataset.domains
    ]
    other, inputs = worlds.permuted(world, orders).build(dim=6, layers=2)
    state = model.state_dict()
    for d, (users, items) in enumerate(orders):
        for name, order in (("users", users), ("items", items)):
            key = f"domains.{d}.{name}"
            state[key] = state[key][torch.from_numpy(np.argsort(order))]
    other.load_state_dict(state)
    with torch.no_grad():
        found = other(inputs)
    for d, (users, items) in enumerate(orders):
        for stage in STAGES + FINAL:
            order = torch.from_numpy(users if "users" in stage else items).long()
            torch.testing.assert_close(
                getattr(found[d], stage)[order], getattr(encoded[d], stage), rtol=1e-5, atol=1e-5
            )


def test_missing_features_change_nothing_whatever_they_hold(built) -> None:
    """A weight of 0 hides the row of a missing modality, even if someone filled it."""
    model, inputs = built
    side = inputs.domains[0].items
    filled = {
        m: torch.where(side.has[:, k : k + 1], x, torch.ones_like(x))
        for k, (m, x) in enumerate(side.content.items())
    }
    embedding = torch.zeros(len(side), 6)
    gate = model.domain(0).item_gate
    torch.testing.assert_close(
        model.aggregate(embedding, replace(side, content=filled), gate),
        model.aggregate(embedding, side, gate),
    )


def test_same_seed_same_start_whatever_was_drawn_before(world) -> None:
    first, _ = world.build(seed=5)
    torch.rand(100)
    second, _ = world.build(seed=5)
    third, _ = world.build(seed=6)
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert not torch.equal(first.domain(0).users, third.domain(0).users)
