"""How a run ages: slices of time-stamped data, asked of a run that was left alone, of one that was
updated without training, and of one that was trained anew.

Interactions are put in order of time. The first half trains the base; what follows is cut into
slices. In each slice a person's first half is known by then, and the second half is asked for: so
someone who came in this slice has something to go by, as they would have in use. At a slice

* ``untouched`` is the base, which knows of nothing that came after it,
* ``updated`` is the base with everything known by then folded in (``running.update``),
* ``retrained`` is trained on everything known by then, anew.

The latest tenth of what a training knows of a person validates it and is folded in afterwards, for
all three. All are asked the same: the second halves, with everything known by then left out of the
lists, whether a model knows of it or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csr_matrix

from micrec_core.config import RunSettings
from micrec_core.data import columns, dataset_of_frames
from micrec_core.data.about import About, read_about
from micrec_core.data.additions import read_additions
from micrec_core.data.assign import MIN_TO_SPLIT
from micrec_core.data.progress import Progress, silent
from micrec_core.data.readers import read_both
from micrec_core.errors import DataError, RunError
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.significance import bootstrap_interval, compare_paired, holm
from micrec_core.names import HEADLINE
from micrec_core.running.drift import RETRAIN_AT
from micrec_core.running.train import train_run
from micrec_core.running.update import catalogues, extended
from micrec_core.runs import open_run
from micrec_core.serving.bundle import read_bundle
from micrec_core.serving.recommender import Recommender

BASE = 0.5
_VALID = 0.1
_CUTOFF = 20
UNTOUCHED, UPDATED, RETRAINED = SYSTEMS = ("untouched", "updated", "retrained")
# Whose second halves, and of them which: everything, and by what the base knew of.
GROUPS = ("all", "known user, known item", "known user, new item", "new user, known item",
          "new user, new item")  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """One slice.

    Attributes
    ----------
    number : from 1
    known : interactions before it, and the first half of each person's in it
    asked : the second halves, of items that are not known of that person
    """

    number: int
    known: pd.DataFrame
    asked: pd.DataFrame


def cut(interactions: pd.DataFrame, n: int, base: float = BASE) -> tuple[pd.DataFrame, list[Slice]]:
    """What the base knows, and ``n`` slices of equally many interactions.

    Parameters
    ----------
    interactions : user_id, item_id, domain, timestamp
    """
    keys = ["user_id", "domain", "item_id"]
    table = interactions.sort_values(["timestamp", *keys], kind="stable")
    table = table.drop_duplicates(keys).reset_index(drop=True)
    ends = np.round(len(table) * (base + (1 - base) * np.arange(n + 1) / n)).astype(int)
    slices = []
    for number, (begin, end) in enumerate(pairwise(ends), 1):
        here = table[begin:end]
        place = here.groupby("user_id").cumcount()
        size = here.groupby("user_id")["user_id"].transform("size")
        first = place < (size + 1) // 2
        slices.append(Slice(number, pd.concat([table[:begin], here[first]]), here[~first]))
    return table[: ends[0]], slices


def with_validation(known: pd.DataFrame) -> pd.DataFrame:
    """``split``: the latest tenth of each person's validates, of those with ten or more.

    Where nobody has ten, the latest one of those with three or more.
    """
    size = known.groupby("user_id")["user_id"].transform("size")
    left = known.groupby("user_id").cumcount(ascending=False)
    n = (size * _VALID).astype(int)
    if not n.any():
        n = (size >= MIN_TO_SPLIT).astype(int)
    return known.assign(split=np.where(left < n, "valid", "train"))


def age(
    path: Path,
    out: Path,
    settings: RunSettings,
    *,
    slices: int = 10,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, pd.DataFrame]:
    """Train the base and a run a slice, ask all of them, and compare.

    Parameters
    ----------
    path : a folder of tables with time stamps
    out : the runs, ``slice-0`` the base; those that are complete are not trained again

    Returns
    -------
    ``groups``, ``slices`` and ``shares``: what ``compared`` makes of all slices, of each, and of
    those before and from the share of late interactions on at which ``running.drift`` advises to
    train anew; ``asked`` of which

    Raises
    ------
    DataError, ConfigError
        The tables or the settings cannot be used.
    """
    interactions, items, about = _tables(path)
    base, parts = cut(interactions, slices)

    def trained(number: int, known: pd.DataFrame) -> Path:
        progress("slices", number, slices)
        place = out / f"slice-{number}"
        try:
            open_run(place, verify=False)
        except RunError:
            there = _of(items, known)
            data = dataset_of_frames(with_validation(known), there, about, path)
            train_run(data, place, settings, device=device, umap=False, baselines=False)
        return place

    first = trained(0, base)
    untouched = _knowing(first, base, items, path)
    asked = []
    for part in parts:
        systems = {
            UNTOUCHED: untouched,
            UPDATED: _knowing(first, part.known, items, path),
            RETRAINED: _knowing(trained(part.number, part.known), part.known, items, path),
        }
        late = 1.0 - len(base) / len(part.known)
        asked.append(_ask(systems, part, base).assign(slice=part.number, late=late))
    table = pd.concat(asked, ignore_index=True)
    whole = table[table["group"] == GROUPS[0]]
    some = whole.assign(late=np.where(whole["late"] < RETRAIN_AT, 0.0, RETRAIN_AT))
    return {
        "asked": table,
        "groups": compared(table, ["group"]),
        "slices": compared(whole, ["slice", "late"]),
        "shares": compared(some, ["late"]),
    }


def compared(asked: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """NDCG@20 of each system with its interval, and what updating gains and retraining would.

    Returns
    -------
    by, n (people a slice), untouched, updated, retrained (each with ``_low`` and ``_high``),
    ``gain`` (updated over untouched) and ``left`` (retrained over updated), likewise, and their
    p-values, corrected by Holm over all rows of the table
    """
    rows = []
    for key, some in asked.groupby(by, sort=False):
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {"n": len(some)}
        for system in SYSTEMS:
            found = bootstrap_interval(some[system])
            row |= {system: found.mean, f"{system}_low": found.low, f"{system}_high": found.high}
        for name, (better, than) in {
            "gain": (UPDATED, UNTOUCHED), "left": (RETRAINED, UPDATED),
        }.items():  # fmt: skip
            (pair,) = compare_paired(some[[better]].to_numpy(), some[[than]].to_numpy())
            row |= {name: pair.diff, f"{name}_low": pair.low, f"{name}_high": pair.high}
            row[f"{name}_p"] = pair.p
        rows.append(row)
    table = pd.DataFrame(rows)
    names = ["gain_p", "left_p"]
    table[names] = holm(table[names].to_numpy().ravel()).reshape(-1, 2)
    return table


def _tables(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, About]:
    """Interactions with time stamps, items, and what the data is."""
    about = read_about(path)
    log, table = read_both(path, about.dialect)
    if not log.has("timestamp"):
        raise DataError(f"{log.name} has no column 'timestamp'; slices of time need one")
    told = {c: _texts(log.columns[c]) for c in ("user_id", "item_id", "domain")}
    interactions = pd.DataFrame(told | {"timestamp": columns.times(log)})
    items = pd.DataFrame({name: _texts(values) for name, values in table.columns.items()})
    return interactions, items, about


def _texts(values: pa.Array) -> Any:
    return values.cast(pa.large_string()).to_numpy(zero_copy_only=False)


def _of(items: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The items that somebody took by then, in the order of the table."""
    taken = known[["domain", "item_id"]].drop_duplicates()
    return items.merge(taken, on=["domain", "item_id"])


def _knowing(run: Path, known: pd.DataFrame, items: pd.DataFrame, images: Path) -> Recommender:
    """A recommender over a run that knows of everything that is known by then."""
    bundle = read_bundle(open_run(run))
    columns = ["user_id", "item_id", "domain"]
    there = _of(items, known)
    more = read_additions(known[columns], there, catalogues(bundle), images=images)
    return Recommender(None, extended(bundle, more, everyone=False)[0])


def _ask(systems: Mapping[str, Recommender], part: Slice, base: pd.DataFrame) -> pd.DataFrame:
    """NDCG@20 of each system, a row a person and group: the mean over their domains in the slice.

    Only what is asked of a group's own items counts there.
    """
    met = set(zip(base["domain"], base["item_id"], strict=True))
    people, frames = set(base["user_id"]), []
    for domain, wanted in part.asked.groupby("domain"):
        known = part.known[part.known["domain"] == domain]
        ids = sorted({*known["item_id"], *wanted["item_id"]})
        code = {item: place for place, item in enumerate(ids)}
        users = sorted(set(wanted["user_id"]))
        taken = known.groupby("user_id")["item_id"].apply(list).to_dict()
        ranked = {
            name: _lists(system, str(domain), users, taken, code)
            for name, system in systems.items()
        }
        new = np.array([(domain, item) not in met for item in wanted["item_id"]])
        old_user = np.array([user in people for user in users])
        for group, mask in zip(GROUPS, (new | True, ~new, new, ~new, new), strict=True):
            some = wanted[mask]
            row = {user: place for place, user in enumerate(users)}
            pairs = (some["user_id"].map(row), some["item_id"].map(code))
            shape = len(users), len(ids) + 1
            positives = csr_matrix((np.ones(len(some)), pairs), shape)
            found = {
                n: ranking_metrics(r, positives, (_CUTOFF,))[HEADLINE] for n, r in ranked.items()
            }
            frame = pd.DataFrame(found)
            if group != GROUPS[0]:
                frame = frame[old_user[frame.index] == group.startswith("known user")]
            told = np.array(users, object)[frame.index]
            frames.append(frame.assign(group=group, user_id=told))
    table = pd.concat(frames, ignore_index=True)
    return table.groupby(["group", "user_id"], as_index=False)[list(SYSTEMS)].mean()


def _lists(
    recommender: Recommender,
    domain: str,
    users: list[str],
    taken: Mapping[str, list[str]],
    code: Mapping[str, int],
) -> np.ndarray:
    """Codes of the best items of each user, [n, 20], without what is known; -1 for none."""
    d = recommender.domains.index(domain)
    there = set(recommender.bundle.domains[d].item_ids.tolist())
    known = {str(u) for name in recommender.domains for u in recommender.user_ids(name)}
    out = np.full((len(users), _CUTOFF), -1, np.int32)
    for place, user in enumerate(users):
        person = recommender.user(id=user if user in known else None)
        without = [item for item in taken.get(user, ()) if item in there]
        best = recommender.recommend(person, domain, _CUTOFF, exclude=without).items["item_id"]
        found = [code.get(item, len(code)) for item in best]  # of no positive
        out[place, : len(found)] = found
    return out
