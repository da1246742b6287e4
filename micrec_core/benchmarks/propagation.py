"""LightGCN's propagation, forward and backward, and the bandwidth of one sparse product."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from micrec_core.benchmarks import peers, worlds
from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_turn, times_longer
from micrec_core.graphs.operators import BipartiteGraph
from micrec_core.graphs.propagation import light_gcn

LAYERS, DIM = 3, 64


def measure(options: Options) -> Report:
    """Three layers at 32,000 nodes and 303,000 stored entries, and one product by itself."""
    n_users, n_items, n_edges = (300, 100, 1500) if options.quick else (23_340, 8_660, 151_500)
    train = worlds.interactions(n_users, n_items, n_edges)
    matrix = peers.adjacency(train)
    start = torch.from_numpy(worlds.vectors(n_users + n_items, DIM))
    gradient = torch.from_numpy(worlds.vectors(n_users + n_items, DIM, seed=1))
    graph = BipartiteGraph(train)
    ways = {
        "ours": _ours(graph),
        "torch_csr": peers.by_torch(peers.torch_csr(matrix), LAYERS),
        "torch_coo": peers.by_torch(peers.torch_coo(matrix), LAYERS),
        "pyg": peers.by_pyg(train, LAYERS),
        "pyg_edge_index": peers.by_edge_index(train, LAYERS),
    }
    _check(ways, start, gradient)
    timings = in_turn(
        {name: _both_ways(way, start, gradient) for name, way in ways.items()},
        options.rounds(20),
    )
    ratios = times_longer(timings)
    product = _product(graph, start, options.rounds(50))
    gathered = product["product"].median
    share = gathered / product["copy"].median
    return Report(
        "propagation",
        "Three layers of LightGCN, forward and backward; one sparse product's rate of gathered "
        "rows (stored entries x dimension x 4 bytes) beside that of a copy (reads and writes).",
        {"nodes": n_users + n_items, "stored entries": 2 * n_edges, "dim": DIM, "layers": LAYERS},
        timings | product,
        ratios | {"product to copy": share},
        (
            Target("torch CSR autograd against ours", ratios["torch_csr"], 8, "x"),
            Target("PyG's LightGCN layer against ours", ratios["pyg"], 3, "x"),
            Target("gathered rows against a copy", share, 1, "x"),
        ),
    )


def _ours(graph: BipartiteGraph) -> peers.Propagate:
    n_users = graph.n_users
    degree = graph.degrees()

    def propagate(x: Tensor) -> Tensor:
        pair = x[:n_users], x[n_users:]
        return torch.cat(light_gcn(graph, degree, *pair, LAYERS))

    return propagate


def _both_ways(way: peers.Propagate, start: Tensor, gradient: Tensor) -> Callable[[], Tensor]:
    x = start.clone().requires_grad_()

    def work() -> Tensor:
        x.grad = None
        way(x).backward(gradient)
        assert x.grad is not None
        return x.grad

    return work


def _check(ways: dict[str, peers.Propagate], start: Tensor, gradient: Tensor) -> None:
    """Times of different results say nothing."""
    wanted, back = ways["ours"](start), _both_ways(ways["ours"], start, gradient)()
    for way in ways.values():
        torch.testing.assert_close(way(start), wanted, rtol=1e-4, atol=1e-5)
        found = _both_ways(way, start, gradient)()
        torch.testing.assert_close(found, back, rtol=1e-4, atol=1e-5)


def _product(graph: BipartiteGraph, x: Tensor, rounds: int) -> dict[str, Timing]:
    """GB/s of one product in both directions, and of copying as many bytes."""
    users, items = x[: graph.n_users], x[graph.n_users :]
    ones_users, ones_items = torch.ones(graph.n_users), torch.ones(graph.n_items)
    entries = 2 * graph.n_edges
    source = torch.zeros(entries, x.shape[1])
    target = torch.empty_like(source)

    def product() -> None:
        graph.to_users(items, ones_users, ones_items)
        graph.to_items(users, ones_items, ones_users)

    spent = in_turn({"product": product, "copy": lambda: target.copy_(source)}, rounds)
    gigabytes = entries * x.shape[1] * 4 / 1e9
    return {
        name: Timing(tuple(moved * gigabytes / (ms / 1000) for ms in spent[name].values), "GB/s")
        for name, moved in (("product", 1), ("copy", 2))
    }
