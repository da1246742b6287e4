"""What some rows of a table have in common, held against all the others, with intervals.

Shares are compared by Newcombe's hybrid score interval (1998, method 10), means by Welch's t. One
table's intervals hold together: their level is corrected for how many there are (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_matrix

from micrec_core.evaluation.significance import LEVEL

COLUMNS = ["what", "here", "rest", "difference", "low", "high", "n"]
Mask = NDArray[np.bool_]
# Words that hardly anybody has tell nothing, and few of very many can be told apart from chance.
_LEAST, _MOST = 3, 400


def terms_of(rows_have: Iterable[set[str]]) -> tuple[list[str], csr_matrix]:
    """The commonest terms of some rows, and which row has which: binary CSR [rows, terms]."""
    found = list(rows_have)
    count: dict[str, int] = {}
    for word in (w for words in found for w in words):
        count[word] = count.get(word, 0) + 1
    common = sorted((w for w, n in count.items() if n >= _LEAST), key=lambda w: (-count[w], w))
    names = common[:_MOST]
    place = {word: at for at, word in enumerate(names)}
    pairs = [(row, place[w]) for row, words in enumerate(found) for w in words if w in place]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    shape = (len(found), len(names))
    return names, csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def word_shares(names: list[str], has: csr_matrix, chosen: Mask) -> pd.DataFrame:
    """Words that more of the chosen rows have than of the rest, by the least that it can be.

    Parameters
    ----------
    has : binary [rows, words]

    Returns
    -------
    ``COLUMNS``: here, rest and difference are shares; words that the interval does not tell apart
    from none are left out
    """
    n, others = int(chosen.sum()), int((~chosen).sum())
    if not n or not others or not names:
        return pd.DataFrame(columns=COLUMNS)
    here = np.asarray(has[chosen].sum(axis=0)).ravel() / n
    rest = np.asarray(has[~chosen].sum(axis=0)).ravel() / others
    low, high = share_difference(here, n, rest, others, (1 - LEVEL) / len(names))
    table = pd.DataFrame(
        {"what": names, "here": here, "rest": rest, "difference": here - rest,
         "low": low, "high": high, "n": n}
    )  # fmt: skip
    return table[table["low"] > 0].sort_values("low", ascending=False, ignore_index=True)


def share_difference(
    here: NDArray[np.floating], n: int, rest: NDArray[np.floating], m: int, alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Newcombe's interval of ``here - rest``, shares of ``n`` and of ``m`` independent rows."""
    z = float(stats.norm.isf(alpha / 2))
    (low_a, high_a), (low_b, high_b) = share_interval(here, n, z), share_interval(rest, m, z)
    difference = here - rest
    low = difference - np.hypot(here - low_a, high_b - rest)
    high = difference + np.hypot(high_a - here, rest - low_b)
    return low, high


def share_interval(
    share: NDArray[np.floating], n: int | NDArray[np.integer], z: float = 1.96
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's interval of shares of ``n`` each, which is wider than nothing at 0 and at 1 too."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


def mean_differences(numbers: pd.DataFrame, chosen: Mask) -> pd.DataFrame:
    """Means of each column among the chosen rows and the rest.

    Returns
    -------
    ``COLUMNS``; low and high are NaN where either side has fewer than two rows
    """
    rows = []
    for name in numbers:
        a, b = numbers[name].to_numpy(float)[chosen], numbers[name].to_numpy(float)[~chosen]
        if not len(a) or not len(b):
            continue
        low = high = np.nan
        if min(len(a), len(b)) > 1 and max(np.ptp(a), np.ptp(b)) > 0:
            found = stats.ttest_ind(a, b, equal_var=False)
            low, high = found.confidence_interval(1 - (1 - LEVEL) / len(numbers.columns))
        rows.append([name, a.mean(), b.mean(), a.mean() - b.mean(), low, high, len(a)])
    return pd.DataFrame(rows, columns=COLUMNS)
