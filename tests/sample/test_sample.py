"""The generated sample: the same again under a seed, whole or not at all, of the right shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micrec_core.sample.generate as sample
from micrec_core.data.readers import read_dataset
from micrec_core.data.splits import make_split
from micrec_core.data.types import Dataset, shared_rows
from micrec_core.errors import ConfigError, DataError
from micrec_core.evaluation.cohorts import degree_bins
from micrec_core.names import LOW_BINS
from micrec_core.sample.choices import make_choices
from micrec_core.sample.generate import (
    ITEMS,
    OWN_RARER,
    SHARES,
    USERS,
    folder_hash,
    generate_sample,
)
from micrec_core.sample.makers import MADE_BY, MAKER_NAMES, makers
from micrec_core.sample.pictures import draw_picture
from micrec_core.sample.world import ATTRIBUTES, make_world

COMMITTED = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    out = tmp_path_factory.mktemp("small") / "sample"
    yield out, generate_sample(out, users=60, items=30, seed=3, picture_size=48)


@pytest.fixture(scope="module")
def committed() -> Dataset:
    return read_dataset(COMMITTED)


def test_same_seed_gives_the_same_bytes(small: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, summary = small
    again = generate_sample(tmp_path / "again", users=60, items=30, seed=3, picture_size=48)
    assert (
        again["sha256"] == summary["sha256"] == folder_hash(out) == folder_hash(tmp_path / "again")
    )
    other = generate_sample(tmp_path / "other", users=60, items=30, seed=4, picture_size=48)
    assert other["sha256"] != summary["sha256"]


def test_committed_sample_is_what_the_command_makes(tmp_path: Path) -> None:
    made = generate_sample(
        tmp_path / "again",
        users=USERS,
        items=ITEMS,
        membership=SHARES,
        rarer=OWN_RARER,
        pictures=False,
    )
    assert made["overlap"] == round(USERS * SHARES[0])
    relations = (tmp_path / "again" / "relations.csv").read_bytes()
    assert (COMMITTED / "relations.csv").read_bytes() == relations
    interactions = (tmp_path / "again" / "interactions.csv").read_bytes()
    assert (COMMITTED / "interactions.csv").read_bytes() == interactions
    personas = (tmp_path / "again" / "personas.json").read_bytes()
    assert (COMMITTED / "personas.json").read_bytes() == personas
    # Without pictures the item table lacks only the last column.
    with_pictures = (COMMITTED / "items.csv").read_text(encoding="utf-8").splitlines()
    without = (tmp_path / "again" / "items.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(",", 1)[0] for line in with_pictures[1:]] == [
        line.rsplit(",", 1)[0] for line in without[1:]
    ]


def test_committed_sample_reads(committed: Dataset) -> None:
    assert committed.synthetic
    assert committed.licence == "CC0-1.0"
    assert "python -m micrec_core sample" in committed.source
    assert [d.name for d in committed.domains] == ["food", "kitchen"]
    assert [d.label for d in committed.domains] == ["Food", "Kitchen"]
    assert any("by time" in note for note in committed.notes)
    size = sum(p.stat().st_size for p in COMMITTED.rglob("*") if p.is_file())
    assert size < 8e6


def test_structure_of_the_committed_sample(committed: Dataset) -> None:
    food, kitchen = committed.domains
    both, _ = shared_rows(food.user_ids, kitchen.user_ids)
    assert len(both) == 2139
    assert (food.n_users, kitchen.n_users) == (2902, 2957)
    # Food is the rich domain and kitchen the sparse one.
    assert 11 < len(food.edges) / food.n_users < 15
    assert 5 < len(kitchen.edges) / kitchen.n_users < 7.5
    for domain in committed.domains:
        no_text = (domain.titles == "") & (domain.descriptions == "")
        no_image = domain.images == ""
        assert 0.03 < no_text.mean() < 0.15
        assert 0.06 < no_image.mean() < 0.2
        degree = np.bincount(domain.edges.item, minlength=domain.n_items)
        # Missing not at random: what few people bought is described less often.
        assert degree[no_image].mean() < degree[~no_image].mean()
        # A few are bought by many.
        assert degree.max() > 4 * np.median(degree)
        assert np.sort(degree)[-domain.n_items // 10 :].sum() > 0.2 * degree.sum()
        assert np.bincount(domain.edges.user).min() >= 3
    degree = np.bincount(kitchen.edges.item, minlength=kitchen.n_items)
    assert (degree <= 5).mean() > 0.2


def test_the_committed_sample_says_enough_of_each_question(committed: Dataset) -> None:
    """As it is split for the bundled run: who is asked, and items in bins of low degree."""
    split = make_split(committed, "inductive")
    for part, domain in zip(split.domains, committed.domains, strict=True):
        assert len(np.unique(part.cold_test.user)) >= 200
        assert len(np.unique(part.new_user_test.user)) >= 150
        degree = np.bincount(part.train.item, minlength=domain.n_items)
        bins = degree_bins(degree[np.unique(part.test.item)])
        assert all((bins == name).sum() >= 30 for name in LOW_BINS)


def test_relations_and_attributes_say_who_made_an_item(committed: Dataset) -> None:
    world = make_world(USERS, ITEMS, 7, membership=SHARES, rarer=OWN_RARER)
    found = committed.relations
    assert found is not None
    stated = {
        (int(found.domain[h]), found.names[h]): found.names[t]
        for h, r, t in zip(found.head, found.relation, found.tail, strict=True)
        if found.kinds[r] == MADE_BY
    }
    for d, domain in enumerate(committed.domains):
        made_by = [MAKER_NAMES[m] for m in makers(world, d)]
        assert [stated[d, item] for item in world.domains[d].item_ids()] == made_by
        assert domain.attributes is not None
        assert f"maker:category={made_by[0]}" in domain.attributes[0].split("\n")
        # Nobody has nearly all of it, and everybody something.
        shares = np.bincount(makers(world, d), minlength=len(MAKER_NAMES)) / domain.n_items
        assert shares.min() > 0 and shares.max() < 0.2


def test_personas_like_items_that_can_be_shown(committed: Dataset) -> None:
    personas = json.loads((COMMITTED / "personas.json").read_text(encoding="utf-8"))
    assert len({p["name"] for p in personas}) == len({p["sentence"] for p in personas}) == 8
    for persona in personas:
        for domain in committed.domains:
            rows = [domain.item_ids.tolist().index(i) for i in persona["likes"][domain.name]]
            assert len(set(rows)) >= 4
            assert all(domain.titles[rows]) and all(domain.images[rows])


def test_parquet_holds_the_same_dataset(tmp_path: Path) -> None:
    generate_sample(tmp_path / "csv", users=60, items=30, pictures=False)
    generate_sample(tmp_path / "parquet", users=60, items=30, pictures=False, format="parquet")
    assert (tmp_path / "parquet" / "interactions.parquet").is_file()
    csv, parquet = read_dataset(tmp_path / "csv"), read_dataset(tmp_path / "parquet")
    assert csv.fingerprint == parquet.fingerprint
    assert not any(domain.images.any() for domain in csv.domains)


def test_many_items_share_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_LOOKS", 2)
    generate_sample(tmp_path / "s", users=60, items=40, picture_size=32)
    dataset = read_dataset(tmp_path / "s")
    for domain in dataset.domains:
        shown = domain.images[domain.images != ""]
        assert all("-look-" in path for path in shown)
        assert all((dataset.root / path).is_file() for path in shown)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    generate_sample(
        tmp_path / "s",
        users=60,
        items=30,
        picture_size=32,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert {what for what, _, _ in told} == {
        "drawing food",
        "drawing kitchen",
        "writing interactions",
    }
    assert all(0 <= done <= total for _, done, total in told)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"users": 3}, "number of users is 3"),
        ({"items": 2}, "number of items is 2"),
        ({"seed": -1}, "seed is -1"),
        ({"format": "xlsx"}, "format is 'xlsx'"),
        ({"rarer": 0.5}, "0.5 times rarer"),
        ({"picture_size": 5}, "picture size is 5"),
        ({"membership": (0.5, 0.6, 0.1)}, "add up to 1"),
        ({"membership": (0.5, 0.5)}, "give three"),
    ],
)
def test_options_out_of_range_are_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        generate_sample(tmp_path / "s", **{"users": 60} | options)
    assert not (tmp_path / "s").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        generate_sample(tmp_path, users=60, items=30)
    with pytest.raises(DataError, match="is a file"):
        generate_sample(tmp_path / "mine.txt", users=60, items=30)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    generate_sample(tmp_path / "empty", users=60, items=30, pictures=False)
    assert (tmp_path / "empty" / "dataset.toml").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample, "_write_interactions", fail)
    with pytest.raises(DataError, match="No space left on device"):
        generate_sample(tmp_path / "s", users=60, items=30, pictures=False)
    assert list(tmp_path.iterdir()) == []


def test_more_users_leave_the_items_as_they_were() -> None:
    few, many = make_world(60, (40, 30), 1), make_world(90, (40, 30), 1)
    for a, b in zip(few.domains, many.domains, strict=True):
        for name in ATTRIBUTES:
            assert (a.attributes[name] == b.attributes[name]).all()
        assert (a.has_image == b.has_image).all()
    assert (few.archetype_tastes == many.archetype_tastes).all()


def test_the_rarest_can_be_rarer_and_nothing_else_changes() -> None:
    plain, rare = (make_world(60, (40, 30), 1, rarer=r) for r in (1.0, 8.0))
    for a, b in zip(plain.domains, rare.domains, strict=True):
        ratio = np.unique((b.popularity / a.popularity).round(9))
        assert len(ratio) == 2 and np.isclose(ratio[1] / ratio[0], 8.0)
        few = b.popularity / a.popularity < 1
        assert 0.3 < few.mean() < 0.4 and a.popularity[few].max() < a.popularity[~few].min()
        assert (a.quality == b.quality).all() and (a.has_image == b.has_image).all()


def test_the_command_of_a_sample_names_all_that_it_was_asked(tmp_path: Path) -> None:
    generate_sample(tmp_path / "s", users=60, items=30, rarer=4, pictures=False)
    assert "--users 60 --seed 7 --items 30 --rarer 4`" in read_dataset(tmp_path / "s").source


def test_pictures_show_each_attribute() -> None:
    def pixels(**change: int) -> np.ndarray:
        look = {"domain": 0, "category": 0, "palette": 0, "pattern": 0} | change
        picture = draw_picture(**look, rng=np.random.default_rng(0), size=48)
        return np.asarray(picture, dtype=float)

    plain = pixels()
    assert plain.shape == (48, 48, 3)
    assert (plain == pixels()).all()
    for change in ({"domain": 1}, {"category": 1}, {"palette": 1}, {"pattern": 1}):
        assert np.abs(plain - pixels(**change)).mean() > 2


def test_every_look_can_be_drawn() -> None:
    for domain in range(2):
        for category in range(ATTRIBUTES["category"]):
            rng = np.random.default_rng([domain, category])
            picture = draw_picture(domain, category, category % 8, category % 6, rng, 32)
            assert np.asarray(picture).std() > 5


def test_proposed_candidates_follow_the_same_law() -> None:
    """With many users only candidates are ranked: tastes must show through as they do exactly."""
    world = make_world(2000, (400, 200), 5)
    exact, quick = (make_choices(world, 0, exact=e) for e in (True, False))
    utility = world.utility(0)
    means = [utility[c.user, c.item].mean() for c in (exact, quick)]
    spread = utility.std()
    assert means[0] - utility.mean() > spread
    assert abs(means[0] - means[1]) < 0.3 * spread
    degrees = [np.bincount(c.item, minlength=400) for c in (exact, quick)]
    assert np.corrcoef(*degrees)[0, 1] > 0.9
    for chosen in (exact, quick):
        pairs = chosen.user.astype(np.int64) * 400 + chosen.item
        assert len(np.unique(pairs)) == len(pairs)
        later = np.diff(chosen.timestamp) > 0
        assert later[np.diff(chosen.user) == 0].all()


def test_order_in_time_tells_nothing_of_liking() -> None:
    world = make_world(800, (200, 200), seed=7)
    chosen = make_choices(world, 0)
    utility = world.utility(0)[chosen.user, chosen.item]
    starts = np.r_[True, np.diff(chosen.user) > 0]
    ends = np.r_[starts[1:], True]
    assert abs(utility[starts].mean() - utility[ends].mean()) < 0.15 * utility.std()
