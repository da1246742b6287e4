"""Where what is found differs from what was recorded, in sentences; none where it agrees.

Numbers agree where they differ by at most ``tolerance`` times their scale: the largest number
beside them in the record (of the column, of the list, of the explanation).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

EXACT = 1e-6
# So many users that a list or two in another order hardly show in a mean.
MANY = 50


def numbers(
    where: str,
    found: Sequence[float | None],
    recorded: Sequence[float | None],
    tolerance: float = EXACT,
    scale: float | None = None,
) -> list[str]:
    """Compare numbers in step; None is no number and must be none in both."""
    if len(found) != len(recorded):
        return [f"{where}: {len(found)} numbers instead of {len(recorded)}"]
    new, old = _array(found), _array(recorded)
    if (np.isnan(new) != np.isnan(old)).any():
        return [f"{where}: numbers are missing, or there where there were none"]
    largest = max(np.nanmax(np.abs(old)), 1e-12) if np.isfinite(old).any() else 1.0
    off = np.nan_to_num(np.abs(new - old)) / (scale or largest)
    wrong = off > tolerance
    if not wrong.any():
        return []
    at = int(off.argmax())
    return [
        f"{where}: {int(wrong.sum())} of {len(old)} numbers differ, most {new[at]:.8g} from "
        f"{old[at]:.8g} ({off[at]:.1e} of the scale, allowed {tolerance:.0e})"
    ]


def ranked(
    where: str, found: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float = EXACT
) -> list[str]:
    """Compare ``items`` and their ``scores``: only items of equal score may have changed places."""
    said = numbers(f"{where}, scores", found["scores"], recorded["scores"], tolerance)
    if said or found["items"] == recorded["items"]:
        return said
    before = dict(zip(recorded["items"], recorded["scores"], strict=True))
    last = recorded["scores"][-1]
    near = 2 * tolerance * max(map(abs, recorded["scores"]))
    moved = [
        (place, item)
        for place, (item, score) in enumerate(zip(found["items"], found["scores"], strict=True))
        if item != recorded["items"][place] and abs(before.get(item, last) - score) > near
    ]
    return [f"{where}: at place {p + 1} is {i}, not {recorded['items'][p]}" for p, i in moved[:1]]


def explained(
    where: str, found: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float = EXACT
) -> list[str]:
    """Compare a score and its parts by source, by pair of sources and by contributor."""
    scale = max(abs(recorded["score"]), *(abs(v) for v in recorded["contributions"]))
    said = numbers(f"{where}, score", [found["score"]], [recorded["score"]], tolerance, scale)
    said += _mapped(f"{where}, parts", found["parts"], recorded["parts"], tolerance, scale)
    said += numbers(f"{where}, cells", found["cells"], recorded["cells"], tolerance, scale)
    new, old = _by_contributor(found), _by_contributor(recorded)
    for key in sorted(new.keys() | old.keys()):
        pair = new.get(key, []), old.get(key, [])
        longest = max(map(len, pair))
        values = [sorted(v + [0.0] * (longest - len(v))) for v in pair]
        said += numbers(f"{where}, {'|'.join(key)}", *values, tolerance, scale)
    return said


def _by_contributor(told: Mapping[str, Any]) -> dict[tuple[str, ...], list[float]]:
    """Contributions by source, side, domain and contributor; how it is worded does not count."""
    out: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row, value in zip(told["rows"], told["contributions"], strict=True):
        out[tuple(row.split("|")[:4])].append(value)
    return out


def served(
    found: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float = EXACT
) -> list[str]:
    """Compare lists and explanations of people, and new items."""
    said = []
    for name, domains in recorded["people"].items():
        for domain, old in domains.items():
            where, new = f"{name}, {domain}", found["people"][name][domain]
            said += _same(where, new, old, ("kind", "personal"))
            said += ranked(where, new, old, tolerance)
            said += _mapped(f"{where}, weights", new["weights"], old["weights"], tolerance)
            scale = max(map(abs, old["scores"]))
            for source, values in old["parts"].items():
                given = new["parts"].get(source, [])
                said += numbers(f"{where}, part {source}", given, values, tolerance, scale)
            for item in old["explained"].keys() & new["explained"].keys():
                pair = new["explained"][item], old["explained"][item]
                said += explained(f"{where}, why {item}", *pair, tolerance)
    for name, old in recorded["items"].items():
        said += _new_item(f"new item with {name}", found["items"][name], old, tolerance)
    return said


def _new_item(
    where: str, new: Mapping[str, Any], old: Mapping[str, Any], tolerance: float
) -> list[str]:
    if "refused" in old or "refused" in new:
        return [] if new == old else [f"{where}: refused by one and not by the other"]
    said = ranked(f"{where}, similar items", new, old, tolerance)
    said += _mapped(f"{where}, weights", new["weights"], old["weights"], tolerance)
    for person, told in old["explained"].items():
        at = f"{where}, for {person}"
        said += explained(at, new["explained"][person], told, tolerance)
        (place, score, among), (was, was_score, of) = new["ranks"][person], old["ranks"][person]
        # Of the explanation, as its own score: one near zero is a sum of parts that are not.
        scale = max(abs(told["score"]), *(abs(v) for v in told["contributions"]))
        said += numbers(f"{at}, score", [score], [was_score], tolerance, scale)
        if among != of or (place != was and tolerance <= EXACT):
            said.append(f"{at}: place {place} of {among} instead of {was} of {of}")
    return said


def table(
    where: str,
    found: Mapping[str, list[Any]],
    recorded: Mapping[str, list[Any]],
    tolerance: float = EXACT,
) -> list[str]:
    """Compare a table's recorded columns, rows matched by what is no float in them."""
    missing = sorted(recorded.keys() - found.keys())
    if missing:
        return [f"{where}: no column {', '.join(missing)}"]
    values = [name for name, column in recorded.items() if _is_float(column)]
    keys = [name for name in recorded if name not in values]
    old, new = (pd.DataFrame({c: t[c] for c in recorded}) for t in (recorded, found))
    if keys:
        old, new = (t.sort_values(keys, kind="stable", ignore_index=True) for t in (old, new))
    if len(old) != len(new):
        return [f"{where}: {len(new)} rows instead of {len(old)}"]
    said = []
    for name in keys:
        wrong = old[name].astype(str) != new[name].astype(str)
        if wrong.any():
            said.append(f"{where}, {name}: {int(wrong.sum())} of {len(old)} rows are of others")
    if said:
        return said
    for name in values:
        said += numbers(f"{where}, {name}", list(new[name]), list(old[name]), tolerance)
    return said


def _is_float(column: Sequence[Any]) -> bool:
    given = [v for v in column if v is not None]
    return all(isinstance(v, float) for v in given)


def lists(found: Sequence[Mapping[str, Any]], recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare lists without scores: every item at its place."""
    new = {_question(f): dict(zip(f["users"], f["items"], strict=True)) for f in found}
    said = []
    for old in recorded:
        key = _question(old)
        mine = new.get(key, {})
        wrong = [u for u, i in zip(old["users"], old["items"], strict=True) if mine.get(u) != i]
        if wrong or len(mine) != len(old["users"]):
            said.append(
                f"{' '.join(key)}: the lists of {len(wrong)} of {len(old['users'])} users "
                f"differ, of {wrong[:3]} first"
            )
    return said


def _question(asked: Mapping[str, Any]) -> tuple[str, str, str]:
    return asked["protocol"], asked["scope"], asked["domain"]


def history(
    found: Sequence[Mapping[str, float]],
    recorded: Sequence[Mapping[str, float]],
    tolerance: float = EXACT,
) -> list[str]:
    """Compare losses and validation, epoch by epoch."""
    if len(found) != len(recorded):
        return [f"history: {len(found)} epochs instead of {len(recorded)}"]
    said = []
    for new, old in zip(found, recorded, strict=True):
        for name, value in old.items():
            at = f"epoch {old['epoch']:g}, {name}"
            given = [new.get(name)]
            said += numbers(at, given, [value], tolerance, max(abs(value), 1.0))
    return said


def trained(
    found: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float = EXACT
) -> list[str]:
    """Compare a training: its history, the metrics of users and the lists."""
    said = _same("run", found, recorded, ("best_epoch", "n_parameters"))
    said += history(found["history"], recorded["history"], tolerance)
    for name, old in recorded["frames"].items():
        if name not in found["frames"]:
            said.append(f"{name}: there is no such table")
            continue
        said += table(name, found["frames"][name], old, tolerance)
    return said + lists(found["lists"], recorded["lists"])


def means(found: Mapping[str, Any], recorded: Mapping[str, Any], allowed: float) -> list[str]:
    """Compare a training on another machine: mean NDCG@20 where there are many users."""
    new, old = (_means(t["frames"]["summary"]) for t in (found, recorded))
    if new.keys() != old.keys():
        return [f"summary: {sorted(new)} instead of {sorted(old)}"]
    return [
        f"{' '.join(key)}: {new[key]:.4f} instead of {value:.4f} (allowed {allowed:g} apart)"
        for key, value in old.items()
        if abs(new[key] - value) > allowed
    ]


def _means(summary: Mapping[str, list[Any]]) -> dict[tuple[str, ...], float]:
    frame = pd.DataFrame(dict(summary))
    many = frame["n"] >= MANY
    rows = frame[(frame["metric"] == "ndcg@20") & (frame["cohort"] == "all") & many]
    keys = rows[["model", "protocol", "domain"]].itertuples(index=False, name=None)
    return dict(zip(keys, rows["mean"], strict=True))


def _mapped(
    where: str,
    found: Mapping[str, float],
    recorded: Mapping[str, float],
    tolerance: float,
    scale: float | None = None,
) -> list[str]:
    if found.keys() != recorded.keys():
        return [f"{where}: {sorted(found)} instead of {sorted(recorded)}"]
    values = [found[name] for name in recorded], list(recorded.values())
    return numbers(where, *values, tolerance, scale) if recorded else []


def _same(
    where: str, new: Mapping[str, Any], old: Mapping[str, Any], keys: Sequence[str]
) -> list[str]:
    return [f"{where}: {k} is {new[k]} instead of {old[k]}" for k in keys if new[k] != old[k]]


def _array(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in values], np.float64)
