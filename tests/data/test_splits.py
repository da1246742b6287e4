"""What every split must hold, on random datasets of one to four domains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from micrec_core.data import (
    TEST,
    TRAIN,
    VALID,
    Dataset,
    Domain,
    DomainSplit,
    Edges,
    Split,
    make_split,
    read_dataset,
)
from micrec_core.errors import ConfigError

REAL = Path(__file__).resolve().parents[2] / "../shared/data"
PARTS = (
    "train",
    "valid",
    "test",
    "new_user_support",
    "new_user_test",
    "new_item_test",
    "cold_test",
)
ROWS = ("new_users", "new_items", "cold_users")


def dropped_edges(dataset: Dataset, split: Split) -> list[Edges]:
    """The interactions of each domain that are in no part of the split."""
    out = []
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        used = {pair for n in PARTS for pair in zip(getattr(part, n).user, getattr(part, n).item)}
        kept = [pair in used for pair in zip(domain.edges.user, domain.edges.item)]
        out.append(domain.edges[~np.array(kept, dtype=bool)])
    return out


def build_domain(name: str, pairs: dict[tuple[str, str], int], items: list[str]) -> Domain:
    users = sorted({u for u, _ in pairs})
    order = sorted(pairs)
    empty = np.full(len(items), "", dtype=object)
    edges = Edges(
        np.array([users.index(u) for u, _ in order], np.int32),
        np.array([items.index(i) for _, i in order], np.int32),
    )
    split = np.array([pairs[p] for p in order], np.int8)
    ids = np.array(items, dtype=object)
    return Domain(name, name, np.array(users, dtype=object), ids, ids, empty, empty, edges, split)


@st.composite
def datasets(draw, min_domains: int = 1, max_domains: int = 4) -> Dataset:
    """Random pairs and random splits, overlap of any size, items without interactions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    domains = []
    for d in range(draw(st.integers(min_domains, max_domains))):
        n_users, n_items = draw(st.integers(1, 14)), draw(st.integers(1, 10))
        people = rng.permutation(18)[:n_users]
        density = draw(st.sampled_from([0.15, 0.5, 0.9]))
        pairs = {
            (f"u{u:02d}", f"i{i}"): int(rng.choice([TRAIN, TRAIN, VALID, TEST]))
            for u in people
            for i in range(n_items)
            if rng.random() < density
        }
        assume(TRAIN in pairs.values())
        items = [f"i{i}" for i in rng.permutation(n_items)]
        domains.append(build_domain(f"d{d}", pairs, items))
    return Dataset("random", Path(), tuple(domains), "0" * 64)


def named(domain: Domain, edges: Edges) -> list[tuple[str, str]]:
    return list(zip(domain.user_ids[edges.user], domain.item_ids[edges.item], strict=True))


def inductive(dataset: Dataset, **options) -> Split:
    try:
        return make_split(dataset, "inductive", **options)
    except ConfigError as error:
        assert "withhold every train interaction" in str(error)  # tiny datasets
        assume(False)
        raise AssertionError from error


def check_arrays(domain: Domain, part: DomainSplit) -> None:
    for name in PARTS:
        edges = getattr(part, name)
        assert edges.user.dtype == edges.item.dtype == np.int32
    for name in ROWS:
        rows = getattr(part, name)
        assert rows.dtype == np.int32
        assert (np.diff(rows) > 0).all()
        limit = domain.n_items if name == "new_items" else domain.n_users
        assert len(rows) == 0 or (rows[0] >= 0 and rows[-1] < limit)


def check_domain(domain: Domain, part: DomainSplit, dropped: Edges) -> None:
    """Everything that one domain's part must hold by itself."""
    check_arrays(domain, part)
    fresh, cold, new = set(part.new_users), set(part.cold_users), set(part.new_items)
    assert not fresh & cold
    word = dict(zip(named(domain, domain.edges), domain.split, strict=True))
    for name, kind in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        edges = getattr(part, name)
        assert not (fresh | cold) & set(edges.user)
        assert not new & set(edges.item)
        assert {word[p] for p in named(domain, edges)} <= {kind}
    trained = set(part.train.user)
    assert len(trained) > 0
    assert set(part.valid.user) | set(part.test.user) <= trained
    # new users: known by what is not scored, and each scored on something
    support, scored = part.new_user_support, part.new_user_test
    assert set(support.user) == set(scored.user) == fresh
    assert not new & (set(support.item) | set(scored.item))
    for u in fresh:
        mine = named(domain, support[support.user == u])
        rest = named(domain, scored[scored.user == u])
        kinds = {word[p] == TRAIN for p in mine} | {word[p] != TRAIN for p in rest}
        if kinds != {True}:  # the given split was of no use for this user
            assert len({word[p] == TRAIN for p in mine + rest}) == 1
            assert len(rest) == max(1, int(0.2 * len(mine + rest) + 0.5))
    # new items: all of their interactions with trained users
    assert set(part.new_item_test.item) <= new
    assert set(part.new_item_test.user) <= trained
    # cold users: everything of theirs on known items is hidden and scored
    assert set(part.cold_test.user) == cold
    assert not new & set(part.cold_test.item)
    # nothing is lost but what the documentation names
    found = Counter(p for name in PARTS for p in named(domain, getattr(part, name)))
    found.update(named(domain, dropped))
    assert found == Counter(word.keys())
    untrained = set(range(domain.n_users)) - trained
    for u, i in zip(dropped.user, dropped.item, strict=True):
        assert (i in new and u in fresh | cold) or u in untrained - fresh - cold


@settings(max_examples=120, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 50), share=st.sampled_from([0.2, 0.5]))
def test_inductive_split_holds_its_promises(dataset: Dataset, seed: int, share: float) -> None:
    split = inductive(
        dataset, seed=seed, new_user_share=share, new_item_share=share, cold_share=share
    )
    assert (split.kind, split.seed) == ("inductive", seed)
    dropped = dropped_edges(dataset, split)
    for domain, part, rest in zip(dataset.domains, split.domains, dropped, strict=True):
        check_domain(domain, part, rest)
    everyone = Counter(u for d in dataset.domains for u in d.user_ids)
    homes: dict[str, set[int]] = {}
    hidden: dict[str, list[int]] = {}
    for d, (domain, part) in enumerate(zip(dataset.domains, split.domains, strict=True)):
        assert all(everyone[u] == 1 for u in domain.user_ids[part.new_users])
        for user in domain.user_ids[part.cold_users]:
            hidden.setdefault(user, []).append(d)
        for user in set(domain.user_ids[part.train.user]):
            homes.setdefault(user, set()).add(d)
    for user, places in hidden.items():
        assert len(places) == 1  # cold in exactly one domain ...
        assert homes[user] - set(places)  # ... and trained on in another


@settings(max_examples=30, deadline=None)
@given(dataset=datasets(2, 2), seed=st.integers(0, 50))
def test_cold_users_are_dealt_out_evenly(dataset: Dataset, seed: int) -> None:
    split = inductive(dataset, seed=seed, new_item_share=0.0, cold_share=0.5)
    a, b = (len(part.cold_users) for part in split.domains)
    assert abs(a - b) <= 1
    first, second = (set(d.user_ids[d.edges.user[d.split == TRAIN]]) for d in dataset.domains)
    n = len(first & second)
    assert a + b == (min(max(int(n * 0.5 + 0.5), 1), n - 1) if n >= 2 else int(n * 0.5 + 0.5))


@settings(max_examples=25, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 50))
def test_same_seed_same_split_whatever_the_order_of_items(dataset: Dataset, seed: int) -> None:
    split = inductive(dataset, seed=seed)
    again = inductive(dataset, seed=seed)
    turned = Dataset("t", Path(), tuple(_turn(d) for d in dataset.domains), "")
    other = inductive(turned, seed=seed)
    for d, t, a, b, c in zip(
        dataset.domains, turned.domains, split.domains, again.domains, other.domains, strict=True
    ):
        for name in PARTS:
            assert named(d, getattr(a, name)) == named(d, getattr(b, name))
            assert sorted(named(d, getattr(a, name))) == sorted(named(t, getattr(c, name)))
        for name in ROWS:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def _turn(d: Domain) -> Domain:
    """The same domain with its item table upside down."""
    flip = slice(None, None, -1)
    edges = Edges(d.edges.user, (d.n_items - 1 - d.edges.item).astype(np.int32))
    return Domain(
        d.name,
        d.label,
        d.user_ids,
        d.item_ids[flip],
        d.titles[flip],
        d.descriptions[flip],
        d.images[flip],
        edges,
        d.split,
    )


@settings(max_examples=30, deadline=None)
@given(dataset=datasets())
def test_known_split_is_the_column(dataset: Dataset) -> None:
    split = make_split(dataset, "known")
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        check_arrays(domain, part)
        for name, kind in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
            mine = domain.edges[domain.split == kind]
            assert named(domain, getattr(part, name)) == named(domain, mine)
        assert all(len(getattr(part, name)) == 0 for name in PARTS[3:] + ROWS)
    assert all(len(e) == 0 for e in dropped_edges(dataset, split))


@settings(max_examples=30, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 5))
def test_withholding_nothing_keeps_everything_that_can_be_trained(
    dataset: Dataset, seed: int
) -> None:
    split = make_split(dataset, "inductive", seed, 0.0, 0.0, 0.0)
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        assert len(part.train) == (domain.split == TRAIN).sum()
        assert all(len(getattr(part, name)) == 0 for name in PARTS[3:] + ROWS)


def test_other_seeds_withhold_others() -> None:
    pairs = {(f"u{u:03d}", f"i{i}"): TRAIN for u in range(60) for i in range(20) if (u + i) % 3}
    one = {(u, i): s for (u, i), s in pairs.items() if u < "u040"}
    two = {(u, i): s for (u, i), s in pairs.items() if u >= "u020"}
    items = [f"i{i}" for i in range(20)]
    dataset = Dataset(
        "x", Path(), (build_domain("a", one, items), build_domain("b", two, items)), ""
    )
    a, b = (make_split(dataset, "inductive", seed) for seed in (0, 1))
    for name in ROWS:
        assert list(getattr(a.domains[0], name)) != list(getattr(b.domains[0], name))
    part = a.domains[0]
    assert (len(part.new_items), len(part.new_users), len(part.cold_users)) == (4, 4, 2)
    # two domains with the same ids draw apart
    assert list(part.new_items) != list(a.domains[1].new_items)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "inductiv"}, "did you mean inductive"),
        ({"kind": "warm"}, "use known or inductive"),
        ({"kind": "inductive", "cold_share": 1.0}, "share to withhold is 1.0"),
        ({"kind": "inductive", "new_item_share": -0.1}, "share to withhold is -0.1"),
        ({"kind": "inductive", "new_user_share": float("nan")}, "share to withhold is nan"),
        ({"kind": "inductive", "seed": -1}, "the seed is -1"),
    ],
)
def test_bad_options_are_refused(shop: Path, options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_split(read_dataset(shop), **options)


def test_nothing_left_to_train_on_is_refused() -> None:
    pairs = {("u0", "a"): TRAIN, ("u0", "b"): TEST, ("u1", "b"): TRAIN, ("u1", "a"): TEST}
    domain = build_domain("only", pairs, ["a", "b"])
    dataset = Dataset("x", Path(), (domain,), "")
    caught = 0
    for seed in range(20):
        try:
            make_split(dataset, "inductive", seed, 0.9, 0.9)
        except ConfigError as error:
            caught += "the domain 'only'; lower them" in str(error)
    assert caught == 0  # of two users or items one always stays
    lone = build_domain("only", {("u0", "a"): TRAIN, ("u0", "b"): TEST}, ["a", "b"])
    messages = []
    for seed in range(20):
        try:
            make_split(Dataset("x", Path(), (lone,), ""), "inductive", seed, 0.0, 0.9)
        except ConfigError as error:
            messages.append(str(error))
    assert messages and all("the domain 'only'; lower them" in m for m in messages)


@pytest.mark.skipif(not (REAL / "food_kitchen").exists(), reason="the real data are not here")
def test_real_tables_split_as_asked() -> None:
    dataset = read_dataset(REAL / "food_kitchen")
    split = make_split(dataset, "inductive")
    shared = set(dataset.domains[0].user_ids) & set(dataset.domains[1].user_ids)
    cold = [len(part.cold_users) for part in split.domains]
    assert abs(cold[0] - cold[1]) <= 1
    assert 0.17 < sum(cold) / len(shared) <= 0.2
    for domain, part in zip(dataset.domains, split.domains, strict=True):
        single = domain.n_users - len(shared)
        touched = len(np.unique(domain.edges.item))
        assert len(part.new_items) == round(0.2 * touched)
        assert 0.17 < len(part.new_users) / single <= 0.2
        train = part.train.matrix(domain.n_users, domain.n_items)
        assert train[part.cold_users].nnz == train[part.new_users].nnz == 0
        assert train[:, part.new_items].nnz == 0
