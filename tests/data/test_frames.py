"""Tables in memory give what the same tables give from a folder, and are refused alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from micrec_core.data import dataset_of_frames, read_dataset
from micrec_core.data.about import About
from micrec_core.data.types import Dataset
from micrec_core.errors import DataError


@pytest.fixture
def frames(rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    items, interactions = rows
    return pd.DataFrame(interactions), pd.DataFrame(items)


def made(interactions: pd.DataFrame, items: pd.DataFrame, root: Path = Path()) -> Dataset:
    return dataset_of_frames(interactions, items, About("shop"), root)


@pytest.mark.parametrize("kind", ["text", "numbers, moments and categories"])
def test_frames_give_the_dataset_of_the_folder(shop: Path, frames, kind: str) -> None:
    interactions, items = frames
    items = items.replace("", None)
    if kind != "text":
        seconds = interactions["timestamp"].astype(int)
        interactions = interactions.assign(
            timestamp=pd.to_datetime(seconds, unit="s"), user_id=interactions["user_id"]
        ).astype({"domain": "category", "user_id": object})
    assert made(interactions, items, shop).fingerprint == read_dataset(shop).fingerprint


class Foreign:
    """A frame of another library, as far as we know it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.columns = frame, [*frame.columns]  # a list, as polars has it

    def to_pandas(self) -> pd.DataFrame:
        return self.frame


@pytest.mark.parametrize("kind", [pa.Table.from_pandas, Foreign], ids=["pyarrow", "another"])
def test_frames_of_other_libraries_are_read_alike(frames, shop: Path, kind) -> None:
    assert made(*map(kind, frames), shop).fingerprint == made(*frames, shop).fingerprint


def test_what_is_no_frame_is_called_by_its_type(frames, shop: Path) -> None:
    with pytest.raises(DataError, match="items is of the type 'dict'; give a DataFrame"):
        made(frames[0], frames[1].to_dict(), shop)


def test_an_index_of_ones_own_and_whole_number_ids_do_no_harm(frames, shop: Path) -> None:
    interactions, items = frames
    numbers = {user: k for k, user in enumerate(interactions["user_id"].unique())}
    interactions = interactions.assign(user_id=interactions["user_id"].map(numbers).astype(int))
    interactions.index = pd.Index(np.arange(len(interactions))[::-1] * 3, name="note")
    found = made(interactions, items, shop)
    assert set(found.domains[0].user_ids) <= {str(k) for k in numbers.values()}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda i, t: (i.assign(domain="fod"), t), "interactions.iloc[0]: no item is in"),
        (lambda i, t: (i, t.rename(columns={"title": "titel"})), "rename 'titel'"),
        (lambda i, t: (i.iloc[:0], t), "interactions has columns but no row"),
        (lambda i, t: (i, t.assign(title=[1, "a", *t["title"][2:]])), "items mixes kinds"),
        (lambda i, t: (i, t.assign(title=True)), "items: the column 'title' holds bool"),
        (lambda i, t: (i.assign(user_id=i["user_id"].where(i.index != 3)), t), ".iloc[3]"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(frames, shop: Path, spoil, sentence: str) -> None:
    with pytest.raises(DataError) as refused:
        made(*spoil(*frames), shop)
    assert sentence in str(refused.value)
