"""Bytes that the workers of a step send, counted, are those that the arithmetic says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from micrec_core.training.objective import FEWEST
from micrec_core.training.trainer import Trainer
from micrec_core.training.workers.owners import owners
from tests.benchmarks import machines
from tests.benchmarks.machines import Rows, Sizes
from tests.training.sharing import STEP, make

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow, pytest.mark.timeout(600)]
SIZE = 2
NDArrayInt = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Ask:
    """Rows of a domain's users or items that one process takes in a step, by lists.

    ``tables``: of how many tables; ``cut``: how many lists are of pairs, of which a worker has
    every so many-th; the others are in whole with each, but for ``contrast``, which one worker has.
    """

    d: int
    kind: str
    lists: list[Tensor]
    tables: int
    cut: int
    contrast: bool = False


class Watch:
    """What one process takes in a step, which workers would ask each other for."""

    def __init__(self, trainer: Trainer):
        self.objective, self.asks = trainer.objective, list[Ask]()
        self.inner = trainer.objective
        for name in ("final_rows", "rows", "as_new", "_views"):
            setattr(self, name, getattr(self.objective, name))
            setattr(trainer.objective, name, getattr(self, f"watched_{name.strip('_')}"))
        self.batch: dict[int, Any] = {}
        self.viewing = False

    def watched_final_rows(self, d: int, known: Any, embedded: Any, users: Any, items: Any) -> Any:
        self.batch[d] = users[0], items[0]
        self.asks += [Ask(d, "users", users, 1, 1, True), Ask(d, "items", items, 1, 1)]
        return self.final_rows(d, known, embedded, users, items)

    def watched_rows(self, d: int, kind: str, tables: Sequence[Tensor], *rows: Tensor) -> Any:
        if not self.viewing:
            self.asks.append(Ask(d, kind, list(rows), len(tables), len(rows)))
        else:
            first = self.batch[d][kind == "items"]
            self.asks.append(Ask(d, kind, [first], len(tables), 0, True))
        return self.rows(d, kind, tables, *rows)

    def watched_as_new(self, d: int, mixed: Any, items: Tensor) -> Any:
        n = len(items) - 16  # negatives of QUICK
        self.asks.append(Ask(d, "items", [items[:n], items[n:]], 1, 1))
        return self.as_new(d, mixed, items)

    def watched_views(self, *given: Any) -> Any:
        self.viewing = True
        found = self._views(*given)
        self.viewing = False
        return found


def rows_of(ask: Ask, worker: int, most: int) -> NDArrayInt:
    """The rows that a worker takes for it, each once."""
    lists = []
    for k, rows in enumerate(ask.lists):
        if k < ask.cut:
            rows = rows[worker::SIZE]
        elif ask.contrast:
            # Contrasts of views go by domains in turn, those across domains by pairs of them.
            turn = ask.d if ask.cut == 0 else 0
            rows = rows[: most if turn % SIZE == worker else FEWEST]
        lists.append(rows)
    return np.unique(torch.cat(lists).numpy())


@pytest.fixture(scope="module")
def step(start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two workers made of ``STEP``."""
    folder = tmp_path_factory.mktemp("step")
    assert all(process.exitcode == 0 for process in start(SIZE, [STEP], folder))
    return folder


@pytest.mark.parametrize("worker", range(SIZE))
def test_bytes_of_a_step_are_those_of_the_arithmetic(step: Path, worker: int) -> None:
    trainer = make(STEP, None, told := [])
    watch = Watch(trainer)
    inputs, most = trainer.inputs, trainer.settings.contrast_batch
    trainer.fit()
    sizes = [(d.graph.n_users, d.graph.n_items) for d in inputs.domains]
    layouts = owners(sizes, inputs.links, SIZE)

    def owner(d: int, kind: str) -> NDArrayInt:
        return layouts[d][kind == "items"].owner.numpy()

    def reached(matrix: sparse.csr_matrix, d: int, kinds: str) -> tuple[int, int]:
        """Distinct columns with others that a worker's rows have, and the other way about."""
        to, of = (owner(d, kind) for kind in kinds.split())
        counts = []
        for a, b in ((worker, 1 - worker), (1 - worker, worker)):
            columns = np.unique(matrix[to == a].indices)
            counts.append(int((of[columns] == b).sum()))
        return counts[0], counts[1]

    graph, users, items = np.zeros(2, int), np.zeros(2, int), np.zeros(2, int)
    for d, domain in enumerate(inputs.domains):
        pattern = domain.graph.pattern
        parts = np.ones(domain.graph.n_edges), pattern.indices.numpy(), pattern.indptr.numpy()
        train = sparse.csr_matrix(parts, shape=sizes[d])
        graph += reached(train, d, "users items")
        graph += reached(train.T.tocsr(), d, "items users")
        for near in domain.users.neighbours.values():
            users += reached(near.matrix, d, "users users")
        for near in domain.items.neighbours.values():
            items += reached(near.matrix, d, "items items")
    batch, distinct = np.zeros(2, int), 0
    for ask in watch.asks:
        own = owner(ask.d, ask.kind)
        mine, theirs = (rows_of(ask, w, most) for w in (worker, 1 - worker))
        asked, given = (own[mine] != worker).sum(), (own[theirs] == worker).sum()
        batch += np.array([asked, given]) * ask.tables
        distinct += int(asked)
    asked, given = (Rows(graph[k], users[k], items[k], batch[k]) for k in (0, 1))
    # What has moments had a gradient.
    whole = [
        p.numel()
        for name, p in trainer.model.named_parameters()
        if p in trainer.optimiser.state and not name.endswith((".users", ".items"))
    ]
    known = Sizes(SIZE, 2, sum(whole), len(told[0]) - 1, dim=8)
    counted = json.loads((step / f"step-{worker}.json").read_text())["sent"]
    wanted = machines.step(known, given, asked, distinct)
    assert {name: counted[name] for name in wanted} == wanted
    assert min(wanted.values()) > 0
