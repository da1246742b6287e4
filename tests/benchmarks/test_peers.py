"""The peers compute what ours computes; else their times would say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrec_core.benchmarks import peers, worlds
from micrec_core.benchmarks.ranking import by_torch
from micrec_core.benchmarks.training import TRAINING, Ours, Plain
from micrec_core.evaluation.ranking import rank_embeddings
from micrec_core.training.objective import Batch


@pytest.fixture(scope="module")
def train():
    return worlds.interactions(60, 40, 300)


def test_interactions_are_as_many_as_asked_and_the_same_each_time(train) -> None:
    assert train.shape == (60, 40) and train.nnz == 300
    assert (train.data == 1).all()
    assert (train.sum(axis=0) > 0).all() and (train.sum(axis=1) > 0).all()
    assert (train != worlds.interactions(60, 40, 300)).nnz == 0


def test_documents_have_length_one() -> None:
    rows = worlds.documents(30, 500, 12)
    np.testing.assert_allclose(np.asarray(rows.multiply(rows).sum(axis=1)).ravel(), 1.0, rtol=1e-5)


def test_plain_propagations_equal_a_dense_one(train) -> None:
    dense = peers.adjacency(train).toarray().astype(np.float64)
    x = torch.from_numpy(worlds.vectors(100, 8))
    wanted = sum(np.linalg.matrix_power(dense, power) for power in range(3)) @ x.double().numpy()
    matrix = peers.adjacency(train)
    for way in (
        peers.by_torch(peers.torch_csr(matrix), 2),
        peers.by_torch(peers.torch_coo(matrix), 2),
        peers.by_symmetry(peers.torch_csr(matrix), 2),
        peers.by_pyg(train, 2),
        peers.by_edge_index(train, 2),
    ):
        np.testing.assert_allclose(way(x).numpy(), wanted / 3, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [peers.PlainINMO, peers.SymmetricINMO])
def test_plain_inmo_has_our_loss_and_our_gradients(train, kind: type[peers.PlainINMO]) -> None:
    ours = Ours(train)
    plain = Plain(train, ours.model, kind)
    users, items, drawn = (torch.randint(40, (50,)) for _ in range(3))
    objective_terms = _our_terms(ours, users, items, drawn)
    batch = users, items, drawn
    loss = plain.model.loss(plain.model(0.5, 0.0), batch, TRAINING.self_enhanced, TRAINING.l2)
    total = torch.stack(list(objective_terms.values())).sum()
    torch.testing.assert_close(loss, total, rtol=1e-5, atol=1e-6)
    loss.backward()
    total.backward()
    own = ours.model.domain(0)
    found = plain.model.templates.grad
    assert own.users.grad is not None and own.items.grad is not None and found is not None
    torch.testing.assert_close(
        found, torch.cat([own.users.grad, own.items.grad]), rtol=1e-4, atol=1e-7
    )


def test_what_is_dropped_is_dropped_in_both_directions_and_made_up_for(train) -> None:
    ours = Ours(train)
    model = Plain(train, ours.model, peers.SymmetricINMO).model
    with torch.no_grad():
        model.templates.zero_()[:, 0] = 1.0
    sums = model.summed(torch.ones(len(model.templates)), 0.5)
    counted = sums.detach()[:, 0]
    assert torch.equal(counted % 2, torch.zeros_like(counted))
    assert (counted / 2 <= model.degree).all() and 0 < counted.sum() / 2 < model.degree.sum()
    torch.testing.assert_close(counted[:60].sum(), counted[60:].sum())
    sums[:, 0].sum().backward()
    assert model.templates.grad is not None
    torch.testing.assert_close(model.templates.grad[:, 0], counted)


def _our_terms(
    ours: Ours, users: torch.Tensor, items: torch.Tensor, drawn: torch.Tensor
) -> dict[str, torch.Tensor]:
    from micrec_core.training.objective import Objective

    class Told(Objective):
        def _negatives(self, d: int, n: int, generator: torch.Generator) -> torch.Tensor:
            return drawn

    objective = Told(ours.model, ours.inputs, ours.training, [torch.arange(40)])
    return objective([Batch(users, items)], None, torch.Generator())


def test_plain_ranking_equals_ours(train) -> None:
    users, items = worlds.vectors(60, 8), worlds.vectors(40, 8, seed=1)
    wanted = rank_embeddings(users, items, mask=train, k=5)
    assert np.array_equal(by_torch(users, items, train, 5, chunk=16), wanted)
