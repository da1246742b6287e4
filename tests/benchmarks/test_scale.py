"""The arithmetic of docs/scale.md, that the page holds it, and when the benchmark runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from micrec_core.benchmarks import BENCHMARKS, Options, run_benchmarks
from micrec_core.benchmarks.measure import Report
from tests.benchmarks import machines
from tests.benchmarks.arithmetic import PLANS, World, table, total, training

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def test_the_page_holds_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table() in text
    assert all(f"| {name} |" in text for name in PLANS)


def test_the_page_holds_what_machines_send_and_hold() -> None:
    assert machines.table() in PAGE.read_text(encoding="utf-8")


def test_more_machines_hold_less_each_and_ask_no_more_than_there_is() -> None:
    world = machines.TEXT
    held = [machines.held(world, n) for n in (2, 8, 64, 256)]
    assert held == sorted(held, reverse=True)
    for n in (2, 8, 64):
        rows = machines.most(world, n)
        assert rows.graph <= world.rows * (1 - 1 / n) + 1
        assert rows.graph <= 2 * world.edges / n


def test_parameters_are_a_vector_a_row() -> None:
    world = World(users=1000, items=500, edges=9000)
    parts = training(world)
    assert parts["parameters"] == 1500 * 64 * 4
    assert parts["moments of Adam"] == 2 * parts["parameters"]
    assert parts["content"] == parts["neighbours, both directions"] == 0
    # A column index in each direction, and a pointer a row.
    assert parts["interactions, both directions"] == 9000 * 2 * 4 + 2 * 4 * 1500


def test_what_is_said_to_help_does() -> None:
    world = World(users=1000, items=500, edges=9000, content=(128, 512))
    for change in ({"float_bytes": 2}, {"recomputed": True}, {"averaged": False}):
        assert total(training(replace(world, **change))) < total(training(world))
    for change in ({"index_bytes": 8}, {"edge_values": True}):
        assert total(training(replace(world, **change))) > total(training(world))


def test_what_takes_minutes_runs_only_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fake(name: str) -> Callable[[Options], Report]:
        def run(options: Options) -> Report:
            ran.append(name)
            return Report(name, "", {}, {})

        return run

    for name in BENCHMARKS:
        monkeypatch.setitem(BENCHMARKS, name, fake(name))
    assert len(list(run_benchmarks((), Options(), lambda *told: None))) == len(ran) > 3
    assert not set(ran) & {"scale", "scale-inmo"}
    list(run_benchmarks(("scale",), Options(), lambda *told: None))
    assert ran[-1] == "scale"
