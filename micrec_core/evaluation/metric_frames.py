"""The frames of a run's metrics folder, long form, from values per user.

A *users frame* has one row per domain and user: ``domain``, ``user_id``, optionally ``cohort`` (one
label a user, such as "overlap" or "single"), ``n_positives`` and the columns ``metric@k``. Every
table here is computed from such frames or from ranked lists, with bootstrap intervals over users.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.beyond import coverage, intra_list_similarity, mean_popularity
from micrec_core.evaluation.metrics import hit_matrix, metric_curves
from micrec_core.evaluation.significance import bootstrap_intervals, compare_paired, holm
from micrec_core.names import (
    BEYOND_COLUMNS,
    CUTOFF_COLUMNS,
    EVERYONE,
    FULL_MODEL,
    METRICS,
    POOLED,
    SUMMARY_COLUMNS,
    VARIANT_COLUMNS,
)

_KEYS = ["domain", "user_id"]


@dataclass(frozen=True)
class Result:
    """One training under one protocol.

    Attributes
    ----------
    model : "micrec", "inmo", "lightgcn", "popularity", ...
    variant : name of what is removed; "full" for nothing
    seed : of the training, or POOLED
    protocol : "known", "new-users", ...
    users : a users frame
    seconds, n_parameters : cost of the training, NaN where not known
    """

    model: str
    variant: str
    seed: int
    protocol: str
    users: pd.DataFrame
    seconds: float = float("nan")
    n_parameters: float = float("nan")


def users_frame(
    metrics: pd.DataFrame,
    domain: str,
    user_ids: Sequence[str] | NDArray[np.object_],
    cohort: Sequence[str] | NDArray[np.object_] | None = None,
) -> pd.DataFrame:
    """A users frame from ``ranking_metrics``.

    Parameters
    ----------
    metrics : as ``ranking_metrics`` gives, indexed by row
    user_ids, cohort : [n], of the rows that were ranked (those without positives included)
    """
    out = metrics.copy()
    out.insert(0, "domain", domain)
    out.insert(1, "user_id", np.asarray(user_ids, dtype=object)[metrics.index])
    if cohort is not None:
        out.insert(2, "cohort", np.asarray(cohort, dtype=object)[metrics.index])
    return out.reset_index(drop=True)


def metric_columns(users: pd.DataFrame) -> list[str]:
    """The columns of a users frame that are metrics."""
    return [column for column in users.columns if "@" in str(column)]


def pool_seeds(results: Iterable[Result]) -> list[Result]:
    """Results averaged over their seeds, user by user, for what was trained with several seeds.

    Their intervals and tests are over users, of the mean model; how seeds differ is told by their
    own rows. Seconds are averaged; a user that some seed lacks is left out.
    """
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.model, result.variant, result.protocol), []).append(result)
    pooled = []
    for members in groups.values():
        if len(members) < 2:
            continue
        columns = metric_columns(members[0].users)
        stacked = pd.concat([member.users for member in members])
        grouped = stacked.groupby(_KEYS, sort=False)
        means = grouped[columns].mean()[grouped.size() == len(members)]
        fixed = members[0].users.drop(columns=columns).set_index(_KEYS)
        users = fixed.join(means, how="inner").reset_index()
        seconds = float(np.mean([member.seconds for member in members]))
        pooled.append(replace(members[0], seed=POOLED, users=users, seconds=seconds))
    return pooled


def summary_table(results: Iterable[Result]) -> pd.DataFrame:
    """Mean and interval of every metric per domain, for everyone and for each cohort.

    Returns
    -------
    DataFrame
        SUMMARY_COLUMNS; n is the number of users behind the mean
    """
    rows: list[tuple] = []
    for result in results:
        metrics = metric_columns(result.users)
        for domain, cohort, users in _groups(result.users):
            values = users[metrics].to_numpy(dtype=np.float64)
            mean, low, high = bootstrap_intervals(values)
            head = (result.model, result.variant, result.seed, result.protocol, domain, cohort)
            rows += [
                (*head, metric, mean[j], low[j], high[j], len(users))
                for j, metric in enumerate(metrics)
            ]
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def variants_table(
    results: Iterable[Result], reference: tuple[str, str] = FULL_MODEL
) -> pd.DataFrame:
    """The summary of every result, with its paired difference from the reference.

    A result is compared with the reference of the same seed and protocol over the users that both
    have; the difference (result minus reference) has a bootstrap interval, and p comes from the
    paired permutation test with Holm's correction over all models, variants and domains of one
    seed, protocol, cohort and metric.

    Parameters
    ----------
    reference : model and variant

    Returns
    -------
    DataFrame
        VARIANT_COLUMNS; diff, its bounds and p_holm are NaN for the reference itself and where
        there is no reference of the same seed and protocol
    """
    results = list(results)
    references = {
        (r.seed, r.protocol): r.users for r in results if (r.model, r.variant) == reference
    }
    tables = []
    for result in results:
        table = summary_table([result])
        base = references.get((result.seed, result.protocol))
        if base is None or (result.model, result.variant) == reference:
            tested = pd.DataFrame(columns=["domain", "cohort", "metric", *_TESTED], dtype=object)
        else:
            tested = _differences(result.users, base)
        table = table.merge(tested, on=["domain", "cohort", "metric"], how="left")
        table[_TESTED] = table[_TESTED].astype(np.float64)
        table["seconds"], table["n_parameters"] = result.seconds, result.n_parameters
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=VARIANT_COLUMNS)
    out = pd.concat(tables, ignore_index=True)
    family = ["seed", "protocol", "cohort", "metric"]
    out["p_holm"] = out.groupby(family)["p"].transform(holm)
    return out[VARIANT_COLUMNS]


def cutoff_table(
    ranked: NDArray[np.integer],
    positives: sparse.csr_matrix,
    *,
    model: str,
    variant: str,
    domain: str,
    cutoffs: Sequence[int] = tuple(range(1, 51)),
) -> pd.DataFrame:
    """Every metric against the length of the list, with intervals over users.

    Parameters
    ----------
    ranked : [n, K] item rows, best first, K at least the largest cutoff
    positives : CSR [n, n_items], row-aligned; rows without positives are left out

    Returns
    -------
    DataFrame
        CUTOFF_COLUMNS; ``metric`` is recall, ndcg, hr, mrr or precision
    """
    hits, n_positives = hit_matrix(ranked, positives)
    kept = n_positives > 0
    curves = metric_curves(hits[kept], n_positives[kept], cutoffs)
    values = np.concatenate([curves[metric] for metric in METRICS], axis=1)
    mean, low, high = bootstrap_intervals(values)
    out = pd.DataFrame(
        {
            "model": model,
            "variant": variant,
            "domain": domain,
            "k": np.tile(np.asarray(cutoffs, dtype=np.int64), len(METRICS)),
            "metric": np.repeat(list(METRICS), len(cutoffs)),
            "mean": mean,
            "low": low,
            "high": high,
        }
    )
    return out[CUTOFF_COLUMNS]


def beyond_table(
    ranked: NDArray[np.integer],
    degree: NDArray[np.integer],
    features: NDArray[np.floating] | sparse.csr_matrix,
    *,
    model: str,
    variant: str,
    domain: str,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Coverage, popularity and similarity within lists, one row.

    Parameters
    ----------
    ranked : [n, k] item rows, -1 for an empty place; every place counts
    degree : int [n_items], train interactions
    features : of the items, [n_items, dim] or CSR; in whose cosine lists are similar
    candidates : bool [n_items], the items that could be recommended
    """
    row = (
        model,
        variant,
        domain,
        coverage(ranked, len(degree), candidates),
        mean_popularity(ranked, degree),
        intra_list_similarity(ranked, features),
    )
    return pd.DataFrame([row], columns=BEYOND_COLUMNS)


_TESTED = ["diff", "diff_low", "diff_high", "p"]


def _differences(users: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """Paired differences and uncorrected p-values per domain, cohort and metric."""
    metrics = metric_columns(users)
    base = reference.set_index(_KEYS)[metrics].add_suffix("|reference")
    if base.index.has_duplicates:
        raise ValueError("the reference has several rows for a user of one domain")
    rows = []
    for domain, cohort, part in _groups(users):
        both = part.set_index(_KEYS)[metrics].join(base, how="inner")
        results = compare_paired(both[metrics].to_numpy(), both[base.columns].to_numpy())
        rows += [
            (domain, cohort, metric, result.diff, result.low, result.high, result.p)
            for metric, result in zip(metrics, results)
        ]
    return pd.DataFrame(rows, columns=["domain", "cohort", "metric", *_TESTED])


def _groups(users: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Domain, cohort and users: everyone of a domain first, then each cohort."""
    for domain, part in users.groupby("domain", sort=False):
        yield str(domain), EVERYONE, part
        if "cohort" in part:
            for cohort, some in part.groupby("cohort", sort=True):
                yield str(domain), str(cohort), some
