"""What a sentence says to the model, how much it counts, and what rules cost a list."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from micrec_core.errors import ConfigError
from micrec_core.serving.lists import cost_of_rules


def test_known_unknown_and_little_words(trained) -> None:
    rec = trained.recommender
    read = rec.words("Moroccan tea and zzgrub")
    assert [(w.text, w.kind) for w in read] == [
        ("Moroccan", "known"), ("tea", "known"), ("and", "little"), ("zzgrub", "unknown")
    ]  # fmt: skip
    assert {domain for domain, _ in read[0].through} <= set(rec.domains)
    for domain, item_id in read[0].through:
        part = trained.world.dataset.domains[rec.domains.index(domain)]
        row = list(part.item_ids).index(item_id)
        assert "moroccan" in f"{part.titles[row]} {part.descriptions[row]}".lower()
    assert read[0].through and not read[3].through


def test_a_sentence_counts_as_so_many_likes_that_say_the_same(trained) -> None:
    """Against an item of the catalogue with the same words, liked so many times."""
    rec = trained.recommender
    domain = rec.domains[0]
    part = rec.bundle.domains[0]
    liked = [str(i) for i in part.item_ids[part.item_degree > 0][:2]]
    once, thrice = (
        rec._folded(rec.user(likes={domain: liked}, text="Moroccan tea", counts_as=n), 0)
        for n in (1, 3)
    )
    for m in ("text",):
        one, three = once.profiles[m], thrice.profiles[m]
        doc = next(e for e in one.evidence if e.domain < 0)
        assert np.allclose(three.query.dense - one.query.dense, 2 * doc.dense[0], atol=1e-6)
        assert sum(e.count for e in three.evidence) == sum(e.count for e in one.evidence) + 2
        assert three.coherence > one.coherence, "likes that say the same are more alike"
    user = rec.user(likes={domain: liked}, text="Moroccan tea", counts_as=20)
    why = rec.explain(user, domain, str(part.item_ids[3]))
    assert why.table["contribution"].sum() == pytest.approx(why.score, rel=1e-4, abs=1e-6)
    kept = rec.without(user, domain, liked[0])
    assert kept.counts_as == 20
    with pytest.raises(ConfigError, match="cannot count as"):
        rec.user(text="tea", counts_as=0)


def test_rules_cost_what_the_list_loses() -> None:
    free, ruled = (pd.DataFrame({"score": s}) for s in ([4.0, 2.0, 1.0], [2.0, 1.0, 0.5]))
    discount = 1 / np.log2([2, 3, 4])
    expected = 1 - ([2, 1, 0.5] @ discount) / ([4, 2, 1] @ discount)
    assert cost_of_rules(free, ruled) == pytest.approx(expected) == pytest.approx(0.5)
    assert cost_of_rules(free, free) == 0
    assert cost_of_rules(free, free.iloc[:0]) == 1
    assert cost_of_rules(free.assign(score=-1.0), ruled) == 0
