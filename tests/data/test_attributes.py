"""Further columns of items: read by what they look like, the same from every kind of file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.data import read_dataset
from micrec_core.data.raw import Source, prepare
from micrec_core.errors import DataError

N = 30


def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    k = np.arange(N)
    domain = np.where(k < N // 2, "a", "b")
    items = pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in k],
            "domain": domain,
            "title": [f"item {n}" for n in k],
            "brand": np.array(["Acme", "Bolt; Co", ""])[k % 3],
            "price": [f"${n}.99" for n in k],
            "shelf": np.where(k % 2, "Grocery > Tea", "Grocery > Coffee > Beans"),
            "tags": np.where(k % 2, "vegan|raw", ""),
            "year": 1990 + k % 5,
            "url": [f"http://x/{n}" for n in k],
            "number": 700_000 + k,
        }
    )
    pairs = [(f"u{u}", f"i{(u + j) % N}", domain[(u + j) % N]) for u in range(20) for j in range(8)]
    return items, pd.DataFrame(pairs, columns=["user_id", "item_id", "domain"])


def put(root: Path, items: pd.DataFrame, suffix: str, toml: str = "") -> Path:
    root.mkdir()
    frames()[1].to_csv(root / "interactions.csv", index=False)
    path = root / f"items{suffix}"
    if suffix == ".csv":
        items.to_csv(path, index=False)
    else:
        items = items.assign(tags=[t.split("|") if t else None for t in items["tags"]])
        writers = {".parquet": items.to_parquet, ".jsonl": items.to_json}
        options = {} if suffix == ".parquet" else {"orient": "records", "lines": True}
        writers[suffix](path, **options)
    if toml:
        (root / "dataset.toml").write_text(toml, encoding="utf-8")
    return root


def test_columns_are_what_their_values_look_like(tmp_path: Path) -> None:
    dataset = read_dataset(put(tmp_path / "x", frames()[0], ".csv"))
    assert (
        "Attributes in items.csv: 'brand' (category), 'price' (number), 'shelf' (path), "
        "'tags' (list), 'year' (category)."
    ) in dataset.notes
    unused = [note for note in dataset.notes if "not used" in note]
    assert len(unused) == 2 and "'url'" in unused[0] and "'number'" in unused[1]
    assert dataset.domains[0].attributes[:2].tolist() == [
        "brand:category=Acme\nprice:number=0.99\nshelf:path=Grocery > Coffee > Beans\n"
        "year:category=1990",
        "brand:category=Bolt, Co\nprice:number=1.99\nshelf:path=Grocery > Tea\n"
        "tags:list=vegan\ntags:list=raw\nyear:category=1991",
    ]


def test_every_kind_of_file_says_the_same_and_a_changed_brand_is_other_data(tmp_path: Path) -> None:
    items = frames()[0]
    found = [read_dataset(put(tmp_path / s, items, s)) for s in (".csv", ".parquet", ".jsonl")]
    assert len({d.fingerprint for d in found}) == 1
    other = items.assign(brand=items["brand"].replace("Acme", "Zenith"))
    assert read_dataset(put(tmp_path / "z", other, ".csv")).fingerprint != found[0].fingerprint


def test_dataset_toml_says_otherwise(tmp_path: Path) -> None:
    toml = '[attributes]\nyear = "number"\ntags = "ignore"\n'
    dataset = read_dataset(put(tmp_path / "x", frames()[0], ".csv", toml))
    said = dataset.domains[0].attributes[1]
    assert "year:number=1991" in said and "tags" not in said
    for wrong, sentence in (
        ('brnd = "list"', "has no such further column; write 'brand'"),
        ('brand = "lst"', "the attribute 'brand' is 'lst'; use category, list, path, number"),
        ('brand = "number"', "items.csv, line 2: brand is 'Acme', and dataset.toml says that it"),
    ):
        (tmp_path / "x" / "dataset.toml").write_text(f"[attributes]\n{wrong}\n")
        with pytest.raises(DataError, match=sentence):
            read_dataset(tmp_path / "x")


META = {
    "amazon2023": {
        "parent_asin": "B{k}", "title": "T", "store": "Acme", "price": "from 1,012.99",
        "categories": ["Home", "Pans"], "features": ["Steel | black", "Light"],
    },
    "amazon2018": {
        "asin": "B{k}", "title": "T", "brand": "Acme", "price": "$1,012.99",
        "category": ["Home", "Pans"], "feature": ["Steel | black", "Light"],
    },
    "amazon2014": {
        "asin": "B{k}", "title": "T", "brand": "Acme", "price": 1012.99,
        "categories": [["Home", "Pans"], ["Sale"]],
    },
}  # fmt: skip


@pytest.mark.parametrize("form", META)
def test_metadata_of_amazon_is_kept_as_columns(tmp_path: Path, form: str) -> None:
    review = {"user_id": "u", "reviewerID": "u", "rating": 5.0, "overall": 5.0}
    review |= {"timestamp": 1.5e12, "unixReviewTime": 15e8}
    products = [json.dumps(META[form]).replace("{k}", str(k)) for k in range(3)]
    reviews = [json.dumps(review | {"parent_asin": f"B{k}", "asin": f"B{k}"}) for k in range(3)]
    for name, lines in (("meta", products), ("reviews", reviews)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    prepare(form, [Source("home", tmp_path / "reviews", tmp_path / "meta")], tmp_path / "out")
    row = pd.read_csv(tmp_path / "out" / "items.csv.gz").iloc[0]
    maker = "store" if form == "amazon2023" else "brand"
    paths = "Home > Pans|Sale" if form == "amazon2014" else "Home > Pans"
    assert (row[maker], row["price"], row["category"]) == ("Acme", 1012.99, paths)
    assert form == "amazon2014" or row["features"] == "Steel / black|Light"
    said = read_dataset(tmp_path / "out").domains[0].attributes[0]
    assert f"{maker}:category=Acme" in said and "category:path=Home > Pans" in said
