"""One moment for everyone: what is later is test, so that nothing later is ever trained on.

Splits per user test each on their own last interactions, and others' later ones are in training:
what will be popular is then known. Ji et al. (2023), "A critical study on data leakage in
recommender system offline evaluation", ACM TOIS 41(3), show that ranks of models change with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.assign import HELD_SHARE
from micrec_core.data.columns import date_in, unit_of
from micrec_core.data.interactions import Log
from micrec_core.data.schema import quote
from micrec_core.data.types import TEST, TRAIN, VALID, Reading
from micrec_core.errors import ConfigError, DataError


def split_by_time(log: Log, reading: Reading, name: str, notes: list[str]) -> Log:
    """The log with a split by time, as ``reading`` asks for it.

    Parameters
    ----------
    name : of the table

    Raises
    ------
    DataError
        There is no time or a split already, or nothing would be left on one side.
    ConfigError
        ``test_from`` is neither a share nor a moment.
    """
    if log.split is not None:
        raise DataError(
            f"{name} has a split of its own, so --split-by time cannot act; leave it out or remove "
            "the column 'split'"
        )
    if log.ordered_by != "time":
        raise DataError(f"{name} has no timestamp for --split-by time; add it or leave it out")
    times = log.orders[0]
    valid_from, test_from = bounds(times, reading.test_from, name)
    split = np.full(len(times), TRAIN, np.int8)
    split[times >= valid_from] = VALID
    split[times >= test_from] = TEST
    n = np.bincount(split, minlength=3)
    notes.append(
        f"The split is one moment for everyone: {n[TEST]:,} interactions from {_shown(test_from)} "
        f"on to test, {n[VALID]:,} from {_shown(valid_from)} on to validation, {n[TRAIN]:,} before "
        "in training."
    )
    return replace(log, split=split)


def bounds(times: NDArray[np.float64], test_from: str, name: str) -> tuple[float, float]:
    """The first moment of validation and of test; equal times are never parted.

    Parameters
    ----------
    times : [n]
    test_from : a share, a date or a time in the unit of ``times``; empty for a tenth. Validation is
        the last share of what is before (with a moment, a tenth)
    """
    share, moment = _asked(times, test_from)
    ordered = np.sort(times)
    if moment is None:
        moment = float(ordered[len(ordered) - max(1, round(share * len(ordered)))])
    before = ordered[ordered < moment]
    if not len(before) or len(before) == len(ordered):
        side = "before" if not len(before) else "from"
        raise DataError(
            f"{name} has no interaction {side} {_shown(moment)} (they are from "
            f"{_shown(ordered[0])} to {_shown(ordered[-1])}); give another --test-from"
        )
    valid_from = float(before[len(before) - max(1, round(share * len(before)))])
    if valid_from == before[0]:
        raise DataError(
            f"{name} has too few moments before {_shown(moment)} to validate on the last of them; "
            "give a later --test-from"
        )
    return valid_from, moment


def _asked(times: NDArray[np.float64], test_from: str) -> tuple[float, float | None]:
    """The share of validation and, where that is the same, of test; the moment that was given."""
    if not test_from:
        return HELD_SHARE, None
    try:
        value = float(test_from)
    except ValueError:
        moment = date_in(test_from, unit_of(times))
        if moment is None:
            raise ConfigError(
                f"test_from is {quote(test_from)}; give a share such as 0.2, or a date such as "
                "2014-05-31 where times are dates or seconds since 1970"
            ) from None
        return HELD_SHARE, moment
    if 0 < value < 0.5:
        return value, None
    if value < 1:
        raise ConfigError(f"test_from is {quote(test_from)}; give a share between 0 and 0.5")
    return HELD_SHARE, value


def _shown(moment: float) -> str:
    """A moment as a date where it is one."""
    unit = unit_of(np.array([moment]))
    if unit is None:
        return f"{moment:g}"
    return str(np.datetime64(int(moment * 1e6 / unit), "us")).replace("T", " ")[:19]
