"""Good tables: the same content in any format is the same dataset; what reading changes is said."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import TEST, TRAIN, VALID, Dataset, describe, read_dataset
from micrec_core.data.assign import assign_split
from micrec_core.data.sources import SUFFIXES
from micrec_core.modalities.dataset import items_saying
from micrec_core.names import ONE_DOMAIN

REAL = Path(__file__).resolve().parents[2] / "../shared/data"


def pairs(dataset: Dataset, name: str) -> dict[tuple[str, str], int]:
    """(user id, item id) -> split of one domain."""
    d = dataset.domain(name)
    users, items = d.user_ids[d.edges.user], d.item_ids[d.edges.item]
    return {(u, i): int(s) for u, i, s in zip(users, items, d.split, strict=True)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_dataset(tmp_path: Path, write, suffix: str) -> None:
    reference = read_dataset(write(tmp_path / "a"))
    other = read_dataset(write(tmp_path / "b", suffix))
    assert other.fingerprint == reference.fingerprint
    for a, b in zip(reference.domains, other.domains, strict=True):
        for column in ("user_ids", "item_ids", "titles", "descriptions", "images", "split"):
            np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
        np.testing.assert_array_equal(a.edges.user, b.edges.user)
        np.testing.assert_array_equal(a.edges.item, b.edges.item)
    assert reference.domain("food").descriptions[1] == 'Made of "1", tin\nand salt'


def test_types_and_shapes(shop: Path) -> None:
    dataset = read_dataset(shop)
    assert [d.name for d in dataset.domains] == ["food", "kitchen"]
    assert [d.label for d in dataset.domains] == ["Food", "Kitchen"]
    assert dataset.name == "shop"
    for d in dataset.domains:
        assert d.edges.user.dtype == d.edges.item.dtype == np.int32
        assert d.split.dtype == np.int8
        assert d.user_ids.dtype == d.images.dtype == object
        assert list(d.user_ids) == sorted(d.user_ids)
        assert (np.diff(d.edges.user) >= 0).all()


@pytest.mark.parametrize(
    "change",
    ["crlf", "bom", "two boms", "blank lines", "quoted", "column order", "spaces in the header",
     "columns without a name"],
)  # fmt: skip
def test_ways_of_writing_csv_make_no_difference(tmp_path: Path, write, change: str) -> None:
    reference = read_dataset(write(tmp_path / "a")).fingerprint
    root = write(tmp_path / "b")
    path = root / "interactions.csv"
    lines = path.read_text().splitlines()
    if change == "crlf":
        path.write_bytes("\r\n".join(lines).encode())
    elif change == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    elif change == "two boms":
        path.write_bytes(b"\xef\xbb\xbf" * 2 + path.read_bytes())
    elif change == "spaces in the header":
        path.write_text("\n".join([lines[0].replace(",", " , "), *lines[1:]]))
    elif change == "columns without a name":
        path.write_text(
            "\n".join(f"{line},{'' if k else ' '},{k or ''}" for k, line in enumerate(lines))
        )
    elif change == "blank lines":
        path.write_text("\n" + "\n\n".join(lines) + "\n\n")
    elif change == "quoted":
        path.write_text("\n".join(",".join(f'"{f}"' for f in x.split(",")) for x in lines))
    else:
        path.write_text("\n".join(",".join(reversed(x.split(","))) for x in lines))
    assert read_dataset(root).fingerprint == reference


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**16), timed=st.booleans())
def test_order_of_rows_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, write, good_rows, seed: int, timed: bool
) -> None:
    rng = np.random.default_rng(seed)
    items, interactions = good_rows
    interactions = [
        {k: v for k, v in row.items() if timed or k != "timestamp"} for row in interactions
    ]
    twice = [dict(row, split=word) for row in interactions for word in ("train", "test")]
    for table in (interactions, twice):
        root = tmp_path_factory.mktemp("order")
        a = read_dataset(write(root / "a", items=items, interactions=table))
        b = read_dataset(
            write(
                root / "b",
                items=[items[k] for k in rng.permutation(len(items))],
                interactions=[table[k] for k in rng.permutation(len(table))],
            )
        )
        assert a.fingerprint == b.fingerprint
        assert all(pairs(a, n) == pairs(b, n) for n in ("food", "kitchen"))


def test_fingerprint_follows_content_and_not_names(tmp_path: Path, write, rows) -> None:
    reference = read_dataset(write(tmp_path / "a")).fingerprint
    named = read_dataset(write(tmp_path / "n", toml='name = "x"\nsource = "y"\nsynthetic = true'))
    assert named.fingerprint == reference
    seen = {reference}
    for k, change in enumerate(("title", "description", "item", "picture", "time", "order")):
        items, interactions = ([dict(r) for r in part] for part in rows)
        toml = 'domains = ["kitchen", "food"]' if change == "order" else None
        if change in ("title", "description"):
            items[3][change] += "x"
        elif change == "item":
            items.append({"item_id": "f9", "domain": "food", "title": "", "image": ""})
            items[-1]["description"] = ""
        elif change == "time":
            interactions[0]["timestamp"] = "9999"
        root = write(tmp_path / str(k), items=items, interactions=interactions, toml=toml)
        if change == "picture":
            (root / "images" / "food0.png").write_bytes(b"other bytes")
        seen.add(read_dataset(root).fingerprint)
    assert len(seen) == 7


def test_dataset_toml_gives_order_labels_and_origin(tmp_path: Path, write) -> None:
    toml = (
        'name = "n"\nsynthetic = true\nsource = "s"\nlicence = "l"\n'
        '[domains]\nkitchen = "Pots & pans"\nfood = ""\n[generator]\nseed = 3\n'
    )
    dataset = read_dataset(write(tmp_path / "x", toml=toml))
    assert (dataset.name, dataset.source, dataset.licence) == ("n", "s", "l")
    assert dataset.synthetic
    assert [(d.name, d.label) for d in dataset.domains] == [
        ("kitchen", "Pots & pans"),
        ("food", "Food"),
    ]


def test_split_column_is_honoured(tmp_path: Path, write, rows) -> None:
    _, interactions = rows
    words = ("train", "valid", "test")
    for k, row in enumerate(interactions):
        row["split"] = words[k % 3]
    dataset = read_dataset(write(tmp_path / "x", interactions=interactions))
    for row in interactions:
        assert pairs(dataset, row["domain"])[row["user_id"], row["item_id"]] == words.index(
            row["split"]
        )
    assert "The split is the table's own." in dataset.notes


@pytest.mark.parametrize("column", ["timestamp", "position", "dates", "none"])
def test_split_by_time_by_position_or_at_random(tmp_path: Path, write, rows, column: str) -> None:
    _, interactions = rows
    for row in interactions:
        k = int(row.pop("timestamp")) - 1000
        if column == "dates":
            row["timestamp"] = f"2014-05-{1 + k:02d}T10:00:00"
        elif column != "none":
            row[column] = str(100 - k) if column == "position" else str(k)
    root = write(tmp_path / "x", interactions=interactions)
    dataset = read_dataset(root)
    last = {"timestamp": "time", "dates": "time", "position": "position"}
    how = f"by {last[column]}" if column in last else "at random (seed 0)"
    assert any(how in note for note in dataset.notes)
    for name in ("food", "kitchen"):
        by_user: dict[str, list[tuple[str, int]]] = {}
        for (user, item), split in pairs(dataset, name).items():
            by_user.setdefault(user, []).append((item, split))
        for taken in by_user.values():
            ordered = [s for _, s in sorted(taken, reverse=column == "position")]
            assert sorted(ordered) == [TRAIN, TRAIN, VALID, TEST]
            if column != "none":
                assert ordered == sorted(ordered)
    if column == "none":
        assert read_dataset(root).fingerprint == dataset.fingerprint
        assert read_dataset(root, seed=1).fingerprint != dataset.fingerprint


@settings(max_examples=60, deadline=None)
@given(
    degrees=st.lists(st.integers(0, 45), min_size=1, max_size=12),
    seed=st.integers(0, 99),
    timed=st.booleans(),
)
def test_assigned_split_counts_and_order(degrees: list[int], seed: int, timed: bool) -> None:
    rng = np.random.default_rng(seed)
    user = rng.permutation(np.repeat(np.arange(len(degrees)), degrees))
    when = rng.integers(0, 5, len(user)).astype(float)
    split = assign_split(user, (when,) if timed else (), np.random.default_rng(seed))
    for u, n in enumerate(degrees):
        mine = split[user == u]
        held = max(1, int(n / 10 + 0.5)) if n >= 3 else 0
        assert (mine == TEST).sum() == (mine == VALID).sum() == held
        assert n == 0 or (mine == TRAIN).any()
        if timed and held:
            t = when[user == u]
            assert t[mine == TRAIN].max() <= t[mine == VALID].min()
            assert t[mine == VALID].max() <= t[mine == TEST].min()


def test_repeats_are_merged_and_the_earliest_stays(tmp_path: Path, write, rows) -> None:
    _, interactions = rows
    for row in interactions:
        row["split"] = "train"
    first = dict(interactions[0], timestamp="1", split="valid")
    later = dict(interactions[0], timestamp="2", split="test")
    data = [*interactions, later, first, dict(interactions[1], split="test")]
    dataset = read_dataset(write(tmp_path / "x", interactions=data))
    found = pairs(dataset, "food")
    assert len(found) == 24
    assert found["u0", "f0"] == VALID
    assert found["u0", "f1"] == TRAIN  # equally early: a pair in train is no test pair
    assert "Merged 3 repeated interactions of the domain food, the earliest of each kept." in (
        dataset.notes
    )


def test_ratings_under_the_threshold_go_before_repeats_are_merged(
    tmp_path: Path, write, rows
) -> None:
    _, interactions = rows
    for row in interactions:
        row["rating"] = "4"
    interactions[0]["rating"] = "3.5"
    interactions.append(dict(interactions[0], rating="5", timestamp="5000"))
    interactions[5]["rating"] = "1"
    root = write(tmp_path / "x", interactions=interactions)
    dataset = read_dataset(root, rating_threshold=4)
    assert ("u0", "f0") in pairs(dataset, "food")
    assert sum(len(d.edges) for d in dataset.domains) == 47
    assert "Dropped 2 interactions rated under 4." in dataset.notes
    assert "Ratings are not used: every interaction counts." in read_dataset(root).notes


def test_k_core_drops_users_and_items_and_says_so(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    items.append({"item_id": "f9", "domain": "food", "title": "rare"})
    items[-1] |= {"description": "", "image": ""}
    interactions.append(dict(interactions[0], user_id="lonely"))
    interactions.append(dict(interactions[0], item_id="f9"))
    root = write(tmp_path / "x", items=items, interactions=interactions)
    dataset = read_dataset(root, k_core=3)
    food = dataset.domain("food")
    assert "f9" not in food.item_ids
    assert "lonely" not in food.user_ids
    assert np.bincount(food.edges.item).min() >= 3
    assert np.bincount(food.edges.user).min() >= 3
    assert food.titles[list(food.item_ids).index("f4")] == "food no. 4"
    assert any(
        n.startswith("The 3-core of the domain food has 6 of 7 users, 5 of 6 items")
        for n in dataset.notes
    )


def test_unused_columns_and_missing_overlap_are_noted(tmp_path: Path, write, rows) -> None:
    _, interactions = rows
    for row in interactions:
        row["helpful"] = "1"
        row["user_id"] = row["domain"][0] + row["user_id"]
    dataset = read_dataset(write(tmp_path / "x", interactions=interactions))
    assert "The column 'helpful' of interactions.csv is not used." in dataset.notes
    assert any("No user has train interactions in two domains" in n for n in dataset.notes)


def test_one_domain_is_a_dataset_and_what_is_off_is_said(tmp_path: Path, write, rows) -> None:
    items, interactions = ([r for r in part if r["domain"] == "food"] for part in rows)
    dataset = read_dataset(write(tmp_path / "x", items=items, interactions=interactions))
    assert [d.name for d in dataset.domains] == ["food"]
    assert ONE_DOMAIN in dataset.notes
    about = describe(dataset)
    assert about["n_overlap"] == 0 and about["overlap"] == []


def test_three_domains_and_images_inside_by_a_link(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    more = [dict(r, domain="garden", image="") for r in items if r["domain"] == "food"]
    visits = [dict(r, domain="garden") for r in interactions if r["domain"] == "food"]
    more[0]["image"] = "./images/link.png"
    root = write(tmp_path / "x", items=[*items, *more], interactions=[*interactions, *visits])
    (root / "images" / "link.png").symlink_to(root / "images" / "food0.png")
    dataset = read_dataset(root)
    assert [d.name for d in dataset.domains] == ["food", "garden", "kitchen"]
    assert dataset.domain("garden").images[0] == "images/link.png"
    assert [(o["a"], o["b"], o["n_users"]) for o in describe(dataset)["overlap"]] == [
        ("food", "garden", 6),
        ("food", "kitchen", 4),
        ("garden", "kitchen", 4),
    ]


def test_parquet_with_numbers_categories_and_moments(tmp_path: Path, write, rows) -> None:
    _, interactions = rows
    reference = write(tmp_path / "a", interactions=[dict(r) for r in interactions])
    fingerprint = read_dataset(reference).fingerprint
    root = write(tmp_path / "b")
    (root / "interactions.csv").unlink()
    columns = {c: [r[c] for r in interactions] for c in interactions[0]}
    seconds = pa.array([int(t) for t in columns["timestamp"]])
    for stamp in (seconds, seconds.cast("double"), seconds.cast(pa.timestamp("s"))):
        table = {c: pa.array(v).dictionary_encode() for c, v in columns.items()}
        table["timestamp"] = stamp
        pq.write_table(pa.table(table), root / "interactions.parquet")
        assert read_dataset(root).fingerprint == fingerprint
    items = pq.ParquetFile(write(tmp_path / "c", ".parquet") / "items.parquet").read()
    assert "item_id" in items.column_names


def test_whole_number_ids_are_text(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    for row in [*items, *interactions]:
        row["item_id"] = row["item_id"][1:]
    reference = read_dataset(write(tmp_path / "a", items=items, interactions=interactions))
    root = write(tmp_path / "b", items=items)
    (root / "interactions.csv").unlink()
    lines = (json.dumps(dict(r, item_id=int(r["item_id"]))) for r in interactions)
    (root / "interactions.jsonl").write_text("\n".join(lines))
    assert read_dataset(root).fingerprint == reference.fingerprint
    (root / "interactions.jsonl").unlink()
    columns = {c: [r[c] for r in interactions] for c in interactions[0]}
    columns["item_id"] = pa.array([int(x) for x in columns["item_id"]])
    pq.write_table(pa.table(columns), root / "interactions.parquet")
    assert read_dataset(root).fingerprint == reference.fingerprint


@pytest.mark.parametrize("nested", [False, True])
def test_recbole_atomic_files(tmp_path: Path, write, rows, nested: bool) -> None:
    items, interactions = rows
    for row in items:
        row["description"] = row["description"].replace("\n", " ")
    reference = read_dataset(write(tmp_path / "a", items=items, interactions=interactions))
    root = write(tmp_path / "b")
    (root / "items.csv").unlink()
    (root / "interactions.csv").unlink()
    for name in ("food", "kitchen"):
        folder = root / name if nested else root
        folder.mkdir(exist_ok=True)
        lines = ["user_id:token\titem_id:token\ttimestamp:float"]
        lines += [
            "\t".join((r["user_id"], r["item_id"], r["timestamp"]))
            for r in interactions
            if r["domain"] == name
        ]
        (folder / f"{name}.inter").write_text("\n".join(lines))
        title = "movie_title" if name == "food" else "title"
        lines = [f"item_id:token\t{title}:token_seq\tdescription:token_seq\timage:token"]
        lines += [
            "\t".join((r["item_id"], r["title"], r["description"], r["image"]))
            for r in items
            if r["domain"] == name
        ]
        (folder / f"{name}.item").write_text("\n".join(lines))
    dataset = read_dataset(root)
    assert dataset.domain("food").descriptions[1] == 'Made of "1", tin and salt'
    assert dataset.fingerprint == reference.fingerprint


def test_describe_is_json_and_counts(tmp_path: Path, write) -> None:
    dataset = read_dataset(write(tmp_path / "x"))
    out = describe(dataset, items_saying(dataset))
    assert json.loads(json.dumps(out)) == out
    food = out["domains"][0]
    assert (food["n_users"], food["n_items"], food["n_interactions"]) == (6, 5, 24)
    assert (food["n_train"], food["n_valid"], food["n_test"]) == (12, 6, 6)
    assert food["density"] == pytest.approx(24 / 30)
    assert food["missing"] == {"title": 0, "description": 4, "text": 0, "image": 4, "both": 0}
    assert food["user_degree"]["mean"] == food["user_degree"]["p50"] == 2
    assert (out["n_users"], out["n_items"], out["n_interactions"]) == (8, 10, 48)
    assert out["n_overlap"] == 4
    assert out["overlap"][0] == {
        "a": "food",
        "b": "kitchen",
        "n_users": 4,
        "share_of_a": pytest.approx(4 / 6),
        "share_of_b": pytest.approx(4 / 6),
    }


@pytest.mark.skipif(not (REAL / "food_kitchen").exists(), reason="the real data are not here")
def test_real_tables_are_read_in_seconds() -> None:
    start = time.perf_counter()
    dataset = read_dataset(REAL / "food_kitchen")
    assert time.perf_counter() - start < 20
    out = describe(dataset)
    assert [
        [d[c] for c in ("n_users", "n_items", "n_train", "n_valid", "n_test")]
        for d in out["domains"]
    ] == [[14_870, 8_661, 69_474, 14_421, 14_421], [47_589, 27_637, 237_159, 50_326, 50_326]]
    assert out["n_overlap"] == 9_398
