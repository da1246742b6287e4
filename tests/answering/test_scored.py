"""What is chosen is asked of many users, a block at a time."""

from __future__ import annotations

import numpy as np
import pytest

from micrec_core.answering import scored
from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.answering.scored import spread
from tests.answering.asked import asked_of, ndcg

pytestmark = pytest.mark.usefixtures("one_thread")


def test_blocks_of_users_give_what_all_at_once_do(
    answerer: MicrecAnswerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for d, asked in enumerate(asked_of(answerer)):
        memory = answerer.counted[d]
        assert memory is not None
        part, shares = memory.scores, (0.0, 0.5, 3.0)
        before = asked.users @ asked.items.T
        added = part(asked.taken)
        unit, (alone, beside) = asked.found(part, shares, None, memory)
        if added.any():
            assert unit == pytest.approx(spread(before) / spread(added))
        for share, one, other in zip(shares, alone, beside, strict=True):
            more = np.float32(share * unit) * added
            np.testing.assert_array_equal(one, ndcg(asked.question, before + more))
            np.testing.assert_allclose(
                other, ndcg(asked.question, before + added + more), atol=1e-6
            )
        # Seven users at a time, for there are so many items.
        monkeypatch.setattr(scored, "_NUMBERS", 7 * len(asked.items))
        measured = spread(before[:7]) / spread(added[:7]) if added[:7].any() else 0.0
        assert asked.found(part, shares, None)[0] == pytest.approx(measured)
        same, again = asked.found(part, shares, None, memory, unit=unit)
        monkeypatch.undo()
        assert same == unit
        for one, other in zip((*alone, *beside), (*again[0], *again[1]), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("n_items", "users"), [(0, 4000), (33_554, 4000), (100_000, 1342), (10**7, 1000)]
)
def test_fewer_choose_where_catalogues_are_large(n_items: int, users: int) -> None:
    assert scored.chosen_on(n_items) == users
