"""One moment for everyone: nothing is trained on that is later than what is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.cli import main
from micrec_core.config import RunSettings
from micrec_core.data import TEST, TRAIN, VALID, Dataset, read_dataset
from micrec_core.data.time_split import bounds
from micrec_core.errors import ConfigError, DataError
from micrec_core.training.prepare import load_dataset

START = 1_400_000_000
DAY = 86_400


def spread(write, root: Path, rows, form=str) -> Path:
    """Interactions a day apart, in an order that is of no domain and no user."""
    items, interactions = rows
    days = np.random.default_rng(0).permutation(len(interactions))
    for row, day in zip(interactions, days, strict=True):
        row["timestamp"] = form(START + int(day) * DAY)
    return write(root, items=items, interactions=interactions)


def times_of(dataset: Dataset, rows, part: int) -> list[float]:
    at = {(r["domain"], r["user_id"], r["item_id"]): float(r["timestamp"]) for r in rows[1]}
    return [
        at[d.name, d.user_ids[u], d.item_ids[i]]
        for d in dataset.domains
        for u, i, s in zip(d.edges.user, d.edges.item, d.split, strict=True)
        if s == part
    ]


@pytest.mark.parametrize("test_from", ["", "0.25", str(START + 40 * DAY), "2014-06-20"])
def test_nothing_later_is_trained_on(tmp_path: Path, write, rows, test_from: str) -> None:
    root = spread(write, tmp_path / "d", rows)
    dataset = read_dataset(root, split_by="time", test_from=test_from)
    train, valid, test = (times_of(dataset, rows, part) for part in (TRAIN, VALID, TEST))
    assert max(train) < min(valid) <= max(valid) < min(test)
    if test_from.startswith("2014"):
        assert min(test) >= 1_403_222_400 > max(valid)  # midnight of that day, in UTC
    if test_from == "0.25":
        assert len(test) == round(0.25 * len(rows[1]))
    (note,) = [n for n in dataset.notes if "one moment for everyone" in n]
    assert f"{len(test)} interactions from 2014-" in note
    # Per user, as it is by default, later ones of others are trained on.
    usual = read_dataset(root)
    assert max(times_of(usual, rows, TRAIN)) > min(times_of(usual, rows, TEST))


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(0, 30), min_size=4, max_size=60),
    share=st.sampled_from(["", "0.1", "0.3", "0.49"]),
)
def test_equal_times_are_never_parted(times: list[int], share: str) -> None:
    values = np.array(times, dtype=np.float64)
    try:
        valid, test = bounds(values, share, "t")
    except DataError as error:
        assert "give another --test-from" in str(error) or "give a later" in str(error)
        return
    assert values.min() < valid < test <= values.max()


@pytest.mark.parametrize(
    ("test_from", "kind", "sentence"),
    [
        ("2030-01-01", DataError, "no interaction from 2030-01-01 00:00:00 (they are from 2014-"),
        ("1990-01-01", DataError, "no interaction before 1990-01-01"),
        ("soon", ConfigError, "give a share such as 0.2, or a date"),
        ("0.7", ConfigError, "a share between 0 and 0.5"),
        ("0", ConfigError, "a share between 0 and 0.5"),
    ],
)
def test_what_cannot_split_is_refused(
    tmp_path: Path, write, rows, test_from, kind, sentence, one_sentence
) -> None:
    root = spread(write, tmp_path / "d", rows)
    with pytest.raises(kind) as caught:
        read_dataset(root, split_by="time", test_from=test_from)
    assert sentence in str(caught.value)
    one_sentence(str(caught.value))


def test_an_option_that_cannot_act_is_refused(tmp_path: Path, write, rows, one_sentence) -> None:
    items, interactions = rows
    with pytest.raises(ConfigError, match="acts with split_by time alone"):
        read_dataset(tmp_path, test_from="0.2")
    split = [{**row, "split": "train"} for row in interactions]
    bare = [{k: v for k, v in row.items() if k != "timestamp"} for row in interactions]
    for log, sentence in ((split, "has a split of its own"), (bare, "has no timestamp")):
        root = write(tmp_path / sentence[4:9].strip(), items=items, interactions=log)
        with pytest.raises(DataError, match=sentence) as caught:
            read_dataset(root, split_by="time")
        one_sentence(str(caught.value))
        assert read_dataset(root).domains


def test_training_and_check_read_it_alike(tmp_path: Path, write, rows, capsys) -> None:
    root = spread(write, tmp_path / "d", rows, lambda t: f"{np.datetime64(t, 's')}Z")
    wanted = read_dataset(root, split_by="time", test_from="2014-06-20").fingerprint
    given_settings = RunSettings(split_by="time", test_from="2014-06-20")
    dataset, split = load_dataset(root, given_settings)
    assert dataset.fingerprint == wanted and sum(len(part.test) for part in split.domains)
    words = ["--split-by", "time", "--test-from", "2014-06-20"]
    assert main(["check", str(root), *words]) == 0
    assert "one moment for everyone" in capsys.readouterr().out
    assert main(["train", str(root), "--out", str(tmp_path / "r"), *words[2:]]) == 2
    assert "--split-by time" in capsys.readouterr().err
    assert RunSettings(test_from=0.2).test_from == "0.2"
