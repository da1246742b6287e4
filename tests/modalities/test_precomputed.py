from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.data.readers import read_dataset
from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError, DataError
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.encoders import load_encoder

# In file order, domains mixed: what tells row alignment from domain-by-domain alignment.
ITEMS = [("a0", "food"), ("b0", "kitchen"), ("a1", "food"), ("b1", "kitchen"), ("a2", "food")]
VECTORS = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 0], [0, 1, 1]], dtype=np.float32)


@pytest.fixture
def shop(tmp_path: Path) -> Dataset:
    rows = [f"{item},{domain},title of {item}" for item, domain in ITEMS]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,domain,title", *rows]) + "\n")
    log = [f"u{k},{item},{domain}" for k in range(4) for item, domain in ITEMS]
    (tmp_path / "interactions.csv").write_text("\n".join(["user_id,item_id,domain", *log]) + "\n")
    return read_dataset(tmp_path)


def frame(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "item_id": [item for item, _ in ITEMS],
            "domain": [domain for _, domain in ITEMS],
            "vector": list(VECTORS),
        }
    )
    return table.assign(**changes)


def expected(rows: list[int]) -> np.ndarray:
    vectors = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["npy", "parquet", "parquet shuffled", "float64 npy"])
def test_vectors_reach_their_items(shop: Dataset, kind: str) -> None:
    if kind.endswith("npy"):
        path = shop.root / "vectors.npy"
        np.save(path, VECTORS.astype(np.float64 if "64" in kind else np.float32))
    else:
        path = shop.root / "vectors.parquet"
        frame().sample(frac=1.0, random_state=len(kind)).to_parquet(path)
    for spec in (path.name, str(path)):
        out = encode_dataset(shop, {"text": f"precomputed:{spec}", "image": "none"})
        np.testing.assert_allclose(out.matrices["text"][0].dense, expected([0, 2, 4]), atol=1e-6)
        np.testing.assert_allclose(out.matrices["text"][1].dense, expected([1, 3]), atol=1e-6)
        assert out.encoders["text"].dim == 3


def test_item_without_vector_is_missing(shop: Dataset) -> None:
    frame().iloc[[0, 1, 3, 4]].to_parquet(shop.root / "v.parquet")
    out = encode_dataset(shop, {"image": "precomputed:v.parquet"})
    assert out.modalities == ("text", "image")
    assert out.matrices["image"][0].present.tolist() == [True, False, True]
    zero = VECTORS.copy()
    zero[2] = 0
    np.save(shop.root / "v.npy", zero)
    again = encode_dataset(shop, {"image": "precomputed:v.npy"})
    assert again.fingerprint == out.fingerprint


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_is_refused_by_row(shop: Dataset, bad: float) -> None:
    vectors = VECTORS.copy()
    vectors[3, 1] = bad
    np.save(shop.root / "v.npy", vectors)
    frame(vector=list(vectors)).to_parquet(shop.root / "v.parquet")
    for name in ("v.npy", "v.parquet"):
        with pytest.raises(DataError, match=r"row 4 \(item 'b1' of domain 'kitchen'\)"):
            encode_dataset(shop, {"text": f"precomputed:{name}"})


@pytest.mark.parametrize(
    ("vectors", "part"),
    [
        (VECTORS[:3], "has 3 rows and the item table 5"),
        (VECTORS[0], "must hold a matrix"),
        (VECTORS.astype(str), "must hold a matrix"),
        (np.zeros((5, 3)), "no vector for any item"),
    ],
)
def test_npy_that_does_not_fit(shop: Dataset, vectors: np.ndarray, part: str) -> None:
    np.save(shop.root / "v.npy", vectors)
    with pytest.raises(DataError, match=part):
        encode_dataset(shop, {"text": "precomputed:v.npy"})


def test_pickle_in_an_npy_is_not_opened(shop: Dataset) -> None:
    np.save(shop.root / "v.npy", np.array([{"an": "object"}] * 5, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a readable"):
        encode_dataset(shop, {"text": "precomputed:v.npy"})


def test_parquet_that_does_not_fit(shop: Dataset) -> None:
    path = shop.root / "v.parquet"

    def refuse(table: pd.DataFrame, part: str) -> None:
        table.to_parquet(path)
        with pytest.raises(DataError, match=part):
            encode_dataset(shop, {"text": "precomputed:v.parquet"})

    refuse(frame().drop(columns="vector"), "lacks the column vector")
    refuse(frame(vector=[*VECTORS[:4], VECTORS[0, :2]]), "row 5 a vector that is not a list of 3")
    refuse(frame(vector=[None, *VECTORS[1:]]), "row 1 a vector")
    refuse(frame().iloc[[0, 1, 1]], "two vectors for item 'b0' of domain 'kitchen'")
    refuse(frame().iloc[:0], "has no rows")
    refuse(frame(domain="toys"), "no vector for any item")
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not a readable parquet"):
        encode_dataset(shop, {"text": "precomputed:v.parquet"})


def test_no_such_file_or_kind(shop: Dataset) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        encode_dataset(shop, {"text": "precomputed:absent.npy"})
    (shop.root / "v.csv").write_text("1,2\n")
    with pytest.raises(ConfigError, match=r"\.npz or \.parquet"):
        encode_dataset(shop, {"text": "precomputed:v.csv"})


def test_a_new_text_cannot_be_encoded(shop: Dataset) -> None:
    np.save(shop.root / "v.npy", VECTORS)
    encoder = encode_dataset(shop, {"text": f"precomputed:{shop.root / 'v.npy'}"}).encoders["text"]
    meta, arrays = encoder.state()
    assert str(shop.root) not in str(meta)
    again = load_encoder(meta, arrays)
    assert again.label == "supplied vectors (v.npy)"
    assert again.encode([None, None]).dense.shape == (2, 3)
    with pytest.raises(ConfigError, match="were supplied in a file"):
        again.encode(["green tea"])


FOOD, KITCHEN = VECTORS[[0, 2, 4]], VECTORS[[1, 3]]


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "one npz"])
def test_a_file_for_each_domain(shop: Dataset, kind: str) -> None:
    np.savez(shop.root / "all.npz", food=FOOD, kitchen=KITCHEN)
    for name, vectors in (("food", FOOD), ("kitchen", KITCHEN)):
        np.save(shop.root / f"{name}.npy", vectors)
        np.savez(shop.root / f"{name}.npz", whatever=vectors)
    frame().to_parquet(shop.root / "food.parquet")
    frame().to_parquet(shop.root / "kitchen.parquet")
    spec = "all.npz" if kind == "one npz" else f"food=food.{kind},kitchen=kitchen.{kind}"
    out = encode_dataset(shop, {"text": f"precomputed:{spec}", "image": "none"})
    np.testing.assert_allclose(out.matrices["text"][0].dense, expected([0, 2, 4]), atol=1e-6)
    np.testing.assert_allclose(out.matrices["text"][1].dense, expected([1, 3]), atol=1e-6)


def test_files_for_domains_that_do_not_fit(shop: Dataset) -> None:
    np.save(shop.root / "food.npy", FOOD)
    np.save(shop.root / "narrow.npy", KITCHEN[:, :2])
    np.savez(shop.root / "toys.npz", toys=FOOD)
    np.savez(shop.root / "widths.npz", food=FOOD, kitchen=KITCHEN[:, :2])
    (shop.root / "no.npz").write_bytes(b"PK no")
    for spec, part in (
        ("food=food.npy,kitchen=food.npy", "3 rows and the item table 2"),
        ("food=food.npy,kitchen=narrow.npy", "2 and 3 wide; make them of one width"),
        ("toys.npz", "call each array by its domain"),
        ("widths.npz", "arrays of one width"),
        ("no.npz", "not a readable .npz file"),
        ("food=food.npy,kitchen=none.npy", "there is no file 'none.npy'"),
    ):
        with pytest.raises((DataError, ConfigError), match=part):
            encode_dataset(shop, {"text": f"precomputed:{spec}"})


def test_a_domain_without_a_file_has_no_vectors(shop: Dataset) -> None:
    np.save(shop.root / "food.npy", FOOD)
    out = encode_dataset(shop, {"text": "precomputed:food=food.npy", "image": "none"})
    assert [m.present.any() for m in out.matrices["text"]] == [True, False]
