"""What a selection has in common: intervals that hold, and nothing told that chance explains."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from micrec_core.evaluation.set_apart import (
    mean_differences,
    share_difference,
    terms_of,
    word_shares,
)
from micrec_core.titles import words_in


def test_words_are_of_three_letters_and_of_three_texts() -> None:
    texts = ["Thai tea", "thai TEA, Thai", "Tea of Siam", "tea 500 ml", "thai"]
    names, has = terms_of(map(words_in, texts))
    assert names == ["tea", "thai"]
    assert has.toarray().tolist() == [[1, 1], [1, 1], [1, 0], [1, 0], [0, 1]]
    assert terms_of([])[0] == []


def test_the_interval_is_newcombes() -> None:
    # Newcombe (1998), table II, method 10, contrast (a): 56/70 against 48/80.
    low, high = share_difference(np.array([56 / 70]), 70, np.array([48 / 80]), 80, 0.05)
    assert (round(float(low[0]), 4), round(float(high[0]), 4)) == (0.0524, 0.3339)


def test_a_word_of_the_selection_is_told_and_a_common_one_is_not() -> None:
    chosen = np.arange(200) < 40
    has = np.zeros((200, 3), np.float32)
    has[:30, 0] = 1  # of the selection
    has[::2, 1] = 1  # of half of everybody
    has[60:90, 2] = 1  # of the rest
    table = word_shares(["thai", "pack", "pan"], csr_matrix(has), chosen)
    assert list(table["what"]) == ["thai"]
    row = table.iloc[0]
    assert (row["here"], row["rest"], row["n"]) == (0.75, 0.0, 40)
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert word_shares(["thai"], csr_matrix(has[:, :1]), np.ones(200, bool)).empty


def test_of_words_that_say_nothing_hardly_any_is_told() -> None:
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(100):
        has = csr_matrix((rng.random((150, 40)) < 0.2).astype(np.float32))
        chosen = rng.permutation(150) < 30
        told += len(word_shares([f"w{i}" for i in range(40)], has, chosen)) > 0
    assert told <= 8, "five in a hundred tables at the level of the table, and not of each word"


def test_means_are_welchs() -> None:
    rng = np.random.default_rng(1)
    numbers = pd.DataFrame({"degree": rng.poisson(5.0, 60), "one": 1.0})
    chosen = np.arange(60) < 20
    table = mean_differences(numbers, chosen).set_index("what")
    a, b = numbers["degree"][chosen], numbers["degree"][~chosen]
    wanted = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 0.05 / 2)
    assert table.loc["degree", ["low", "high"]].tolist() == pytest.approx(list(wanted))
    assert np.isnan(table.loc["one", "low"]) and table.loc["one", "difference"] == 0
    alone = np.arange(60) < 1
    assert np.isnan(mean_differences(numbers[["degree"]], alone)["low"].iloc[0])
