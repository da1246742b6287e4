"""Intervals, paired tests, effect sizes and Holm's correction.

The unit is a user (or an item): values are paired per user, resampled over users. Every function is
deterministic under its seed and independent of the number of cores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc

from micrec_core.evaluation.compiled import random_signs, resample_counts
from micrec_core.evaluation.parallel import map_pieces, one_blas_thread

# Bytes of counts or signs that one thread holds at a time.
_PIECE_BYTES = 16 * 2**20
# With this many pairs that differ or fewer, all sign patterns are tried instead of random ones.
_EXACT_PAIRS = 12
# Of more rows than these, sums of resamples and of random signs are drawn from the normal
# distribution that they have then: of a million users, counting took the most of a training.
_NORMAL_FROM = 50_000


# Share of the resamples that an interval holds.
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean, its percentile interval, and how many values it is of (NaN where there are none)."""

    mean: float
    low: float
    high: float
    n: int


class Comparison(NamedTuple):
    """Paired comparison of a with a reference b over the same users.

    Attributes
    ----------
    n : number of pairs
    mean, reference_mean : means of a and b
    diff, low, high : mean of a - b and its bootstrap interval
    relative : diff / reference_mean, NaN where that is 0
    d_z : diff / standard deviation of a - b (Cohen's d for pairs), NaN where that is 0
    p : two-sided p-value of "no difference"
    """

    n: int
    mean: float
    reference_mean: float
    diff: float
    low: float
    high: float
    relative: float
    d_z: float
    p: float


def bootstrap_sums(
    values: NDArray[np.floating], n_resamples: int = 2000, seed: int = 0
) -> NDArray[np.float64]:
    """Column sums of resamples of the rows.

    The exact multinomial bootstrap: each resample draws n rows with replacement, the counts of
    which multiply all columns at once (so that ratios and differences of columns stay paired). Of
    more than 50,000 rows the sums are drawn from their normal limit, columns together as well.

    Parameters
    ----------
    values : float [n, m], finite, n >= 1

    Returns
    -------
    float64 [n_resamples, m]
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    n = len(values)
    if n > _NORMAL_FROM:
        return _normal_sums(values, n_resamples, seed)
    seeds = _streams(seed, n_resamples)

    def work(part: NDArray[np.uint64]) -> NDArray[np.float64]:
        counts = np.empty((len(part), n))
        resample_counts(part, counts)
        return counts @ values

    with one_blas_thread():
        return np.concatenate(map_pieces(work, _pieces(seeds, n)))


def _normal_sums(values: NDArray[np.floating], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """What ``bootstrap_sums`` tends to with the rows: normal, with n times their covariance."""
    (n, m), means = values.shape, values.mean(axis=0)
    covariance, step = np.zeros((m, m)), max(1, _PIECE_BYTES // (8 * m))
    with one_blas_thread():
        for start in range(0, n, step):
            apart = values[start : start + step] - means
            covariance += apart.T @ apart
        draw = np.random.default_rng(seed).multivariate_normal
        return draw(n * means, covariance, n_resamples, check_valid="ignore", method="eigh")


def bootstrap_counts(n: int, n_resamples: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    """How often each resample draws each of n rows: the counts behind ``bootstrap_sums``.

    Returns
    -------
    float64 [n_resamples, n], whole numbers; each row adds up to n
    """
    counts = np.empty((n_resamples, n))
    resample_counts(_streams(seed, n_resamples), counts)
    return counts


def bootstrap_intervals(
    values: NDArray[np.floating], level: float = LEVEL, n_resamples: int = 2000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means of the columns and their percentile intervals, all from the same resamples of rows.

    Parameters
    ----------
    values : float [n, m]

    Returns
    -------
    mean, low, high : float64 [m]; NaN where n = 0
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing.copy(), nothing.copy()
    if not np.all(np.isfinite(values)):
        raise ValueError("values to resample must be finite")
    means = bootstrap_sums(values, n_resamples, seed) / len(values)
    low, high = percentiles(means, level)
    return values.mean(axis=0), low, high


def bootstrap_interval(
    values: ArrayLike, level: float = LEVEL, n_resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of ``values`` [n] and its percentile bootstrap interval."""
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    mean, low, high = bootstrap_intervals(column, level, n_resamples, seed)
    return Interval(float(mean[0]), float(low[0]), float(high[0]), len(column))


def percentiles(
    resampled: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds that hold the middle ``level`` of the resampled values, over the first axis."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return low, high


def sign_flip_p_values(
    differences: NDArray[np.floating], n_permutations: int = 10_000, seed: int = 0
) -> NDArray[np.float64]:
    """Two-sided p-values of the paired permutation (sign-flip) test of a zero mean, per column.

    Under the null hypothesis the two systems are exchangeable for each user, so each difference is
    as likely as its negative. p = (1 + number of flips at least as extreme) / (1 + flips), which is
    never 0; with 12 or fewer pairs that differ all patterns are tried and p is exact, and with more
    than 50,000 the normal limit of the flipped sums says which share is as extreme.

    Parameters
    ----------
    differences : float [n, m], finite

    Returns
    -------
    float64 [m]; 1 where all differences are 0, NaN where n = 0
    """
    differences = np.asarray(differences, dtype=np.float64)
    if len(differences) == 0:
        return np.full(differences.shape[1], np.nan)
    if not np.all(np.isfinite(differences)):
        raise ValueError("differences to test must be finite")
    # Pairs without a difference add nothing whatever their sign.
    moved = np.ascontiguousarray(differences[np.any(differences != 0, axis=1)])
    n = len(moved)
    # Sums that differ only by rounding are ties, and ties count as extreme.
    observed = np.abs(moved.sum(axis=0)) - 1e-12 * np.abs(moved).sum(axis=0)
    if n <= _EXACT_PAIRS:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return np.mean(np.abs((1.0 - 2.0 * patterns) @ moved) >= observed, axis=0)
    if n > _NORMAL_FROM:
        # A column of zeros has a sum of 0, and p = 1.
        size = np.sqrt(np.maximum((moved**2).sum(axis=0), np.finfo(np.float64).tiny))
        share = erfc(np.maximum(observed, 0.0) / size / np.sqrt(2.0))
        return (1.0 + n_permutations * share) / (1.0 + n_permutations)
    seeds = _streams(seed, n_permutations)

    def work(part: NDArray[np.uint64]) -> NDArray[np.int64]:
        signs = np.empty((len(part), n))
        random_signs(part, signs)
        return np.sum(np.abs(signs @ moved) >= observed, axis=0)

    with one_blas_thread():
        extreme = np.sum(map_pieces(work, _pieces(seeds, n)), axis=0)
    return (1.0 + extreme) / (1.0 + n_permutations)


def compare_paired(
    values: NDArray[np.floating], reference: NDArray[np.floating]
) -> list[Comparison]:
    """Compare each column of ``values`` [n, m] with the same column of ``reference`` [n, m].

    Returns
    -------
    list of m Comparison

    Raises
    ------
    ValueError
        The shapes differ or a value is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    reference = np.asarray(reference, dtype=np.float64)
    if values.shape != reference.shape:
        raise ValueError(f"pairs need equal shapes, not {values.shape} and {reference.shape}")
    differences = values - reference
    n = len(differences)
    diff, low, high = bootstrap_intervals(differences)
    p = sign_flip_p_values(differences, seed=1)
    nothing = np.full(differences.shape[1], np.nan)
    spread = differences.std(axis=0, ddof=1) if n > 1 else nothing
    mean = values.mean(axis=0) if n else nothing
    base = reference.mean(axis=0) if n else nothing
    relative, d_z = _ratios(diff, base), _ratios(diff, spread)
    columns = np.stack([mean, base, diff, low, high, relative, d_z, p], axis=1)
    return [Comparison(n, *row) for row in columns.tolist()]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted for the number of comparisons by Holm's step-down method.

    NaN entries (nothing was compared) stay NaN and do not count as comparisons.
    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def compare_table(
    frames: Mapping[str, pd.DataFrame],
    reference: str,
    metrics: Sequence[str],
) -> pd.DataFrame:
    """Compare every frame of values per user with the one called ``reference``.

    Parameters
    ----------
    frames : name -> DataFrame with columns ``domain``, ``user_id`` and the metrics, one row per
        domain and user; users that one of the two lacks are left out of the pair
    metrics : columns to compare

    Returns
    -------
    DataFrame
        name, reference, domain, metric, n, mean, reference_mean, diff, diff_low, diff_high,
        relative, d_z, p, p_holm. Holm's correction runs over all names and domains of one metric.
    """
    metrics = list(metrics)
    base = frames[reference].set_index(["domain", "user_id"])[metrics].add_suffix("|reference")
    if base.index.has_duplicates:
        raise ValueError(f"'{reference}' has several rows for a user of one domain")
    rows = []
    for name, frame in frames.items():
        if name == reference:
            continue
        both = frame.set_index(["domain", "user_id"])[metrics].join(base, how="inner")
        if both.index.has_duplicates:
            raise ValueError(f"'{name}' has several rows for a user of one domain")
        for domain, pairs in both.groupby(level="domain", sort=False):
            results = compare_paired(pairs[metrics].to_numpy(), pairs[base.columns].to_numpy())
            for metric, result in zip(metrics, results):
                rows.append((name, reference, domain, metric, *result, np.nan))
    table = pd.DataFrame(rows, columns=_COMPARE_COLUMNS)
    table["p_holm"] = table.groupby("metric")["p"].transform(holm)
    return table


# With the fields of a ``Comparison`` from ``n`` to ``p``.
_COMPARE_COLUMNS = [
    *("name", "reference", "domain", "metric", "n", "mean", "reference_mean"),
    *("diff", "diff_low", "diff_high", "relative", "d_z", "p", "p_holm"),
]


def _ratios(values: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """values / by, NaN where by is 0 or not a number."""
    known = (by != 0) & np.isfinite(by)
    return np.divide(values, by, out=np.full(by.shape, np.nan), where=known)


def _streams(seed: int, count: int) -> NDArray[np.uint64]:
    """A start for the random stream of each resample."""
    return np.random.SeedSequence(seed).generate_state(count, np.uint64).astype(np.uint64)


def _pieces(seeds: NDArray[np.uint64], n: int) -> list[NDArray[np.uint64]]:
    """The seeds in pieces whose counts or signs over n rows fit one thread's share of memory."""
    size = max(1, _PIECE_BYTES // (8 * max(n, 1)))
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]
