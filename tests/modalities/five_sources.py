"""Two small shops with columns, relations and supplied vectors, for what goes by all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from micrec_core.data import read_dataset
from micrec_core.sample.generate import generate_sample

BRANDS = ("Acme", "Bolt", "Crown", "Delta")
USES = ("baking", "brewing", "grilling", "frying", "serving")


def make_shops(folder: Path) -> tuple[Path, Path]:
    """The dataset and the file of vectors; the first items have neither columns nor vectors."""
    root = folder / "tiny"
    generate_sample(root, users=100, items=(50, 40), seed=3, picture_size=32)
    # Its own makers and prices, which every item has, would leave none without an attribute.
    items = pd.read_csv(root / "items.csv").drop(columns=["maker", "price"])
    place = np.arange(len(items))
    rng = np.random.default_rng(0)
    items["brand"] = [BRANDS[k % 4] for k in place]
    items["price"] = rng.gamma(2, 5, len(items)).round(2)
    items["category"] = [f"Home > {('Cook', 'Eat')[k % 2]} > Kind {k % 6}" for k in place]
    items.loc[:2, ["brand", "price", "category"]] = None
    items.to_csv(root / "items.csv", index=False)
    keys = (items["domain"] + ":" + items["item_id"]).tolist()
    rows = [(key, "used_for", USES[k % 5]) for k, key in enumerate(keys)][4:]
    rows += [("baking", "part_of", "kitchen work"), ("frying", "part_of", "kitchen work")]
    rows += [("cellar", "part_of", "house")]
    table = pd.DataFrame(rows, columns=["head", "relation", "tail"])
    table.to_csv(root / "relations.csv", index=False)
    parts = [
        pd.DataFrame(
            {
                "item_id": domain.item_ids,
                "domain": domain.name,
                "vector": list(rng.normal(size=(domain.n_items, 6)).astype(np.float32)),
            }
        )
        for domain in read_dataset(root).domains
    ]
    pd.concat(parts)[3:].to_parquet(folder / "audio.parquet")
    return root, folder / "audio.parquet"
