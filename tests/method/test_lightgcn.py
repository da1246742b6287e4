"""The LightGCN configuration against an independent LightGCN (torch_geometric's LGConv)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.method import oracle, worlds

LAYERS = 3


@pytest.fixture(scope="module")
def convolution():
    return pytest.importorskip("torch_geometric.nn").LGConv()


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.tiny()


def peer(convolution, users: Tensor, items: Tensor, edges) -> tuple[Tensor, Tensor]:
    """Mean over layers 0 to LAYERS; rows without edges are not LGConv's to say."""
    n = len(users)
    user = torch.from_numpy(edges.user).long()
    item = torch.from_numpy(edges.item).long() + n
    both = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
    x = torch.cat([users, items])
    layers = [x]
    for _ in range(LAYERS):
        x = convolution(x, both)
        layers.append(x)
    mean = torch.stack(layers).mean(0)
    return mean[:n], mean[n:]


def test_embeddings_and_gradients_equal_an_independent_lightgcn(world, convolution) -> None:
    model, inputs = world.build(name="lightgcn", dim=7, layers=LAYERS)
    worlds.shake(model)
    found = model(inputs)
    for d, edges in enumerate(world.edges):
        own = model.domain(d)
        users = own.users.detach().clone().requires_grad_()
        items = own.items.detach().clone().requires_grad_()
        wanted = peer(convolution, users, items, edges)
        taken = oracle.interactions(world, d)
        for side, (ours, theirs, degree) in enumerate(
            ((found[d].users, wanted[0], taken.sum(1)), (found[d].items, wanted[1], taken.sum(0)))
        ):
            known = torch.from_numpy(degree > 0)
            torch.testing.assert_close(ours[known], theirs[known], rtol=1e-5, atol=1e-5)
            free = own.users if side == 0 else own.items
            assert torch.equal(ours[~known], free[~known])
        u, i = (torch.from_numpy(a).long() for a in (edges.user, edges.item))
        j = i.roll(1)
        for e, into in (
            ((found[d].users, found[d].items), (own.users, own.items)),
            (wanted, (users, items)),
        ):
            loss = F.softplus((e[0][u] * (e[1][j] - e[1][i])).sum(1)).mean()
            loss.backward(retain_graph=True, inputs=list(into))
        torch.testing.assert_close(own.users.grad, users.grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(own.items.grad, items.grad, rtol=1e-5, atol=1e-6)


def test_lightgcn_has_no_parameter_but_two_tables_a_domain_in_use(world) -> None:
    model, inputs = world.build(name="lightgcn", dim=7)
    sum(((e.users * e.users).sum() for e in model(inputs)), torch.zeros(())).backward()
    used = {name for name, p in model.named_parameters() if p.grad is not None}
    assert used == {f"domains.{d}.{side}" for d in (0, 1) for side in ("users", "items")}
