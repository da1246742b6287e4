"""What is made room for stays where it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.method.growing import with_room_in_memory
from micrec_core.method.memory import Constants


@dataclass(frozen=True)
class Part:
    train: csr_matrix


@dataclass(frozen=True)
class Model:
    domains: tuple[Part, ...]
    memory: tuple


def test_a_regression_keeps_its_weights_beside_new_items() -> None:
    """Rows are of a domain's own items first, then of the others' in their order."""
    before, now, users = (3, 4, 2), (5, 4, 6), 7
    rng = np.random.default_rng(0)
    blocks = {(d, s): rng.normal(size=(before[s], before[d])) for d in range(3) for s in range(3)}
    order = {d: [d, *(s for s in range(3) if s != d)] for d in range(3)}
    memory = tuple(
        (Constants(), 1.0, csr_matrix(np.vstack([blocks[d, s] for s in order[d]])))
        for d in range(3)
    )
    parts = tuple(Part(sparse.csr_matrix((users, n))) for n in now)
    grown = with_room_in_memory(Model(parts, (*memory[:2], None)), before)
    assert grown.memory[2] is None
    for d in range(2):
        found, start = grown.memory[d][2].toarray(), 0
        assert found.shape == (sum(now), now[d])
        for s in order[d]:
            here = found[start : start + now[s]]
            np.testing.assert_array_equal(here[: before[s], : before[d]], blocks[d, s])
            assert not here[before[s] :].any() and not here[:, before[d] :].any()
            start += now[s]
