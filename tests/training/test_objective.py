"""What a step draws, and each weighted term against the losses on what was drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.method.contrast import symmetric_info_nce
from micrec_core.method.inputs import DomainInputs
from micrec_core.training import losses
from micrec_core.training.objective import Batch, Objective
from micrec_core.training.softmax import sampled_softmax


@pytest.fixture
def made(trainer):
    return trainer()


def batches(made, n: int = 20) -> list[Batch]:
    return [Batch(u[:n], i[:n]) for u, i in zip(made.users, made.items, strict=True)]


class Recording(Objective):
    """Keeps the negatives it drew."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.drawn: list[tuple[int, torch.Tensor]] = []

    def _negatives(self, d: int, n: int, generator: torch.Generator) -> torch.Tensor:
        found = super()._negatives(d, n, generator)
        self.drawn.append((d, found))
        return found


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_negatives_are_never_withheld_items(trainer, small, loss) -> None:
    made = trainer(training={"loss": loss, "epochs": 3})
    watch = Recording(made.model, made.inputs, made.settings, made.objective.trained_items)
    made.objective = watch
    made.fit()
    for d, part in enumerate(small.split.domains):
        drawn = torch.cat([items for where, items in watch.drawn if where == d]).unique().numpy()
        trained = np.unique(part.train.item)
        assert not np.isin(drawn, part.new_items).any()
        assert np.isin(drawn, trained).all()
        assert len(drawn) == len(trained), "and every other item is drawn at some time"


def test_negatives_are_uniform_over_the_trained_items(made) -> None:
    pool = made.objective.trained_items[0]
    drawn = made.objective._negatives(0, 40_000, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=int(pool.max()) + 1)[pool].double()
    expected = 40_000 / len(pool)
    assert ((counts - expected).abs() <= 5 * expected**0.5).all()


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_ranking_and_regularisation_are_the_losses_on_what_was_drawn(trainer, loss) -> None:
    made = trainer(
        model={"name": "inmo"}, training={"loss": loss, "l2": 0.5, "self_enhanced": 0.25}
    )
    trained = made.objective.trained_items
    # Baselines go without weights of users; here they are part of the formula.
    settings = made.settings.model_copy(update={"user_weight": 0.25})
    watch = Recording(made.model, made.inputs, settings, trained)
    given = batches(made)
    terms = watch(given, None, torch.Generator().manual_seed(3))
    encoded = made.model(made.inputs)
    ranking = regularisation = enhanced = 0.0
    for d, batch in enumerate(given):
        own = [items for where, items in watch.drawn if where == d]
        u, p = encoded[d].users[batch.users], encoded[d].items[batch.items]
        n = encoded[d].items[own[0]]
        degrees = made.inputs.domains[d].users.degree[batch.users]
        weights = losses.user_weights(degrees, 0.25)
        if loss == "bpr":
            assert len(own) == 1 and len(own[0]) == len(batch.users)
            ranking += losses.bpr(u, p, n, weights)
        else:
            assert len(own[0]) == made.settings.negatives
            ranking += sampled_softmax(u, p, n, batch.items, own[0], len(trained[d]), weights)
        regularisation += 0.5 * losses.squared_length(u, p, n)
        t = made.model.domain(d)
        enhanced += 0.25 * losses.self_enhanced(
            t.users[batch.users], t.items[batch.items], t.items[own[-1]], t.self_enhanced
        )
    torch.testing.assert_close(terms["ranking"], ranking, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(terms["regularisation"], regularisation, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(terms["self-enhanced"], enhanced, rtol=1e-5, atol=1e-6)


def test_contrast_is_taken_once_for_a_pair_of_domains(trainer) -> None:
    """A batch as large as the overlap is the overlap, in an order that does not matter."""
    made = trainer(training={"contrast_batch": 10_000, "contrast": 0.4})
    found = made.objective(batches(made), None, torch.Generator().manual_seed(3))["contrast"]
    encoded = made.model(made.inputs)
    (link,) = (x for x in made.inputs.links if x.source < x.target)
    a, b = encoded[0].users[link.source_rows], encoded[1].users[link.target_rows]
    wanted = 0.4 * symmetric_info_nce(a, b, made.settings.temperature)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_cold_users_of_the_split_are_no_anchors_of_the_contrast(made, small) -> None:
    for link in made.inputs.links:
        for d, rows in ((link.source, link.source_rows), (link.target, link.target_rows)):
            assert not np.isin(rows.numpy(), small.split.domains[d].cold_users).any()


def test_gate_term_is_the_sum_of_divergences(made) -> None:
    with torch.no_grad():
        for domain in made.model.domains:
            domain.user_gate.bias.copy_(torch.tensor([1.0, -1.0]))
    found = made.objective(batches(made), None, torch.Generator().manual_seed(3))["gate"]
    wanted = sum(
        made.model.domain(d).user_gate.divergence(x.users.signals, x.users.has)
        + made.model.domain(d).item_gate.divergence(x.items.signals, x.items.has)
        for d, x in enumerate(made.inputs.domains)
    )
    torch.testing.assert_close(found, made.settings.gate * wanted, rtol=1e-5, atol=1e-6)
    assert found > 0


def test_simulated_new_items_move_no_template(made) -> None:
    """They train the projection and the gate, not what neighbours lend nor known users."""
    term = made.objective(batches(made), None, torch.Generator().manual_seed(3))["new items"]
    tables = [p for d in (0, 1) for p in (made.model.domain(d).items, made.model.domain(d).users)]
    found = torch.autograd.grad(term, tables, allow_unused=True, retain_graph=True)
    assert all(g is None or not g.any() for g in found)
    (moved,) = torch.autograd.grad(term, made.model.project["text"].weight)
    assert moved.any()


def test_a_batch_of_the_same_seed_is_the_same(made) -> None:
    first, second = (
        made.objective(batches(made), None, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_a_step_that_leaves_its_batch_out_does_not_know_it(trainer) -> None:
    """Its terms are those of inputs that never had the batch's interactions."""
    made = trainer(training={"leave_out": True, "user_weight": 0.0})
    given = batches(made)
    found = made.objective(given, None, torch.Generator().manual_seed(3))
    left = []
    for domain, batch in zip(made.inputs.domains, given, strict=True):
        matrix = dense(domain.graph)
        assert matrix[batch.users, batch.items].all()
        matrix[batch.users, batch.items] = 0
        graph = BipartiteGraph(sparse.csr_matrix(matrix))
        users, items = graph.degrees()
        sides = replace(domain.users, degree=users), replace(domain.items, degree=items)
        left.append(DomainInputs(graph, *sides))
    inputs = replace(made.inputs, domains=tuple(left))
    knows = made.settings.model_copy(update={"leave_out": False})
    plain = Objective(made.model, inputs, knows, made.objective.trained_items)
    wanted = plain(given, None, torch.Generator().manual_seed(3))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6, msg=name)
    told = Objective(made.model, made.inputs, knows, made.objective.trained_items)
    other = told(given, None, torch.Generator().manual_seed(3))
    assert not torch.allclose(found["ranking"], other["ranking"], rtol=1e-4)


def dense(graph: BipartiteGraph) -> np.ndarray:
    return graph.to_users(torch.eye(graph.n_items)).numpy()


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_graph_without_edges_is_the_graph_of_the_others(made, n) -> None:
    graph = made.inputs.domains[0].graph
    picked = torch.randperm(graph.n_edges, generator=torch.Generator().manual_seed(n))[:n]
    users, items = graph.pattern.rows[picked].long(), graph.pattern.indices[picked].long()
    before = dense(graph)
    wanted = before.copy()
    wanted[users, items] = 0
    left = graph.without(users, items)
    assert np.array_equal(dense(left), wanted) and np.array_equal(dense(graph), before)
    assert np.array_equal(left.to_items(torch.eye(graph.n_users)).numpy().T, wanted)
    for found, whole in zip(left.degrees(), (wanted.sum(1), wanted.sum(0)), strict=True):
        assert np.array_equal(found.numpy(), whole)


def test_views_tell_what_neighbours_lend_by_the_templates(trainer) -> None:
    """InfoNCE in NumPy: the message of a row against the templates of all rows of the batch."""
    made = trainer(training={"views": 0.3, "contrast_batch": 12})
    given = batches(made)
    found = made.objective(given, None, torch.Generator().manual_seed(3))["views"]
    wanted = 0.0
    for own, batch in zip(made.model(made.inputs), given, strict=True):
        for rows, mixed, templates in (
            (batch.users, own.aggregated_users, own.initial_users),
            (batch.items, own.aggregated_items, own.initial_items),
        ):
            rows = np.unique(rows[:12].numpy())
            there = templates.detach().numpy()[rows].astype(np.float64)
            lent = mixed.detach().numpy()[rows] - there
            near = unit(lent) @ unit(there).T / made.settings.temperature
            wanted -= np.mean(np.diag(near) - np.log(np.exp(near).sum(1)))
    assert float(found.detach()) == pytest.approx(0.3 * wanted, rel=1e-4)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
