"""LightGCN's propagation, forward and backward, and the bandwidth of one sparse product."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from micrec_core.benchmarks import peers, worlds
from micrec_core.benchmarks.measure import (
    Options,
    Report,
    Target,
    Timing,
    in_turn,
    strongest,
    times_longer,
)
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.graphs.propagation import light_gcn

LAYERS, DIM = 3, 64
# Products (and copies) in a row that one time is taken of, as there are in a propagation.
IN_A_ROW = 6
# Forward and backward: what comes out, and the gradients.
Pass = Callable[[], tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]]


def measure(options: Options) -> Report:
    """Three layers at 32,000 nodes and 303,000 stored entries, and one product by itself."""
    n_users, n_items, n_edges = (300, 100, 1500) if options.quick else (23_340, 8_660, 151_500)
    train = worlds.interactions(n_users, n_items, n_edges)
    matrix = peers.adjacency(train)
    start = torch.from_numpy(worlds.vectors(n_users + n_items, DIM))
    gradient = torch.from_numpy(worlds.vectors(n_users + n_items, DIM, seed=1))
    graph = BipartiteGraph(train)
    ways = {
        "torch_csr": peers.by_torch(peers.torch_csr(matrix), LAYERS),
        "torch_csr_symmetric": peers.by_symmetry(peers.torch_csr(matrix), LAYERS),
        "torch_coo": peers.by_torch(peers.torch_coo(matrix), LAYERS),
        "pyg": peers.by_pyg(train, LAYERS),
        "pyg_edge_index": peers.by_edge_index(train, LAYERS),
    }
    works: dict[str, Pass] = {"ours": _ours(graph, start, gradient)}
    works |= {name: _plain(way, start, gradient) for name, way in ways.items()}
    _check(works)
    timings = in_turn(works, options.rounds(20), clock=time.process_time)
    ratios = times_longer(timings)
    product = _product(graph, start, options.rounds(20))
    gathered = product["product"].median
    shares = {
        f"product to {name}": gathered / product[name].median for name in ("copy", "resident copy")
    }
    return Report(
        "propagation",
        "Three layers of LightGCN, forward and backward; one sparse product's rate of gathered "
        "rows (stored entries x dimension x 4 bytes) beside that of copies (reads and writes): of "
        "as many bytes, and again and again of the table itself, which stays in the cache. "
        "Processor time of all threads.",
        {"nodes": n_users + n_items, "stored entries": 2 * n_edges, "dim": DIM, "layers": LAYERS},
        timings | product,
        ratios | shares,
        (
            Target("the strongest peer against ours", strongest(ratios), 2.6, "x"),
            Target("gathered rows against a copy", shares["product to copy"], 1, "x"),
        ),
    )


def _ours(graph: BipartiteGraph, start: Tensor, gradient: Tensor) -> Pass:
    degree, n_users = graph.degrees(), graph.n_users
    users, items = (part.clone().requires_grad_() for part in (start[:n_users], start[n_users:]))
    gradients = gradient[:n_users].clone(), gradient[n_users:].clone()

    def work() -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        users.grad = items.grad = None
        out = light_gcn(graph, degree, users, items, LAYERS)
        torch.autograd.backward(out, gradients)
        return out, (users.grad, items.grad)

    return work


def _plain(way: peers.Propagate, start: Tensor, gradient: Tensor) -> Pass:
    x = start.clone().requires_grad_()

    def work() -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        x.grad = None
        out = way(x)
        out.backward(gradient)
        return (out,), (x.grad,)

    return work


def _check(works: dict[str, Pass]) -> None:
    """Times of different results say nothing."""
    wanted = [torch.cat(parts) for parts in works["ours"]()]  # type: ignore[arg-type]
    for work in works.values():
        for found, own in zip(work(), wanted, strict=True):
            torch.testing.assert_close(torch.cat(found), own, rtol=1e-4, atol=1e-5)  # type: ignore[arg-type]


def _product(graph: BipartiteGraph, x: Tensor, rounds: int) -> dict[str, Timing]:
    """GB/s of one product in both directions, and of copying: as many bytes, and the table."""
    users, items = x[: graph.n_users], x[graph.n_users :]
    ones_users, ones_items = torch.ones(graph.n_users), torch.ones(graph.n_items)
    entries = 2 * graph.n_edges
    source = torch.zeros(entries, x.shape[1])
    target, resident = torch.empty_like(source), torch.empty_like(x)
    times = -(-IN_A_ROW * entries // len(x))

    def product() -> None:
        for _ in range(IN_A_ROW):
            graph.to_users(items, ones_users, ones_items)
            graph.to_items(users, ones_items, ones_users)

    def copy() -> None:
        for _ in range(IN_A_ROW):
            target.copy_(source)

    def resident_copy() -> None:
        for _ in range(times):
            resident.copy_(x)

    works = {"product": product, "copy": copy, "resident copy": resident_copy}
    spent = in_turn(works, rounds, clock=time.process_time)
    row = x.shape[1] * 4 / 1e9
    moved = {
        "product": IN_A_ROW * entries * row,
        "copy": 2 * IN_A_ROW * entries * row,
        "resident copy": 2 * times * len(x) * row,
    }
    return {name: timing.rate(moved[name]) for name, timing in spent.items()}
