"""Times as people have them: zone words, far dates, and never two units in one column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from micrec_core.data import read_dataset
from micrec_core.errors import DataError

BASE = 1_570_000_000


def with_times(root: Path, write, rows, time) -> Path:
    items, interactions = rows
    for k, row in enumerate(interactions):
        row["timestamp"] = time(k)
    return write(root, items=items, interactions=interactions)


@pytest.mark.parametrize(
    "form",
    [
        "2019-10-{:02d} 10:00:00 UTC",
        "2019-10-{:02d} 10:00:00 GMT",
        "2019-10-{:02d}T10:00:00Z",
        "2019-10-{:02d}T10:00:00.000+00:00",
        "2019-10-{:02d} 12:00:00+02:00",
        "2019-10-{:02d}",
    ],
)
def test_dates_are_the_split_of_seconds(tmp_path: Path, write, rows, form: str) -> None:
    seconds = with_times(tmp_path / "s", write, rows, lambda k: str(BASE + 86_400 * (k % 28)))
    dates = with_times(tmp_path / "d", write, rows, lambda k: form.format(1 + k % 28))
    assert read_dataset(dates).fingerprint == read_dataset(seconds).fingerprint


def test_far_dates_are_kept_in_order(tmp_path: Path, write, rows) -> None:
    years = [1, 1500, 1969, 2019, 2300, 9999]
    far = with_times(tmp_path / "f", write, rows, lambda k: f"{years[k % 6]:04d}-01-01")
    near = with_times(tmp_path / "n", write, rows, lambda k: f"{2000 + k % 6}-01-01")
    assert read_dataset(far).fingerprint == read_dataset(near).fingerprint


@pytest.mark.parametrize("zone", ["CEST", "EST", "IST"])
def test_a_zone_that_may_be_several_is_asked_for(tmp_path: Path, write, rows, zone, one_sentence):
    root = with_times(
        tmp_path / "d", write, rows, lambda k: f"2019-10-01 10:00:{k % 60:02d} {zone}"
    )
    with pytest.raises(DataError, match=f"write the zone '{zone}' as hours from UTC") as caught:
        read_dataset(root)
    one_sentence(str(caught.value))
    mended = with_times(
        tmp_path / "m", write, rows, lambda k: f"2019-10-01 10:00:{k % 60:02d}+01:00"
    )
    assert read_dataset(mended).domains


@pytest.mark.parametrize(
    ("factor", "unit"), [(1000, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")]
)
def test_two_units_in_one_column_are_refused_with_a_line_of_each(
    tmp_path: Path, write, rows, factor: int, unit: str, one_sentence
) -> None:
    root = with_times(
        tmp_path / "d", write, rows, lambda k: str((BASE + k) * (factor if k >= 20 else 1))
    )
    with pytest.raises(DataError) as caught:
        read_dataset(root)
    said = str(caught.value)
    one_sentence(said)
    assert said.startswith(f"interactions.csv, line 22: timestamp is {(BASE + 20) * factor}")
    assert (
        f"as {unit} since 1970 are, and {BASE}, as seconds are, in interactions.csv, line 2" in said
    )
    mended = with_times(tmp_path / "m", write, rows, lambda k: str(BASE + k))
    assert read_dataset(mended).domains


def test_small_numbers_that_grow_are_no_units(tmp_path: Path, write, rows) -> None:
    values = np.geomspace(1, 1e7, 60)
    assert read_dataset(with_times(tmp_path / "d", write, rows, lambda k: f"{values[k % 60]:.3f}"))
