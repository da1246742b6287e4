"""Encoders of attributes and of knowledge against what their formulas say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micrec_core.data.types import Dataset, Relations
from micrec_core.errors import DataError
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.encoders import load_encoder
from micrec_core.modalities.item_columns import Columns
from micrec_core.modalities.knowledge_graph import item_knowledge
from micrec_core.modalities.terms import DIM
from micrec_core.modalities.walks import GO_ON, HOPS

TEXTS = [
    "brand:category=Acme\nprice:number=1\nshelf:path=Food > Tea",
    "brand:category=acme\nprice:number=2\nshelf:path=Food > Tea",
    "brand:category=Bolt\nprice:number=3\nshelf:path=Food > Rice",
    "brand:category=Bolt\nprice:number=4\ntags:list=raw\ntags:list=new",
    None,
    "tags:list=raw\ntags:list=new",
]


def test_columns_weigh_by_rarity_and_each_as_much_as_another() -> None:
    encoder = Columns().fit(TEXTS)
    found = encoder.encode(TEXTS)
    assert found.present.tolist() == [True, True, True, True, False, True]
    assert encoder.values("brand") == ["Acme", "Bolt"], "however it is spelt"
    assert encoder.values("shelf") == ["Food", "Food > Tea"], "one item alone has rice"
    # Item 5: two tags of weight 1 / sqrt 2 each, equally rare.
    raw, new = (encoder.terms.index(f"tags={tag}") for tag in ("raw", "new"))
    row = found.sparse[5].toarray().ravel()
    assert row[[raw, new]] == pytest.approx([0.5**0.5] * 2) and np.count_nonzero(row) == 2
    # Item 2: a brand of two of five, and the upper half of a path that three of five are in.
    row = found.sparse[2].toarray().ravel()
    ratio = row[encoder.terms.index("shelf=Food")] / row[encoder.terms.index("brand=Bolt")]
    share = 0.5 / np.hypot(0.5, 1.0)
    expected = share * (1 + np.log(6 / 4)) / (1 + np.log(6 / 3))
    assert ratio == pytest.approx(expected, rel=1e-5)
    assert np.array_equal(found.dense, found.sparse.toarray()), "few terms are their own space"
    assert encoder.in_common(found.sparse[0], found.sparse[1]).startswith("same brand (Acme)")
    assert encoder.in_common(found.sparse[0], found.sparse[5]) == ""


def test_amounts_near_each_other_are_alike_and_a_range_is_all_within() -> None:
    prices = [f"price:number={k}" for k in range(1, 41)]
    encoder = Columns().fit(prices)
    rows = encoder.encode(prices).sparse
    likeness = (rows @ rows.T).toarray()
    assert likeness[10, 11] > likeness[10, 15] > likeness[10, 30] == 0
    said = encoder.encode(["price=10..20", "price = $15"]).sparse
    assert np.argmax((rows @ said.T).toarray()[:, 1]) == 14
    near = (rows @ said.T).toarray()[:, 0]
    assert near[9:20].min() > near[30:].max()


def test_many_terms_become_a_narrow_space_in_which_the_same_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [f"brand:category=b{k % 600}\ntags:list=t{k % 40}" for k in range(1200)]
    monkeypatch.setattr(np, "eye", None)  # as wide as there are terms, squared, is too much
    encoder = Columns().fit(many)
    few = encoder.encode(many[:200])
    assert len(encoder.terms) == 640 and few.dense.shape == (200, DIM) and few.present.all()
    np.testing.assert_allclose(np.linalg.norm(few.dense, axis=1), 1.0, atol=1e-3)
    likeness = few.dense @ few.dense.T
    assert likeness[3, 43] > 0.5 > likeness[3, 4], "of one tag, and of another"


def test_what_is_stored_encodes_the_same_and_damage_is_refused() -> None:
    encoder = Columns().fit(TEXTS)
    meta, arrays = encoder.state()
    again = load_encoder(meta, arrays)
    assert np.array_equal(again.encode(TEXTS).dense, encoder.encode(TEXTS).dense)
    with pytest.raises(DataError, match="does not fit together; encode the dataset again"):
        load_encoder(meta | {"terms": meta["terms"][1:]}, arrays)


def related(dataset: Dataset, triples: list[tuple[str, str, str]]) -> Dataset:
    """With statements whose items are called ``DOMAIN:ID``."""
    names = list(dict.fromkeys(end for head, _, tail in triples for end in (head, tail)))
    kinds = list(dict.fromkeys(kind for _, kind, _ in triples))
    domains = [d.name for d in dataset.domains]
    split = [name.rpartition(":") for name in names]
    rows = [(names.index(h), kinds.index(r), names.index(t)) for h, r, t in triples]
    head, relation, tail = np.array(rows, np.int32).T
    found = Relations(
        np.array([name for _, _, name in split], object),
        np.array([domains.index(d) if d else -1 for d, _, _ in split], np.int32),
        np.array(kinds, object), head, relation, tail,
    )  # fmt: skip
    return replace(dataset, relations=found)


TRIPLES = [
    ("food:f0", "for", "brewing"), ("food:f1", "for", "brewing"), ("kitchen:k0", "for", "brewing"),
    ("brewing", "in", "kitchens"), ("frying", "in", "kitchens"), ("food:f2", "for", "frying"),
    ("kitchens", "near", "hobs"), ("food:f2", "with", "food:f3"),
    ("Ada", "made", "food:f4"), ("Ada", "made", "food:f5"),
]  # fmt: skip


def walks(text: str) -> dict[str, float]:
    pairs = (line.split("\t") for line in text.split("\n"))
    return {term: float(weight) for term, weight in pairs}


def test_walks_end_where_personalised_pagerank_says(dataset: Dataset) -> None:
    told = item_knowledge(related(dataset, TRIPLES))
    ids = [i for d in dataset.domains for i in d.item_ids]
    of = {i: walks(text) for i, text in zip(ids, told, strict=True) if text}
    assert set(of) == {"f0", "f1", "f2", "f3", "f4", "f5", "k0"}
    # From kitchens, walks go on to all but brewing and frying, by whose relation they came.
    first, second, third = ((1 - GO_ON) * GO_ON**hop for hop in range(HOPS))
    ends = {"for → brewing": first, "in → kitchens": second, "near → hobs": third}
    assert of["f0"] == pytest.approx(ends, rel=1e-4)
    assert of["f0"] == of["k0"], "whichever shop they are in"
    assert of["f4"] == of["f5"] == {"made ← Ada": first}
    # What an item names is like it, and nothing that the other says is its own.
    assert of["f3"] == {"with → f3": first}
    assert of["f2"]["with → f3"] == pytest.approx(first / 2, rel=1e-4)


def test_what_is_withheld_leaves_no_trace(dataset: Dataset) -> None:
    whole = item_knowledge(related(dataset, TRIPLES))
    fewer = item_knowledge(related(dataset, [t for t in TRIPLES if "food:f1" not in t]))
    assert [a for a, b in zip(whole, fewer, strict=True) if a != b] == [whole[1]]


def test_neighbours_by_what_is_known_are_told_why(dataset: Dataset) -> None:
    data = related(dataset, TRIPLES)
    none = {"text": "none", "image": "none"}
    found = encode_dataset(data, {**none, "knowledge": "walks"})
    encoder, food = found.encoders["knowledge"], found.matrices["knowledge"][0].sparse
    assert encoder.in_common(food[0], food[1]).startswith("both for brewing")
    assert encoder.in_common(food[4], food[5]) == "Ada made both"
    assert encoder.in_common(food[2], food[3]) == "both with f3"


def test_what_is_asked_for_and_not_there_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    for name, spec in (("attributes", "columns"), ("knowledge", "walks")):
        with pytest.raises(DataError, match=f"so --{name} {spec} has nothing to go by; leave it"):
            encode_dataset(dataset, {name: spec})
