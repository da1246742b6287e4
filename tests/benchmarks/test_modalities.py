"""The table of what modalities add, on trainings that are made up."""

from pathlib import Path

import numpy as np

from tests.benchmarks.modalities import table

USERS = 40


def keep(out: Path, name: str, seed: int, value: float, hits: int) -> None:
    """A training where everybody has ``value``, and every item of low degree ``hits`` of 4."""
    items = np.array([[row, degree, 4, hits] for row, degree in enumerate((0, 1, 5, 6) * 20)])
    noise = np.random.default_rng(seed).normal(0, 1e-3, USERS)
    np.savez(out / f"{name}-{seed}.npz", **{
        "known/all/food": value + noise, "known/all/food/items": items,
        "new-users/all/food": np.full(USERS // 4, value),
    })  # fmt: skip


def test_a_table_says_what_is_above_what(tmp_path: Path) -> None:
    for seed in range(2):
        keep(tmp_path, "none", seed, 0.2, 1)
        keep(tmp_path, "classic", seed, 0.3 + 0.02 * seed, 1 + seed)
        keep(tmp_path, "same", seed, 0.3 + 0.02 * seed, 1 + seed)
    head, rule, known, low, _, seeds = table(
        tmp_path, [("none", ""), ("classic", "none"), ("same", "classic")]
    )
    assert head == "| asked | n | none | classic beside none | same beside classic |"
    assert rule.count("---") == 5
    # Means over seeds and users: .31 is 55 % above .2, for sure; what is the same is not.
    assert known.startswith("| known, food | 40 | 0.20") and "**0.31" in known
    assert "+55." in known and known.endswith("(+0.0 %) |")
    # Two degrees of each four are low: 6 hits over two seeds of 8 that could be, 50 % above 2.
    assert (
        low == "| low degree, known, food | 40 | 0.2500 | **0.3750 (+50.0 %)** | 0.3750 (+0.0 %) |"
    )
    # Of ten users there is no figure.
    assert seeds == "Seeds: none 2, classic 2, same 2."
