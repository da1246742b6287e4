"""Parquet is read a row group at a time, its ids as codes: the dataset is what the text gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import read_dataset
from micrec_core.data.text_table import encode
from micrec_core.errors import DataError


@settings(max_examples=40, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 7), st.integers(0, 4), st.integers(-5, 5), st.sampled_from([0, 1, 2])
        ),
        min_size=1, max_size=40,
    ),
    group=st.integers(1, 9),
    coded=st.booleans(),
    with_split=st.booleans(),
)  # fmt: skip
def test_row_groups_and_dictionaries_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory,
    write,
    drawn: list[tuple[int, int, int, int]],
    group: int,
    coded: bool,
    with_split: bool,
) -> None:
    """Repeats, any order, dictionaries with unused values, whole numbers: the same dataset."""
    root = tmp_path_factory.mktemp("groups")
    words = ("train", "valid", "test")
    columns: dict[str, list] = {
        # Everyone trains in either domain first, so that no drawing is refused.
        "user_id": ["a", "a"] + [f"u{user}" for user, *_ in drawn],
        "item_id": ["f0", "k0"] + [f"{'fk'[item % 2]}{item}" for _, item, *_ in drawn],
        "domain": ["food", "kitchen"] + [("food", "kitchen")[item % 2] for _, item, *_ in drawn],
        "timestamp": [0, 0] + [at for _, _, at, _ in drawn],
        "rating": [3, 3] + [item + 1 for _, item, *_ in drawn],
    }
    if with_split:
        columns["split"] = ["train", "train"] + [words[s] for *_, s in drawn]
    rows = [dict(zip(columns, map(str, row), strict=True)) for row in zip(*columns.values())]
    reference = read_dataset(write(root / "a", interactions=rows), rating_threshold=1)
    made = write(root / "b", ".parquet", interactions=rows)
    table = pa.table(columns)
    if coded:
        for place, name in enumerate(("user_id", "item_id", "domain")):
            spare = pa.array(["", *sorted(set(columns[name]), reverse=True)])
            codes = [spare.index(word).as_py() for word in columns[name]]
            values = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), spare)
            table = table.set_column(place, name, values)
    pq.write_table(table, made / "interactions.parquet", row_group_size=group)
    found = read_dataset(made, rating_threshold=1)
    assert found.fingerprint == reference.fingerprint
    for a, b in zip(reference.domains, found.domains, strict=True):
        for array in ("user_ids", "item_ids", "split"):
            np.testing.assert_array_equal(getattr(a, array), getattr(b, array))
        np.testing.assert_array_equal(a.edges.user, b.edges.user)
        np.testing.assert_array_equal(a.edges.item, b.edges.item)
    assert [n.replace("parquet", "csv") for n in found.notes] == list(reference.notes)


@pytest.mark.parametrize(
    "encoding", ["PLAIN", "RLE_DICTIONARY", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
)
def test_how_texts_are_encoded_makes_no_difference(tmp_path, write, encoding: str) -> None:
    wanted = read_dataset(write(tmp_path / "a")).fingerprint
    made = write(tmp_path / "b", ".parquet")
    coded = encoding == "RLE_DICTIONARY"
    for file in made.glob("*.parquet"):
        table = pq.read_table(file)
        encodings = None if coded else dict.fromkeys(table.column_names, encoding)
        pq.write_table(table, file, use_dictionary=coded, column_encoding=encodings)
    assert read_dataset(made).fingerprint == wanted


def test_codes_are_in_order_of_first_appearance_whatever_the_dictionary_holds() -> None:
    values = pa.array(["", "c", "b", "a"], pa.large_string())
    coded = pa.DictionaryArray.from_arrays(pa.array([3, 1, 3, 1, 2], pa.int32()), values)
    plain = pa.array(["a", "c", "a", "c", "b"], pa.large_string())
    for found in (encode(coded), encode(plain)):
        assert found.codes.tolist() == [0, 1, 0, 1, 2] and found.codes.dtype == np.int32
        assert found.words().tolist() == ["a", "c", "b"]


def test_a_missing_value_in_one_row_group_is_refused_by_its_row(tmp_path, write) -> None:
    root = write(tmp_path, ".parquet")
    path = root / "interactions.parquet"
    table = pq.read_table(path).to_pydict()
    times = [int(t) for t in table["timestamp"]]
    times[5] = None
    table["timestamp"] = times
    pq.write_table(pa.table(table), path, row_group_size=4)
    with pytest.raises(DataError, match=r"interactions.parquet, row 6: timestamp is empty"):
        read_dataset(root)
