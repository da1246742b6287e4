"""What a worker is handed is what the first one has, to the bit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from micrec_core.errors import RunError
from micrec_core.graphs.aggregation import NeighbourGraph
from micrec_core.training.workers.handed import hand_over, handed
from tests.method import worlds


def test_inputs_come_as_they_were(tmp_path: Path) -> None:
    world = worlds.small()
    _, inputs = world.build()
    hand_over(tmp_path / "run" / "checkpoint", inputs, world.edges, 3.5)
    found, edges, per_user = handed(tmp_path / "run" / "checkpoint")
    assert per_user == 3.5 and found.modalities == inputs.modalities and inputs.links
    for pairs, wanted in zip(edges, world.edges, strict=True):
        np.testing.assert_array_equal(pairs.user, wanted.user)
        np.testing.assert_array_equal(pairs.item, wanted.item)
    for link, wanted in zip(found.links, inputs.links, strict=True):
        assert (link.source, link.target) == (wanted.source, wanted.target)
        assert torch.equal(link.source_rows, wanted.source_rows)
        assert torch.equal(link.target_rows, wanted.target_rows)
    looked_at = 0
    for domain, wanted in zip(found.domains, inputs.domains, strict=True):
        assert torch.equal(domain.graph.pattern.indptr, wanted.graph.pattern.indptr)
        assert torch.equal(domain.graph.pattern.indices, wanted.graph.pattern.indices)
        assert domain.graph.pattern.n_cols == wanted.graph.pattern.n_cols
        for side, other in ((domain.users, wanted.users), (domain.items, wanted.items)):
            for name in ("has", "signals", "unseen", "degree"):
                assert torch.equal(getattr(side, name), getattr(other, name)), name
            assert side.content.keys() == other.content.keys()
            for m, content in other.content.items():
                assert torch.equal(side.content[m], content)
                near, theirs = side.neighbours[m], other.neighbours[m]
                assert isinstance(near, NeighbourGraph) and isinstance(theirs, NeighbourGraph)
                assert near.width == theirs.width
                assert (near.matrix != theirs.matrix).nnz == 0
                looked_at += near.matrix.nnz
    assert looked_at


def test_a_machine_that_does_not_see_the_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"which a worker on every machine must see, has no"):
        handed(tmp_path / "run" / "checkpoint")


def test_no_room_is_told(tmp_path: Path) -> None:
    _, inputs = worlds.small().build()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="make room for it"):
        hand_over(tmp_path / "file" / "checkpoint", inputs, worlds.small().edges, 1.0)
