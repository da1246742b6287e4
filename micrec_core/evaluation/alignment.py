"""How well the two domains' vectors of the same users agree, always in the full dimension.

With unit vectors a_u, b_u of the overlapping users u = 1..n:

    paired_cosine  mean of a_u . b_u; random: mean of a_u . b_v over all u != v
    mrr            mean of 1 / place of the partner among all users of the other domain by cosine,
                   averaged over both directions; random: its expectation, H_m / m for m users
    recall@10      share of partners within the first 10; random: 10 / m
    uniformity     log of the mean of exp(-2 |x_u - x_v|^2) over pairs u != v, averaged over the two
                   domains (Wang & Isola, 2020), lower is more spread out; random: directions drawn
                   uniformly in the same dimension
    cka            linear CKA of the two matrices (Kornblith et al., 2019); random: shuffled pairs
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from micrec_core.evaluation.compiled import find_places
from micrec_core.evaluation.parallel import map_pieces, one_blas_thread
from micrec_core.evaluation.significance import (
    LEVEL,
    bootstrap_counts,
    bootstrap_interval,
    percentiles,
)
from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.subset import some_of

COLUMNS = ["metric", "value", "low", "high", "random", "n"]

_BLOCK_BYTES = 64 * 2**20
# Uniformity looks at all pairs, so at no more users than this (a seeded sample).
_MOST_USERS = 2000
_UNIFORMITY_RESAMPLES = 500
_CKA_GROUPS = 40
_CKA_SHUFFLES = 10
_NEAREST = 10


class _Measure(NamedTuple):
    value: float
    low: float
    high: float
    random: float
    n: int


_NOTHING = _Measure(np.nan, np.nan, np.nan, np.nan, 0)


def alignment_metrics(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    all_a: NDArray[np.floating] | None = None,
    all_b: NDArray[np.floating] | None = None,
    rows_a: NDArray[np.integer] | None = None,
    rows_b: NDArray[np.integer] | None = None,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Alignment of the overlapping users of two domains.

    Parameters
    ----------
    a, b : float [n, dim], the same users in the same order in both domains
    all_a, all_b : float [m, dim], every user of the domain, the overlapping ones included, among
        whom partners are looked for; None: the overlapping users alone
    rows_a, rows_b : int [n], where in ``all_a`` and ``all_b`` the rows of ``a`` and ``b`` are
    seed : of the intervals. They are percentile bootstraps over users; that of CKA is a
        delete-a-group jackknife, since users drawn twice would raise it

    Returns
    -------
    DataFrame
        metric, value, low, high, random (what unrelated vectors would give), n (users behind it);
        NaN where there are too few users
    """
    if a.shape != b.shape:
        raise ValueError(f"pairs need equal shapes, not {a.shape} and {b.shape}")
    unit_a, unit_b = _unit(a), _unit(b)
    pool_a, rows_a = _pool(unit_a, all_a, rows_a)
    pool_b, rows_b = _pool(unit_b, all_b, rows_b)
    with one_blas_thread():
        mrr, recall = _retrieval([(unit_a, pool_b, rows_b), (unit_b, pool_a, rows_a)], seed)
        measures = {
            "paired_cosine": _paired_cosine(unit_a, unit_b, seed),
            "mrr": mrr,
            f"recall@{_NEAREST}": recall,
            "uniformity": _uniformity(unit_a, unit_b, seed),
            "cka": _cka(np.asarray(a, np.float64), np.asarray(b, np.float64), seed),
        }
    return pd.DataFrame([(name, *m) for name, m in measures.items()], columns=COLUMNS)


def pair_distances(
    a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine distances (0 to 2) of true pairs and of as many random pairs of different users.

    Parameters
    ----------
    a, b : float [n, dim], the same users in the same order

    Returns
    -------
    true, random : float64 [n]; random is empty where n < 2
    """
    unit_a, unit_b = _unit(a), _unit(b)
    true = _distance(unit_a, unit_b)
    n = len(unit_a)
    if n < 2:
        return true, np.empty(0)
    # A random cycle through all users: nobody meets itself.
    order = np.random.default_rng(seed).permutation(n)
    partner = np.empty(n, dtype=np.int64)
    partner[order] = np.roll(order, 1)
    return true, _distance(unit_a, unit_b[partner])


def retrieval_places(
    queries: NDArray[np.floating], pool: NDArray[np.floating], partners: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Place (from 1) of each query's partner among the rows of ``pool``, by inner product.

    Equals share their places: the partner gets the mean of the places its ties take up, so that
    vectors that are all the same are not mistaken for perfect retrieval.

    Parameters
    ----------
    queries : float [n, dim]
    pool : float [m, dim]
    partners : int [n], rows of ``pool``
    """
    places = np.empty(len(queries))
    size = max(1, _BLOCK_BYTES // (4 * max(1, len(pool))))
    transposed = np.ascontiguousarray(pool, dtype=np.float32).T
    # One buffer for all blocks: the allocator would fill a new one with zeros for each.
    buffer = np.empty((min(size, len(queries)), len(pool)), dtype=np.float32)
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        query = np.asarray(queries[rows], dtype=np.float32)
        scores = np.matmul(query, transposed, out=buffer[: len(query)])
        own = np.take_along_axis(scores, np.asarray(partners[rows])[:, None], axis=1)
        find_places(scores, own, places[rows])
    return places


def linear_cka(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Linear centred kernel alignment of two matrices [n, dim] with rows in step, 0 to 1.

    |B'A|^2 / (|A'A| |B'B|) in Frobenius norms after subtraction of column means; NaN where a
    matrix is constant or n < 2.
    """
    if len(a) < 2:
        return float("nan")
    x = np.asarray(a - a.mean(axis=0), dtype=np.float64)
    y = np.asarray(b - b.mean(axis=0), dtype=np.float64)
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / norm) if norm > 0 else float("nan")


def _pool(
    unit: NDArray[np.float32],
    everyone: NDArray[np.floating] | None,
    rows: NDArray[np.integer] | None,
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Unit vectors to search and the rows of the overlapping users among them."""
    if everyone is None:
        return unit, np.arange(len(unit))
    if rows is None or len(rows) != len(unit):
        raise ValueError("rows of the overlapping users among all users are needed, one a user")
    return _unit(everyone), np.asarray(rows)


def _paired_cosine(a: NDArray[np.float32], b: NDArray[np.float32], seed: int) -> _Measure:
    """Mean cosine of the pairs; the mean over all other pairs has a closed form."""
    n = len(a)
    cosine = np.sum(a * b, axis=1, dtype=np.float64)
    interval = bootstrap_interval(cosine, seed=seed)
    everything = float(a.sum(axis=0, dtype=np.float64) @ b.sum(axis=0, dtype=np.float64))
    random = (everything - cosine.sum()) / (n * (n - 1)) if n > 1 else np.nan
    return _Measure(*interval[:3], random, n)


def _retrieval(
    searches: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.integer]]],
    seed: int,
) -> tuple[_Measure, _Measure]:
    """MRR and recall of the partner, per user averaged over the directions of search."""
    n = len(searches[0][0])
    if n == 0:
        return _NOTHING, _NOTHING
    places = np.stack([retrieval_places(*search) for search in searches])
    sizes = np.array([len(pool) for _, pool, _ in searches])
    reciprocal = (1.0 / places).mean(axis=0)
    within = (places <= _NEAREST).mean(axis=0)
    mrr_by_chance = np.mean([np.mean(1.0 / np.arange(1, m + 1)) for m in sizes])
    recall_by_chance = np.mean(np.minimum(_NEAREST / sizes, 1))
    first = bootstrap_interval(reciprocal, seed=seed)
    second = bootstrap_interval(within, seed=seed)
    return (
        _Measure(*first[:3], float(mrr_by_chance), n),
        _Measure(*second[:3], float(recall_by_chance), n),
    )


def _uniformity(a: NDArray[np.float32], b: NDArray[np.float32], seed: int) -> _Measure:
    """Mean uniformity of both domains on at most 2,000 users."""
    if len(a) < 2:
        return _NOTHING
    if len(a) > _MOST_USERS:
        rows = some_of(len(a), _MOST_USERS, seed)
        a, b = a[rows], b[rows]
    n, dim = a.shape
    counts = bootstrap_counts(n, _UNIFORMITY_RESAMPLES, seed)

    def sums(x: NDArray[np.float32]) -> tuple[float, NDArray[np.float64]]:
        """Of the kernel over all pairs, and over those of each resample."""
        kernel = np.exp(4.0 * np.minimum(x @ x.T, 1.0) - 4.0).astype(np.float64)
        np.fill_diagonal(kernel, 0.0)
        return float(kernel.sum()), np.sum((counts @ kernel) * counts, axis=1)

    found = map_pieces(sums, (a, b))
    value = np.mean([np.log(total / (n * (n - 1))) for total, _ in found])
    pairs = n**2 - np.sum(counts**2, axis=1)  # pairs of a user with itself do not count
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = np.mean([np.log(totals / pairs) for _, totals in found], axis=0)
    resampled = resampled[np.isfinite(resampled)]
    low, high = percentiles(resampled) if len(resampled) else (np.nan, np.nan)
    # E exp(4 t) for t the cosine of two uniform directions is the series 0F1(; dim / 2; 4).
    random = np.log(special.hyp0f1(dim / 2, 4.0)) - 4.0
    return _Measure(float(value), float(low), float(high), float(random), n)


def _cka(a: NDArray[np.float64], b: NDArray[np.float64], seed: int) -> _Measure:
    """CKA with a delete-a-group jackknife interval, and its mean over shuffled pairs."""
    n = len(a)
    value = linear_cka(a, b)
    if not np.isfinite(value):
        return _NOTHING._replace(n=n)
    rng = np.random.default_rng(seed)
    groups = min(_CKA_GROUPS, n)
    group = rng.permutation(n) % groups
    left_out = np.array(
        map_pieces(lambda g: linear_cka(a[group != g], b[group != g]), range(groups))
    )
    error = np.sqrt((groups - 1) / groups * np.sum((left_out - left_out.mean()) ** 2))
    reach = stats.norm.ppf(0.5 + LEVEL / 2) * error
    orders = [rng.permutation(n) for _ in range(_CKA_SHUFFLES)]
    shuffled = map_pieces(lambda order: linear_cka(a, b[order]), orders)
    low, high = np.clip([value - reach, value + reach], 0.0, 1.0)
    return _Measure(value, float(low), float(high), float(np.mean(shuffled)), n)


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine distance of unit rows in step."""
    return np.asarray(1.0 - np.sum(a * b, axis=1, dtype=np.float64))


def _unit(x: NDArray[np.floating]) -> NDArray[np.float32]:
    return normalise_rows(np.asarray(x, dtype=np.float32))
