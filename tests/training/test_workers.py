"""Several processes take the steps that one takes, and one that is killed costs an epoch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from micrec_core.baselines import REGISTRY, Baseline
from micrec_core.errors import ConfigError, RunError
from micrec_core.training.workers.owners import Layout, owners
from micrec_core.training.workers.shared_trainer import SharedTrainer
from micrec_core.training.workers.team import Team, joined
from tests.method import worlds
from tests.training.sharing import CASES, LONG, Case, make, train

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow, pytest.mark.timeout(600)]


def losses(folder: Path, name: str, rank: int = 0) -> list[dict[str, float]]:
    return json.loads((folder / f"{name}-{rank}.json").read_text())["losses"]


@pytest.fixture(scope="module")
def shared(start, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What two and three workers made of ``CASES``, by their number."""
    found = {size: tmp_path_factory.mktemp(f"workers-{size}") for size in (2, 3)}
    for size, folder in found.items():
        assert all(p.exitcode == 0 for p in start(size, CASES if size == 2 else CASES[1:2], folder))
    return found


@pytest.mark.parametrize(
    ("size", "case"), [*((2, c) for c in CASES), (3, CASES[1])], ids=lambda x: getattr(x, "name", x)
)
def test_so_many_workers_take_the_steps_of_one(shared, size: int, case: Case) -> None:
    state, told = train(case, None)
    found = load_file(shared[size] / f"{case.name}.safetensors")
    assert found.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)
    for here, there in zip(told, losses(shared[size], case.name), strict=True):
        assert here == pytest.approx(there, abs=1e-5)


def test_they_took_twenty_steps() -> None:
    made = make(CASES[0], None, [])
    steps = -(-max(len(users) for users in made.users) // made.settings.batch_size)
    assert steps * made.settings.epochs >= 20


def test_a_killed_worker_ends_the_others_and_costs_its_epoch(start, same, tmp_path) -> None:
    folder, whole = tmp_path / "checkpoint", tmp_path / "whole"
    training = LONG | {"epochs": 4, "leave_out": True}
    cut = Case("cut", {}, training, killed=(1, 3), checkpoint=str(folder))
    _, killed = start(2, [cut], tmp_path)
    assert killed.exitcode == -9
    assert (tmp_path / "cut-0.txt").read_text() == (
        "training stopped: another worker ended, by itself or by a signal; go on from the last "
        "epoch with --resume"
    )
    resumed = Case("resumed", {}, training, checkpoint=str(folder), resume=True)
    unkilled = Case("unkilled", {}, training, checkpoint=str(whole))
    start(2, [resumed, unkilled], tmp_path)
    states = [load_file(tmp_path / f"{case.name}.safetensors") for case in (resumed, unkilled)]
    assert same(*states), "bit for bit"
    assert losses(tmp_path, "resumed") == losses(tmp_path, "unkilled")[2:]
    # A checkpoint is of the whole, so one process goes on from it as well.
    alone, _ = train(Case("alone", {}, training, checkpoint=str(whole), resume=True), None)
    for name, value in states[1].items():
        torch.testing.assert_close(alone[name], value, rtol=0, atol=1e-5, msg=name)


def test_rows_are_shared_evenly_and_one_person_s_are_together() -> None:
    _, inputs = worlds.small().build()
    sizes = [(d.graph.n_users, d.graph.n_items) for d in inputs.domains]
    layouts = owners(sizes, inputs.links, 3)
    for (users, items), (n_users, n_items) in zip(layouts, sizes, strict=True):
        assert sum(users.sizes) == n_users and sum(items.sizes) == n_items
        assert max(items.sizes) - min(items.sizes) <= 1
        for layout in (users, items):
            for worker in range(3):
                rows = layout.rows(worker)
                assert torch.equal(layout.place[rows], torch.arange(len(rows)).int())
    assert inputs.links
    for link in inputs.links:
        there, here = (layouts[d][0].owner for d in (link.source, link.target))
        assert torch.equal(there[link.source_rows], here[link.target_rows])


def test_a_layout_of_rows_that_one_has_none_of() -> None:
    layout = Layout.of(torch.tensor([2, 0, 2]), 3)
    assert layout.sizes == (1, 0, 2) and layout.place.tolist() == [0, 0, 1]
    assert layout.rows(1).tolist() == []


@pytest.mark.parametrize("missing", ["RANK", "MASTER_PORT"])
def test_variables_that_are_missing_or_no_numbers_are_named(missing: str) -> None:
    told = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for wrong in ({k: v for k, v in told.items() if k != missing}, told | {missing: "x"}):
        with pytest.raises(ConfigError, match="RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT"):
            joined(wrong).__enter__()


def test_more_workers_than_rows_are_refused() -> None:
    case, team = Case("many"), Team(0, 41)
    with pytest.raises(ConfigError, match=r"41 workers are more than the 40 users or items"):
        make(case, team, [])


def test_a_worker_that_was_told_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Team, "told", lambda team, number: number + 1.0)
    with pytest.raises(RunError, match="other settings than the first one"):
        Team(1, 2).require_same("what it was told")


def test_a_baseline_is_refused() -> None:
    world = worlds.small()
    _, inputs = world.build()
    kind = next(kind for kind in REGISTRY.values() if issubclass(kind, Baseline))
    baseline = kind.__new__(kind)
    with pytest.raises(ConfigError, match=r"train a baseline with one process"):
        SharedTrainer(Team(0, 2), baseline, inputs, world.edges, None, 0, None)  # type: ignore[arg-type]
