"""Lists of everyone: what a core makes of them a second, beside the products that they rank."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from micrec_core.benchmarks.measure import Options, Report, Target, Timing, Work
from micrec_core.benchmarks.serving import DOMAIN, by_scipy, make_bundle
from micrec_core.method.memory import Constants
from micrec_core.serving import Recommender

LIST, BLOCK, FEW, PLAIN = 10, 400, 512, 128
SIZES = 20_000, 10_000
SCIPY = "products through a memory, by SciPy"


def measure(options: Options) -> Report:
    """20,000 users and 10,000 items, with and without a memory, in a frame and in a file."""
    n_users, n_items = (200, 300) if options.quick else SIZES
    bundle = make_bundle(n_users, n_items)
    plain = Recommender(None, bundle)
    remembers = Recommender(None, replace(bundle, memory=((Constants(), 0.5, None),)))
    users, items = bundle.domains[0].users, bundle.domains[0].items
    some = plain.user_ids(DOMAIN)[:FEW]
    held, taken = remembers.bundle.remembered[0], bundle.domains[0].taken[:PLAIN]
    assert held is not None

    def products() -> None:
        for begin in range(0, n_users, BLOCK):
            np.matmul(users[begin : begin + BLOCK], items.T)

    with tempfile.TemporaryDirectory() as folder:
        found = _rates(
            {
                "products alone": (n_users, products),
                "lists": (n_users, lambda: plain.recommend_all(DOMAIN, LIST)),
                "lists, to parquet": (
                    n_users,
                    lambda: plain.write_all(Path(folder) / "a", DOMAIN, LIST),
                ),
                "lists with a memory": (n_users, lambda: remembers.recommend_all(DOMAIN, LIST)),
                "lists of some with a memory": (
                    len(some),
                    lambda: remembers.recommend_many(some, DOMAIN, LIST),
                ),
                SCIPY: (PLAIN, lambda: by_scipy(held.memory, taken)),
            },
            options.rounds(5),
        )
    with_memory = found["lists with a memory"].median
    return Report(
        "lists",
        "The best 10 items of everyone in training, users a second of processor time (of all "
        "threads): what a core makes. Products alone are what no ranking can do without.",
        {"users": n_users, "items": n_items, "dim": users.shape[1], "list": LIST},
        found,
        {
            "products alone": found["products alone"].median / found["lists"].median,
            "a memory beside SciPy's products": with_memory / found[SCIPY].median,
        },
        (
            Target("users a second and core", found["lists"].median, 50_000, "users/s"),
            Target("users a second and core, with a memory", with_memory, 50_000, "users/s"),
        ),
    )


def _rates(works: dict[str, tuple[int, Work]], rounds: int) -> dict[str, Timing]:
    """Of how many users each work is done a second of processor time, in turn."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for number in range(1 + rounds):
        for name, (n, work) in works.items():
            begun = time.process_time()
            work()
            if number:
                rates[name].append(n / (time.process_time() - begun))
    return {name: Timing(tuple(values), "users/s") for name, values in rates.items()}
