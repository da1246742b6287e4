"""The frames of a run's metrics folder, from the answers of its model and of references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.cohorts import (
    degree_differences,
    degree_table,
    item_recall,
    low_degree_test,
)
from micrec_core.evaluation.metric_frames import (
    beyond_table,
    cutoff_table,
    summary_table,
    variants_table,
)
from micrec_core.evaluation.questions import Answer, Outcome, tabulate
from micrec_core.evaluation.significance import holm
from micrec_core.figures.picking import pick
from micrec_core.names import (
    BEYOND_COLUMNS,
    COLD,
    CUTOFF_COLUMNS,
    DEGREE_COLUMNS,
    DEGREE_ITEMS,
    EVERYONE,
    FULL_LIST,
    FULL_MODEL,
    LOW_DEGREE,
    LOW_DEGREE_COLUMNS,
    SUMMARY,
    VARIANTS,
    users_file,
)
from micrec_core.protocols import PROTOCOLS
from micrec_core.running.beside import few_answers
from micrec_core.training.prepare import Prepared

# Of each list, what "beyond accuracy" and the degree bins look at.
SHOWN = 20
COLD_REFERENCES = "metrics/users_cold-domain-references.parquet"


def own_frames(
    prepared: Prepared, own: Outcome, others: Sequence[Outcome], beside: Sequence[Outcome] = ()
) -> dict[str, pd.DataFrame]:
    """Every metrics file of one model, by its path in the run.

    Parameters
    ----------
    own : the run's model
    others : references on the same questions
    beside : baselines, asked of some of the same users; with any, all are tested against ``own``
    """
    everyone = [own, *others, *beside]
    frames = {SUMMARY: tabulate(summary_table, everyone)}
    for protocol in PROTOCOLS:
        users = own.users(protocol)
        if len(users):
            frames[users_file(protocol)] = users
    listed = own.users("new-items", FULL_LIST)
    if len(listed):
        frames["metrics/users_new-items-full-list.parquet"] = listed
    if own.of("cold-domain"):
        frames[COLD] = _cold([own, *others])
        asked = [o.users("cold-domain").assign(model=o.model) for o in others]
        if asked:
            frames[COLD_REFERENCES] = pd.concat(asked, ignore_index=True)
    if own.of("known"):
        frames[DEGREE_ITEMS] = _degree_items(prepared, own)
        frames[LOW_DEGREE] = low_degree_frame(prepared, everyone)
    if beside:
        tested = [own, *(few_answers(o) for o in others), *beside]
        reference = own.model, own.variant
        frames[VARIANTS] = tabulate(partial(variants_table, reference=reference), tested)
    return frames | comparison_frames(prepared, everyone)


def _cold(everyone: Sequence[Outcome]) -> pd.DataFrame:
    """Popularity and the maps between user spaces, each with its paired difference from the model.

    ``everyone`` begins with the run's model, which is the reference.
    """
    own = everyone[0]
    cold = [replace(o, answers=tuple(o.of("cold-domain"))) for o in everyone]
    return tabulate(partial(variants_table, reference=(own.model, own.variant)), cold)


def comparison_frames(prepared: Prepared, outcomes: Sequence[Outcome]) -> dict[str, pd.DataFrame]:
    """Degree bins, curves over the list length and beyond accuracy, of several models.

    Bins of each other model hold its difference from the full MICRec, where that is among them.
    """
    parts: dict[str, list[pd.DataFrame]] = {"degree": [], "cutoff": [], "beyond": []}
    for outcome, answer, items, reference in _of_items(prepared, outcomes):
        q = answer.question
        who: Any = {"model": outcome.model, "variant": outcome.variant, "domain": q.domain}
        degree = _degree(prepared, answer)
        parts["degree"].append(_bins(items, reference).assign(**who)[DEGREE_COLUMNS])
        parts["cutoff"].append(cutoff_table(answer.ranked, q.positives, **who))
        parts["beyond"].append(
            beyond_table(
                answer.ranked[:, :SHOWN], degree, _looks(prepared, q.place), **who,
                candidates=q.candidates,
            )
        )  # fmt: skip
    columns = {"degree": DEGREE_COLUMNS, "cutoff": CUTOFF_COLUMNS, "beyond": BEYOND_COLUMNS}
    return {
        f"metrics/{name}.parquet": pd.concat(frames, ignore_index=True)
        if frames
        else pd.DataFrame(columns=columns[name])
        for name, frames in parts.items()
    }


def low_degree_frame(prepared: Prepared, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Recall of items with few train interactions, tested against the full MICRec among them.

    Holm's correction runs over all models, variants and domains.

    Returns
    -------
    DataFrame
        LOW_DEGREE_COLUMNS
    """
    rows = []
    for outcome, answer, items, reference in _of_items(prepared, outcomes):
        who = {"model": outcome.model, "variant": outcome.variant, "seed": outcome.seed}
        tested = low_degree_test(items, reference)
        rows.append(who | {"domain": answer.question.domain} | tested)
    table = pd.DataFrame(rows, columns=[*LOW_DEGREE_COLUMNS[:-1], "p"])
    return table.assign(p_holm=holm(table["p"]))[LOW_DEGREE_COLUMNS]


def _of_items(
    prepared: Prepared, outcomes: Sequence[Outcome]
) -> Iterator[tuple[Outcome, Answer, pd.DataFrame, pd.DataFrame | None]]:
    """Lists for known users, the hits of each item in them, and those of the full MICRec.

    The latter are of the same users, some of whom a baseline may have been asked about; None for
    the full MICRec itself and where it is not among the outcomes.
    """
    full = {a.question.place: a for o in outcomes if _is_full(o) for a in o.of("known")}
    for outcome in outcomes:
        for answer in outcome.of("known"):
            beside = None if _is_full(outcome) else full.get(answer.question.place)
            reference = None if beside is None else _items(prepared, beside.of(answer.question))
            yield outcome, answer, _items(prepared, answer), reference


def headline(summary: pd.DataFrame, model: str, variant: str) -> dict[str, Any]:
    """The metrics of one model as the command line prints them.

    Returns
    -------
    dict
        protocol -> domain -> metric -> mean, low, high, n
    """
    rows = pick(summary, model=model, variant=variant, cohort=EVERYONE)
    out: dict[str, Any] = {}
    for row in rows.itertuples():
        metrics = out.setdefault(row.protocol, {}).setdefault(row.domain, {})
        bounds = {"mean": float(row.mean), "low": float(row.low), "high": float(row.high)}
        metrics[row.metric] = bounds | {"n": int(row.n)}
    return out


def _is_full(outcome: Outcome) -> bool:
    return (outcome.model, outcome.variant) == FULL_MODEL


def _items(prepared: Prepared, answer: Answer) -> pd.DataFrame:
    """Hits of each item in the lists, as ``item_recall`` counts them."""
    return item_recall(answer.ranked, answer.question.positives, _degree(prepared, answer), SHOWN)


def _bins(items: pd.DataFrame, reference: pd.DataFrame | None) -> pd.DataFrame:
    """``degree_table``, and how much more is found of each bin's items than by the reference."""
    bins = degree_table(items)
    if reference is None:
        return bins.assign(diff=np.nan, diff_low=np.nan, diff_high=np.nan)
    paired = degree_differences(items, reference)
    bounds = {"low": "diff_low", "high": "diff_high"}
    return bins.merge(paired.rename(columns=bounds)[["bin", "diff", *bounds.values()]], on="bin")


def _degree(prepared: Prepared, answer: Answer) -> NDArray[np.int64]:
    return prepared.knowledge.domains[answer.question.place].item_degree.astype(np.int64)


def _degree_items(prepared: Prepared, own: Outcome) -> pd.DataFrame:
    """The run's own model, item by item."""
    parts = []
    for answer in own.of("known"):
        q = answer.question
        items = _items(prepared, answer)
        ids = prepared.dataset.domains[q.place].item_ids[items["item_row"]]
        items = items.assign(domain=q.domain, item_id=ids, bin=items["bin"].astype(str))
        parts.append(items[["domain", "item_id", "degree", "bin", "n_positives", "hits"]])
    return pd.concat(parts, ignore_index=True)


def _looks(prepared: Prepared, place: int) -> NDArray[np.float32] | sparse.csr_matrix:
    """Item features [n_items, dim] in whose cosine lists are similar: text where there is any."""
    for modality in prepared.features.modalities:
        return prepared.features.matrices[modality][place].dense
    return np.zeros((prepared.dataset.domains[place].n_items, 1), np.float32)
