"""Leaving parts out is exact: what is left of every part, item by item, adds up to the score."""

from __future__ import annotations

import numpy as np
import pytest

from micrec_core.errors import ConfigError
from micrec_core.serving.what_if import stays

OFF = (
    ("text",), ("image",), ("templates",), ("neighbours",), ("propagation",), ("bridge",),
    ("memory",), ("text", "neighbours"), ("propagation", "templates", "memory"),
)  # fmt: skip


def users(rec):
    part = rec.bundle.domains[0]
    taken = [str(i) for i in part.item_ids[part.item_degree > 0][:4]]
    return [
        rec.user(id=str(rec.user_ids(rec.domains[0])[3])),
        rec.user(likes={rec.domains[0]: taken}),
        rec.user(likes={rec.domains[1]: [str(rec.bundle.domains[1].item_ids[5])]}),
        rec.user(text="dark roast coffee"),
    ]


@pytest.mark.parametrize("off", OFF)
def test_what_is_left_adds_up_to_the_score(trained, off) -> None:
    """Against the parts of each item by itself, which ``FoldIn.item`` makes another way."""
    rec, domain = trained.recommender, trained.recommender.domains[0]
    for user in users(rec):
        folded = rec._folded(user, 0)
        found = rec.recommend(user, domain, 8, without=off).items
        for row in found.itertuples():
            item = rec._item(0, row.item_id)
            kept = [
                np.sum([b.vectors.sum(axis=0) for b in side.blocks if stays(b, off)], axis=0)
                * np.ones(rec.bundle.dim)
                for side in (folded, item)
            ]
            memory = 0.0 if "memory" in off else rec.explain(user, domain, row.item_id).parts
            memory = memory and memory["memory"]
            assert row.score == pytest.approx(kept[0] @ kept[1] + memory, abs=2e-4, rel=2e-4)
            for source in off:
                if source in rec.sources:
                    assert getattr(row, source) == 0


def test_the_list_is_the_best_of_what_is_left(trained) -> None:
    rec, domain = trained.recommender, trained.recommender.domains[0]
    user = users(rec)[1]
    n = len(rec.bundle.domains[0].item_ids)
    for off in (("text",), ("neighbours", "memory")):
        scores = rec.recommend(user, domain, n, without=off).items["score"].to_numpy()
        assert (np.diff(scores) <= 1e-5).all()
        assert list(rec.recommend(user, domain, 5, without=off).items["item_id"]) == list(
            rec.recommend(user, domain, n, without=off).items["item_id"][:5]
        )


def test_nothing_left_out_is_the_list_and_an_unknown_part_is_refused(trained) -> None:
    rec, domain = trained.recommender, trained.recommender.domains[0]
    user = users(rec)[0]
    whole = rec.recommend(user, domain, 5).items
    assert rec.recommend(user, domain, 5, without=()).items.equals(whole)
    assert set(rec.switches(domain)) == {
        "text", "image", "templates", "neighbours", "propagation", "bridge", "memory"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no 'gravity' to leave out"):
        rec.recommend(user, domain, 5, without=("gravity",))
