"""What is chosen is asked of many users, a block at a time."""

from __future__ import annotations

import numpy as np
import pytest

from micrec_core.answering import scored
from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.answering.scored import ndcg, spread
from tests.answering.asked import asked_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_blocks_of_users_give_what_all_at_once_do(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for d, asked in enumerate(asked_of(answerer)):
        memory = answerer.counted[d]
        assert memory is not None
        part, weights = memory.scores, (0.0, 0.5, 3.0)
        before = asked.users @ asked.items.T
        added = part(asked.taken)
        found = asked.found(part, weights)
        for values, weight in zip(found, weights, strict=True):
            told = ndcg(asked.question, before + np.float32(weight) * added)
            np.testing.assert_array_equal(values, told)
        beside = asked.found(part, (1.0,), memory)[0]
        np.testing.assert_allclose(beside, ndcg(asked.question, before + 2 * added), atol=1e-6)
        if added.any():
            assert asked.unit(part) == pytest.approx(spread(before) / spread(added))
        # Seven users at a time, for there are so many items.
        monkeypatch.setattr(scored, "_NUMBERS", 7 * len(asked.items))
        again = asked.found(part, weights)
        monkeypatch.undo()
        for one, other in zip(found, again, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
