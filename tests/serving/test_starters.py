"""People to start from are nobody's history, and each has a taste of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from micrec_core.serving import starters as module
from micrec_core.serving.starters import gives_away, starters
from micrec_core.titles import words_in


def test_starters_of_any_run(trained) -> None:
    rec = trained.recommender
    found = rec.starters(4)
    assert 2 <= len(found) <= 4
    assert len({person["name"] for person in found}) == len(found)
    titles = " ".join(str(t).lower() for part in rec.bundle.domains for t in part.titles)
    for person in found:
        assert all(word in titles for word in str(person["name"]).lower().split(", "))
        likes = person["likes"]
        assert set(likes) == set(rec.domains)
        assert 1 <= sum(map(len, likes.values())) <= 6
        user = rec.user(likes=likes)
        for d, part in enumerate(rec.bundle.domains):
            rows = user.items[d].tolist()
            assert not gives_away(part.train, rows)
            assert (part.item_degree[rows] >= 3).all(), "more than one person took each"
        assert len(rec.recommend(user, rec.domains[0], 5).items) == 5
    assert found == rec.starters(4), "the same people every time"


def test_one_persons_history_is_given_away() -> None:
    train = csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0]]))
    assert gives_away(train, [0, 1])
    assert not gives_away(train, [1, 2])
    assert not gives_away(train, [0, 3])


def test_a_run_without_common_people_has_starters_too(trained) -> None:
    bundle = trained.recommender.bundle
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = starters(replace(bundle, links=dict.fromkeys(bundle.links, empty)), 3)
    assert found
    assert all(sum(1 for ids in person["likes"].values() if ids) == 1 for person in found)


def test_names_are_the_same_in_every_process(trained, monkeypatch) -> None:
    rec, said = trained.recommender, []
    for backwards in (False, True):
        monkeypatch.setattr(
            module, "words_in", lambda text, way=backwards: sorted(words_in(text), reverse=way)
        )
        said.append([person["name"] for person in rec.starters(6)])
    assert said[0] == said[1]
