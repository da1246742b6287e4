"""Raw files to tables: what goes in comes out, in every format, whatever the ids and titles."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import check_images, describe, read_dataset
from micrec_core.data.raw import FORMATS, Options, Source, blocks, prepare, rows, texts
from tests.data.conftest import write_dataset
from tests.data.raw_forms import HEADERS, UNRATED, product_line, review_line

# (user id, item id, rating, time); (item id, title, description)
Reviews = Sequence[tuple[str, str, float, int]]
Products = Sequence[tuple[str, str, str]]
REVIEWS: dict[str, Reviews] = {
    "food": [
        ("u0", "f0", 5.0, 30),
        ("u0", "f1", 4.0, 10),
        ("u0", "f0", 3.0, 20),
        ("u1", "f0", 2.0, 40),
        ("u2", "f2", 4.5, 50),
    ],
    "kitchen": [("u0", "k0", 5.0, 30), ("u1", "k0", 4.0, 10), ("w", "k1", 4.0, 20)],
}
PRODUCTS: dict[str, Products] = {
    "food": [("f0", "Tea", "Green tea"), ("f1", "Rice", ""), ("f9", "Salt", "Sold to nobody")],
    "kitchen": [("k0", "Pot", ""), ("k1", "", "A pan")],
}


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_raw(
    root: Path,
    form: str,
    reviews: dict[str, Reviews] = REVIEWS,
    products: dict[str, Products] = PRODUCTS,
    suffix: str = "",
) -> list[Source]:
    """Raw files of each domain, called as they are when downloaded."""
    root.mkdir(parents=True, exist_ok=True)
    endings = (".inter", ".item") if form in ("recbole", "mmrec") else (".jsonl", "_meta.jsonl")
    sources = []
    for name in reviews:
        lines = [review_line(form, r) for r in reviews[name]]
        shelf = [product_line(form, p) for p in products[name]]
        if form in HEADERS:
            lines, shelf = [HEADERS[form][0], *lines], [HEADERS[form][1], *shelf]
        paths = [root / f"{name}{ending}{suffix}" for ending in endings]
        sources.append(Source(name, write_lines(paths[0], lines), write_lines(paths[1], shelf)))
    return sources


def written(root: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
    """(domain, user, item) -> (time, rating) of a prepared dataset's interactions."""
    if (root / "interactions.parquet").exists():
        table = pq.read_table(root / "interactions.parquet").to_pylist()
    else:
        with gzip.open(root / "interactions.csv.gz", "rt", encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
    out = {
        (r["domain"], r["user_id"], r["item_id"]): (
            float(r["timestamp"]),
            float(r["rating"]) if "rating" in r else 0.0,
        )
        for r in table
    }
    assert len(out) == len(table), "a pair is there twice"
    return out


def expected(
    reviews: dict[str, Reviews], least: float = -np.inf
) -> dict[tuple[str, str, str], tuple[float, float]]:
    """The earliest of each pair, of equally early ones the first."""
    out: dict[tuple[str, str, str], tuple[float, float]] = {}
    for name, given_reviews in reviews.items():
        for user, item, rating, time in given_reviews:
            key = (name, user, item)
            if rating >= least and (key not in out or time < out[key][0]):
                out[key] = (time, rating)
    return out


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format(tmp_path: Path, form: str, suffix: str) -> None:
    sources = write_raw(tmp_path / "raw", form, suffix=suffix)
    made = prepare(form, sources, tmp_path / "out")
    wanted = expected(REVIEWS)
    if form in UNRATED:
        wanted = {key: (time, 0.0) for key, (time, _) in wanted.items()}
    assert written(tmp_path / "out") == wanted
    dataset = read_dataset(tmp_path / "out")
    check_images(dataset)
    assert dataset.name == "Food & Kitchen" and not dataset.synthetic
    assert FORMATS[form].label in dataset.source and sources[0].items.name in dataset.source
    assert [d.name for d in dataset.domains] == ["food", "kitchen"]
    food, kitchen = dataset.domains
    assert food.item_ids.tolist() == ["f0", "f1", "f2"], "without f9, that nobody bought"
    assert food.titles.tolist() == ["Tea", "Rice", "f2"], "f2 has no metadata"
    assert food.descriptions.tolist() == ["Green tea", "", ""]
    assert kitchen.titles.tolist() == ["Pot", ""]
    assert kitchen.descriptions.tolist() == ["", "A pan"]
    assert made["overlap"] == describe(dataset)["n_overlap"] == 2
    about = made["domains"]["food"]
    assert (about["users"], about["items"], about["interactions"]) == (3, 3, 4)
    assert about["dropped"] == {"bad line": 0, "repeated": 1}
    assert about["metadata"] == {"used": 2, "bad line": 0, "unused": 1}
    assert (about["without_title"], about["titled_by_id"]) == (0, 1)
    assert made["domains"]["kitchen"]["without_title"] == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "interactions.csv.gz", "items.csv.gz", "dataset.toml",
    }  # fmt: skip


ODD = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
IDS = st.one_of(
    st.text(ODD, min_size=1, max_size=8).filter(lambda s: s == s.strip()),
    st.sampled_from(['"', ",", "a,b", "..", "../../etc", "a/b", "\\", "NULL", "NaN", "0012", "=1"]),
)
TITLES = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), block=st.integers(1, 5), tables=st.sampled_from(["csv", "parquet"]))
@pytest.mark.parametrize("form", ["amazon2023", "amazon2018", "amazon2014", "recbole", "csv"])
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    data: st.DataObject,
    block: int,
    tables: str,
) -> None:
    """Odd ids, unicode titles with entities, repeats, any block size, thresholds, both tables."""
    root = tmp_path_factory.mktemp("raw")
    people = data.draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    reviews: dict[str, Reviews] = {}
    products: dict[str, Products] = {}
    for name in ("food", "küche_2"):
        things = data.draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
        drawn = st.tuples(
            st.sampled_from(people),
            st.sampled_from(things),
            st.sampled_from([1.0, 2.5, 5.0]),
            st.integers(0, 3),
        )
        # The first is known and well rated, so that no drawing is refused.
        reviews[name] = [(people[0], things[0], 5.0, 1), *data.draw(st.lists(drawn, max_size=12))]
        known = data.draw(st.lists(st.sampled_from(things), unique=True))
        shelf = [things[0], *(t for t in known if t != things[0]), "nobody's"]
        titles = [data.draw(TITLES) for _ in shelf]
        products[name] = [(i, t, "Said") for i, t in zip(shelf, titles, strict=True)]
    quoted = {
        name: [(i, html.escape(" ".join(t.split("\t")) if form != "recbole" else one_line(t)), d)
               for i, t, d in given_products]
        for name, given_products in products.items()
    }  # fmt: skip
    least = data.draw(st.sampled_from([None, 2.5]))
    drop = data.draw(st.booleans())
    options = Options(min_rating=least, unknown_items="drop" if drop else "keep", tables=tables)
    sources = write_raw(root, form, reviews, quoted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_BLOCK", block)
        patch.setattr(blocks, "_BLOCK", block)
        made = prepare(form, sources, root / "out", options)
    known_ids = {(n, i) for n, given_products in products.items() for i, *_ in given_products}
    wanted = {
        key: value
        for key, value in expected(reviews, -np.inf if least is None else least).items()
        if not drop or (key[0], key[2]) in known_ids
    }
    assert written(root / "out") == wanted
    for name, about in made["domains"].items():
        assert about["interactions"] + sum(about["dropped"].values()) == len(reviews[name])
    dataset = read_dataset(root / "out")
    for domain in dataset.domains:
        users, items = domain.user_ids[domain.edges.user], domain.item_ids[domain.edges.item]
        pairs = {(domain.name, u, i) for u, i in zip(users, items, strict=True)}
        assert pairs == set(wanted) & {p for p in wanted if p[0] == domain.name}
        said = {i: one_line(t) for i, t, _ in products[domain.name]}
        for item, title in zip(domain.item_ids, domain.titles, strict=True):
            assert title == said.get(item, re.sub(" +", " ", item))


def one_line(text: str) -> str:
    """White space and control characters between words to single spaces."""
    blank = "".join(" " if c.isspace() or ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text)
    return " ".join(blank.split())


@settings(max_examples=25, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(1, 5), st.integers(0, 3)),
        max_size=40,
    ),
    k=st.integers(0, 3),
)
def test_filters_are_those_of_the_reader(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int, int, int]], k: int
) -> None:
    """Prepared with filters, or all rows as a table and filtered by its reader: one dataset."""
    root = tmp_path_factory.mktemp("raw")
    # A block of three by three stands in any core that is asked for.
    core = [(user, item, 5, 9) for user in (10, 11, 12) for item in (10, 11, 12)]
    rated = [(f"u{u}", f"i{i}", float(r), t) for u, i, r, t in [*core, *drawn]]
    reviews: dict[str, Reviews] = {"a": rated, "b": rated[::-1]}
    shelf = [(i, f"no. {i}", "") for i in sorted({r[1] for r in rated})]
    sources = write_raw(root, "amazon2018", reviews, {"a": shelf, "b": shelf})
    early = read_dataset(prepared(sources, root / "out", "amazon2018", min_rating=3, k_core=k))
    columns = ("user_id", "item_id", "rating", "timestamp")
    log = [dict(zip(columns, map(str, r))) | {"domain": n} for n, rs in reviews.items() for r in rs]
    items = [{"item_id": i, "domain": n, "title": t} for n in reviews for i, t, _ in shelf]
    late = read_dataset(
        write_dataset(root / "table", items=items, interactions=log), rating_threshold=3, k_core=k
    )
    for a, b in zip(early.domains, late.domains, strict=True):
        assert a.user_ids.tolist() == b.user_ids.tolist()
        kept = np.isin(b.item_ids, a.item_ids)  # without a core the reader keeps unsold items
        assert a.item_ids.tolist() == b.item_ids[kept].tolist()
        np.testing.assert_array_equal(a.edges.user, b.edges.user)
        assert a.item_ids[a.edges.item].tolist() == b.item_ids[b.edges.item].tolist()
        np.testing.assert_array_equal(a.split, b.split)


def test_tables_of_millions_are_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    read = [read_dataset(prepared(sources, tmp_path / "csv"))]
    monkeypatch.setattr("micrec_core.data.raw.preparing.CSV_INTERACTIONS", 6)
    assert prepare("amazon2023", sources, tmp_path / "out")["tables"] == "parquet"
    assert (tmp_path / "out" / "items.parquet").exists()
    read.append(read_dataset(tmp_path / "out"))
    assert read[0].fingerprint == read[1].fingerprint


def prepared(
    sources: Sequence[Source], out: Path, form: str = "amazon2023", **options: Any
) -> Path:
    prepare(form, sources, out, Options(**options))
    return out


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    for name in ("interactions.csv.gz", "items.csv.gz", "dataset.toml"):
        a, b = (prepared(sources, tmp_path / f"{name}{k}") / name for k in range(2))
        assert a.read_bytes() == b.read_bytes()


def test_atomic_files_without_ratings_and_times(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "recbole")
    write_lines(sources[0].interactions, ["item_id:token\tuser_id:token", "f0\tu0", "f1\tu1"])
    made = prepare("recbole", sources, tmp_path / "out")
    assert [n for n in made["notes"] if "since not every domain has it" in n] == [
        "The column 'timestamp' is left out, since not every domain has it.",
        "The column 'rating' is left out, since not every domain has it.",
    ]
    with gzip.open(tmp_path / "out" / "interactions.csv.gz", "rt") as file:
        assert file.readline() == "user_id,item_id,domain\n"
    assert len(read_dataset(tmp_path / "out").domains[0].edges) == 2


def test_lines_as_they_come(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, blank lines and none at the end are no faults."""
    sources = write_raw(tmp_path, "recbole")
    for path in (sources[0].interactions, sources[0].items):
        lines = path.read_text().splitlines()
        path.write_bytes(b"\xef\xbb\xbf\r\n" + "\r\n\r\n".join(lines).encode())
    assert written(prepared(sources, tmp_path / "out", "recbole")) == expected(REVIEWS)
    domain = read_dataset(tmp_path / "out").domains[0]
    assert domain.descriptions.tolist() == ["Green tea", "", ""]


def test_products_of_2014_may_be_json_too_and_warn_of_nothing(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "amazon2014")
    shelf = [
        r"{'asin': 'f0', 'title': 'A \/ B \'x\' \xe9', 'description': 'b'}",
        '{"asin": "f1", "title": "It\'s", "description": "b"}',
        r"""{'asin': "f2", 'title': '\ud83c\udf5c and \ud83c'}""",
    ]
    write_lines(sources[0].items, shelf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare("amazon2014", sources, tmp_path / "out")
    titles = read_dataset(tmp_path / "out").domains[0].titles.tolist()
    assert titles == ["A \\/ B 'x' é", "It's", "🍜 and \ufffd"]


def test_long_texts_are_cut_as_stated(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    long = {
        "parent_asin": "f0",
        "title": "tea " * 10**5,
        "description": ["x" * 10**6, "<p>" * 10**6],
    }
    write_lines(sources[0].items, [json.dumps(long)])
    domain = read_dataset(prepared(sources, tmp_path / "out")).domains[0]
    assert len(domain.titles[0]) == texts.TITLE_LIMIT - 1
    assert domain.descriptions[0] == "x" * texts.DESCRIPTION_LIMIT


def test_features_speak_where_the_description_is_silent(tmp_path: Path) -> None:
    for form, key in (("amazon2023", "features"), ("amazon2018", "feature")):
        sources = write_raw(tmp_path / form, form)
        item = {"parent_asin": "f0", "asin": "f0", "description": [], key: ["Green", "Leaf"]}
        write_lines(sources[0].items, [json.dumps(item), json.dumps(item | {"title": "second"})])
        made = prepare(form, sources, tmp_path / form / "out")
        domain = read_dataset(tmp_path / form / "out").domains[0]
        assert (domain.descriptions[0], domain.titles[0]) == ("Green Leaf", "")
        assert made["domains"]["food"]["metadata"] == {"used": 1, "bad line": 0, "unused": 1}


def test_a_review_without_its_parent_is_of_the_variant(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    one = {"user_id": "u0", "rating": 5, "timestamp": 1, "asin": "f0"}
    write_lines(sources[0].interactions, [json.dumps(one), json.dumps(one | {"parent_asin": None})])
    assert read_dataset(prepared(sources, tmp_path / "out")).domains[0].item_ids.tolist() == ["f0"]
