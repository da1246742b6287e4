"""Oracles on the committed sample: each mechanism of the method has something to find in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from micrec_core.data.readers import read_dataset
from micrec_core.data.types import Dataset, shared_rows
from micrec_core.sample.generate import ITEMS, OWN_RARER, SEED, SHARES, USERS
from micrec_core.sample.makers import makers
from micrec_core.sample.world import COLUMNS, World, make_world

COMMITTED = Path(__file__).parents[2] / "sample_data"
DOMAINS = (0, 1)


def _load(name: str) -> ModuleType:
    # Tests are no package here, so that a sibling module is loaded by its path.
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


oracles = _load("sample_oracles")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return read_dataset(COMMITTED)


@pytest.fixture(scope="module")
def world(dataset: Dataset) -> World:
    made = make_world(USERS, ITEMS, seed=SEED, membership=SHARES, rarer=OWN_RARER)
    for domain, part in zip(dataset.domains, made.domains, strict=True):
        assert domain.user_ids.tolist() == [f"u{row:04d}" for row in part.users]
        assert domain.n_items == part.n_items
    return made


@pytest.fixture(scope="module")
def features(dataset: Dataset) -> dict[str, list[np.ndarray]]:
    return {"text": oracles.text_features(dataset), "image": oracles.image_features(dataset)}


@pytest.fixture(scope="module")
def recalls(
    dataset: Dataset, world: World, features: dict[str, list[np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """Recall@20 of every user with test items, per domain and scorer."""
    out = []
    for d, domain in enumerate(dataset.domains):
        data = oracles.held(domain)
        text, image = (oracles.by_content(dataset, d, features[m]) for m in ("text", "image"))
        scores = {
            "popularity": oracles.popularity(data),
            "interactions": oracles.item_neighbours(data),
            "text": text,
            "image": image,
            "content": text + image,
            "oracle": world.utility(d) + np.log(world.domains[d].popularity),
        }
        out.append({name: oracles.recall(s, data) for name, s in scores.items()})
    return out


def better(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the paired mean difference is above zero by more than two standard errors."""
    difference = a - b
    return bool(difference.mean() > 2 * difference.std() / np.sqrt(len(difference)))


@pytest.mark.parametrize("d", DOMAINS)
@pytest.mark.parametrize("scorer", ["oracle", "text", "image", "interactions"])
def test_each_source_alone_beats_popularity(
    recalls: list[dict[str, np.ndarray]], d: int, scorer: str
) -> None:
    assert better(recalls[d][scorer], recalls[d]["popularity"])


@pytest.mark.parametrize("d", DOMAINS)
def test_text_and_image_complete_each_other(recalls: list[dict[str, np.ndarray]], d: int) -> None:
    assert recalls[d]["content"].mean() > recalls[d]["text"].mean()
    assert recalls[d]["content"].mean() > recalls[d]["image"].mean()
    assert better(np.concatenate([r["content"] for r in recalls]),
                  np.concatenate([r["image"] for r in recalls]))  # fmt: skip


@pytest.mark.parametrize("d", DOMAINS)
def test_much_is_left_to_be_learnt(recalls: list[dict[str, np.ndarray]], d: int) -> None:
    best = max(r.mean() for name, r in recalls[d].items() if name != "oracle")
    assert recalls[d]["oracle"].mean() > 0.85
    assert recalls[d]["oracle"].mean() - best > 0.3


@pytest.mark.parametrize("d", DOMAINS)
def test_text_tells_what_pictures_hide_and_the_other_way_round(
    world: World, features: dict[str, list[np.ndarray]], d: int
) -> None:
    labels = world.domains[d].attributes
    chance = {name: np.mean([np.mean(v == x) for x in v]) for name, v in labels.items()}

    def lift(modality: str, attribute: str) -> float:
        found = oracles.purity(features[modality][d], labels[attribute])
        return float(found / chance[attribute])

    assert lift("text", "culture") > 2.5 and lift("text", "ethics") > 1.8
    assert lift("image", "palette") > 3.0 and lift("image", "pattern") > 1.6
    assert lift("text", "category") > 3.0 and lift("image", "category") > 3.0
    for modality, hidden in (("text", ("palette", "pattern")), ("image", ("culture", "ethics"))):
        assert all(0.75 < lift(modality, attribute) < 1.25 for attribute in hidden)


def test_who_reads_is_served_by_text_and_who_looks_by_pictures(
    dataset: Dataset, world: World, features: dict[str, list[np.ndarray]]
) -> None:
    """The weights of the modalities have a truth to find: it differs between users."""
    gains = []
    for d, domain in enumerate(dataset.domains):
        data = oracles.held(domain)
        tested = np.asarray(data.test.sum(axis=1)).ravel() > 0
        reader = world.reader_share[world.domains[d].users][tested]
        text, image = (
            oracles.recall(oracles.by_content(dataset, d, features[m]), data)
            for m in ("text", "image")
        )
        gains.append((text - image, reader))
    gain, reader = (np.concatenate(part) for part in zip(*gains, strict=True))
    assert gain[reader > 0.7].mean() > 0.05
    assert gain[reader < 0.3].mean() < -0.05


def test_the_other_domain_tells_of_users_never_seen_here(dataset: Dataset, world: World) -> None:
    """Cold users of kitchen: tastes that both domains share are worth much more than popularity."""
    food, kitchen = dataset.domains
    _, rows = shared_rows(food.user_ids, kitchen.user_ids)
    data = oracles.held(kitchen)
    everything = (data.masked + data.test)[rows]
    nothing = everything - everything
    cold = oracles.Held(nothing, nothing, everything)
    users = world.domains[1].users[rows]
    transfer = oracles.shared_utility(world, 1, users) + np.log(world.domains[1].popularity)
    popular = oracles.popularity(data)[rows]
    gained = oracles.recall(transfer, cold).mean() - oracles.recall(popular, cold).mean()
    assert gained > 0.3


@pytest.mark.parametrize("d", DOMAINS)
def test_who_made_an_item_says_what_text_and_pictures_do_not(
    dataset: Dataset, world: World, d: int
) -> None:
    """Beside all that text and pictures show, makers are worth much; the quality is the ceiling."""
    part, data = world.domains[d], oracles.held(dataset.domains[d])
    factors = part.item_factors()
    tastes = world.weighted(part.tastes, world.reader_share[part.users])
    popular = np.log(part.popularity)
    told = {"nothing": np.zeros_like(part.quality), "quality": part.quality}
    made_by = makers(world, d)
    told["maker"] = np.stack([part.quality[made_by == maker].mean(axis=0) for maker in made_by])
    found = {}
    for name, quality in told.items():
        factors[:, COLUMNS["quality"]] = quality
        found[name] = oracles.recall(tastes @ factors.T + popular, data)
    assert better(found["maker"], found["nothing"])
    assert better(found["quality"], found["maker"])
    gained = {name: values.mean() - found["nothing"].mean() for name, values in found.items()}
    assert gained["maker"] > 0.3 * gained["quality"]


def test_alignment_has_something_to_find(world: World) -> None:
    """The same person's tastes in both domains are closer than those of two people."""
    food, kitchen = world.domains
    both, a, b = np.intersect1d(food.users, kitchen.users, return_indices=True)
    left, right = food.tastes[a], kitchen.tastes[b]
    same = np.einsum("ij,ij->i", left, right).mean()
    other = np.einsum("ij,ij->i", left, np.roll(right, 1, axis=0)).mean()
    assert len(both) == 2139
    assert same > 0.6 * np.einsum("ij,ij->i", left, left).mean()
    assert other < 0.2 * same
