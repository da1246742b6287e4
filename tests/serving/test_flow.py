"""A score grows along the fold-in to exactly what the list says."""

from __future__ import annotations

import numpy as np
import pytest

from micrec_core.serving.flow import STAGES


def test_stages_add_up_to_the_score_whoever_it_is(trained) -> None:
    rec = trained.recommender
    domain, other = rec.domains
    part = rec.bundle.domains[0]
    liked = [str(i) for i in part.item_ids[part.item_degree > 0][:3]]
    there = [str(i) for i in rec.bundle.domains[1].item_ids[:3]]
    people = {
        "known": rec.user(id=str(rec.user_ids(domain)[1])),
        "warm": rec.user(likes={domain: liked}),
        "both": rec.user(likes={domain: liked, other: there}),
        "cold": rec.user(likes={other: there}),
        "said": rec.user(text="Moroccan tea"),
    }
    seen = {}
    for name, user in people.items():
        item_id = str(rec.recommend(user, domain, 1).items["item_id"].iloc[0])
        stages = rec.flow(user, domain, item_id)
        assert [s.name for s in stages] == [n for n in STAGES if n in {s.name for s in stages}]
        total = sum(stage.adds for stage in stages)
        assert total == pytest.approx(rec.explain(user, domain, item_id).score, rel=1e-4)
        np.testing.assert_allclose(stages[-1].so_far, rec.embedding(user, domain), atol=1e-6)
        seen[name] = {stage.name for stage in stages}
    assert "propagation" in seen["warm"] and "propagation" not in seen["cold"]
    assert "bridge" in seen["cold"] and "templates" in seen["warm"]
    assert "content" in seen["said"]
    assert rec.flow(rec.user(), domain, liked[0]) == []
