"""Lists of many: the same as one by one, streamed to a file, and by processes of their own."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.errors import ConfigError, RunError
from micrec_core.serving import Recommender, lists


def test_lists_of_some_are_those_of_all_in_the_order_asked(trained) -> None:
    rec = trained.recommender
    whole = rec.recommend_all("food", k=6)
    asked = list(rec.user_ids("food")[[5, 2, 9]])
    found = rec.recommend_many(asked, "food", k=6)
    assert list(found["user_id"].unique()) == asked
    wanted = pd.concat([whole[whole["user_id"] == user] for user in asked], ignore_index=True)
    pd.testing.assert_frame_equal(found, wanted)
    assert rec.recommend_many([], "food").empty
    with pytest.raises(RunError, match="no user 'nobody' with interactions in 'food'"):
        rec.recommend_many([asked[0], "nobody"], "food")
    with pytest.raises(ConfigError, match="give 1 or more"):
        rec.recommend_many(asked, "food", k=0)


def test_what_is_written_is_what_is_given(trained, tmp_path: Path, monkeypatch) -> None:
    rec = trained.recommender
    monkeypatch.setattr(lists, "_USERS", 50)
    for domain in rec.domains:
        path = tmp_path / f"{domain}.parquet"
        whole = rec.recommend_all(domain, k=4)
        assert rec.write_all(path, domain, k=4) == whole["user_id"].nunique() > 50
        pd.testing.assert_frame_equal(pd.read_parquet(path), whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["food.parquet", "kitchen.parquet"]
    with pytest.raises(ConfigError, match="in a folder that there is"):
        rec.write_all(tmp_path / "nowhere" / "lists.parquet", "food")


def test_another_process_opens_the_run_by_its_path(trained) -> None:
    rec = trained.recommender
    sent = pickle.dumps(rec)
    assert len(sent) < 1000
    same = pickle.loads(sent)
    pd.testing.assert_frame_equal(same.recommend_all("food"), rec.recommend_all("food"))
    with pytest.raises(TypeError, match="without a run"):
        pickle.dumps(Recommender(None, rec.bundle))


def test_serving_loads_neither_torch_nor_scikit_learn(trained, tmp_path: Path) -> None:
    """Nor numba for one list; texts that are new load what their encoder needs."""
    words = f"""
import json, sys
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
def loaded():
    return sorted({{"torch", "sklearn", "numba"}} & set(sys.modules))
rec = Recommender.open(open_run({str(trained.run.path)!r}))
user = rec.user(likes={{"food": list(rec.bundle.domains[0].item_ids[:3])}})
for domain in rec.domains:
    best = rec.recommend(user, domain).items["item_id"][0]
    rec.explain(user, domain, best)
    rec.steps(user, domain)
    rec.similar(domain, best)
one = loaded()
rec.recommend_all("food")
many = loaded()
user = rec.user(text="coffee")
for domain in rec.domains:
    new = rec.new_item(domain, text="tea", users=rec.user_ids(domain)[:2])
    rec.explain(user, domain, new)
print(json.dumps([one, many, loaded()]))
"""
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["numba"], ["numba", "sklearn"]]


def test_equal_scores_go_to_the_lower_row(trained) -> None:
    """A list's scores are those that it was ranked by."""
    found = trained.recommender.recommend_all("food", k=8)
    falls = found.groupby("user_id")["score"].apply(lambda s: bool((np.diff(s) <= 0).all()))
    assert falls.all()
