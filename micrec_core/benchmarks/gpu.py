"""Propagation on a GPU at the size of 200 million interactions, beside the rate of a copy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Timing, in_turn
from micrec_core.errors import ConfigError
from micrec_core.graphs import fast
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.graphs.propagation import light_gcn

LAYERS, DIM = 2, 64
# Rows of users and of items, and train interactions (docs/scale.md).
SIZES = (14_500_000, 2_000_000, 150_000_000)
QUICK_SIZES = (300, 100, 1500)


def measure(options: Options) -> Report:
    """Products in both directions, a copy of as many bytes, and propagation with its gradient.

    Raises
    ------
    ConfigError
        There is no GPU; the quick form does as a GPU would on tensors of the host.
    """
    there = torch.cuda.is_available()
    if not there and not options.quick:
        raise ConfigError("the benchmark 'gpu' needs a CUDA device, and there is none here")
    device = torch.device("cuda" if there else "cpu")
    n_users, n_items, n_edges = QUICK_SIZES if options.quick else SIZES
    graph = BipartiteGraph(worlds.interactions(n_users, n_items, n_edges), device)
    generator = torch.Generator(device).manual_seed(0)
    users, items = (
        torch.randn(n, DIM, generator=generator, device=device) for n in (n_users, n_items)
    )
    with fast.plain():
        rates = _rates(graph, users, items, options.rounds(10))
        timings = in_turn({"propagation": _pass(graph, users, items)}, options.rounds(5))
    return Report(
        "gpu",
        "One product in each direction: gathered rows (stored entries x dimension x 4 bytes) "
        "beside a copy (reads and writes); and LightGCN's propagation, forward and backward.",
        {
            "device": torch.cuda.get_device_name() if there else "tensors of the host",
            "rows": n_users + n_items,
            "interactions": n_edges,
            "dim": DIM,
            "layers": LAYERS,
        },
        rates | timings,
        {"product to copy": rates["product"].median / rates["copy"].median},
    )


def _rates(graph: BipartiteGraph, users: Tensor, items: Tensor, rounds: int) -> dict[str, Timing]:
    """GB/s of a product in both directions, and of a copy of the larger table."""
    of_users, of_items = torch.ones_like(users[:, 0]), torch.ones_like(items[:, 0])
    target = torch.empty_like(users)

    def product() -> None:
        graph.to_users(items, of_users, of_items)
        graph.to_items(users, of_items, of_users)
        _wait(users)

    def copy() -> None:
        target.copy_(users)
        _wait(users)

    moved = {"product": 2 * graph.n_edges * DIM * 4 / 1e9, "copy": 2 * users.numel() * 4 / 1e9}
    spent = in_turn({"product": product, "copy": copy}, rounds)
    return {name: timing.rate(moved[name]) for name, timing in spent.items()}


def _pass(graph: BipartiteGraph, users: Tensor, items: Tensor) -> Callable[[], None]:
    degree = graph.degrees()
    starts = users.requires_grad_(), items.requires_grad_()

    def work() -> None:
        for start in starts:
            start.grad = None
        out = light_gcn(graph, degree, *starts, LAYERS)
        torch.autograd.backward(out, starts)
        _wait(users)

    return work


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()
