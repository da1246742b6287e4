"""The dataset in memory: domains, interactions, and the split they are trained and tested on.

A *row* is an integer position in one domain's arrays; an *id* is the user's own key (a string).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.errors import ConfigError, DataError

TRAIN, VALID, TEST = 0, 1, 2
SPLIT_NAMES = ("train", "valid", "test")


@dataclass(frozen=True)
class Edges:
    """User-item pairs of one domain as rows.

    Attributes
    ----------
    user, item : int32 [n]
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, keep: slice | NDArray[Any]) -> Edges:
        """The pairs that a mask, a slice or an index array selects."""
        return Edges(self.user[keep], self.item[keep])

    def matrix(self, n_users: int, n_items: int) -> sparse.csr_matrix:
        """Binary float32 CSR matrix [n_users, n_items]."""
        ones = np.ones(len(self), dtype=np.float32)
        out = sparse.csr_matrix((ones, (self.user, self.item)), shape=(n_users, n_items))
        out.data[:] = 1.0
        out.sort_indices()
        return out

    @staticmethod
    def empty() -> Edges:
        return Edges(np.zeros(0, np.int32), np.zeros(0, np.int32))


@dataclass(frozen=True)
class Domain:
    """One shop: its items, the users with at least one interaction in it, and the interactions.

    Attributes
    ----------
    name, label : the key used everywhere and the words shown
    user_ids : str objects [n_users], sorted
    item_ids, titles, descriptions, images : str objects [n_items], in the order of the item table;
        an empty string is a missing description or image; an image is a path below the dataset
    edges : every interaction, duplicates merged
    split : int8 [len(edges)], TRAIN, VALID or TEST
    attributes : str objects [n_items], what further columns say of each item
        (``data.further_columns``); None where there are none
    """

    name: str
    label: str
    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    titles: NDArray[np.object_]
    descriptions: NDArray[np.object_]
    images: NDArray[np.object_]
    edges: Edges
    split: NDArray[np.int8]
    attributes: NDArray[np.object_] | None = None

    def ids_of(self, edges: Edges) -> set[str]:
        """Ids of the users of some of its edges."""
        return set(self.user_ids[np.bincount(edges.user, minlength=self.n_users) > 0])

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)


@dataclass(frozen=True)
class Reading:
    """How tables are read.

    Attributes
    ----------
    unknown_items : ``error``, or ``drop`` interactions whose item is not in the item table
    rating_threshold : keep interactions rated so or more; None keeps all
    k_core : iteratively drop users and items with fewer interactions, per domain; 0 keeps all
    seed : for the split where the table has none, and for ties in time
    split_by : ``user`` (the last tenth of each) or ``time`` (one moment for everyone)
    test_from : with ``time``, a share or the first moment of test; empty for a tenth

    Raises
    ------
    ConfigError
        An option is out of range.
    """

    unknown_items: str = "error"
    rating_threshold: float | None = None
    k_core: int = 0
    seed: int = 0
    split_by: str = "user"
    test_from: str = ""

    def __post_init__(self) -> None:
        if self.unknown_items not in ("error", "drop"):
            raise ConfigError(f"unknown_items is '{self.unknown_items}'; use 'error' or 'drop'")
        if self.rating_threshold is not None and not math.isfinite(self.rating_threshold):
            raise ConfigError(
                f"the rating threshold is {self.rating_threshold}; give a finite number"
            )
        if self.split_by not in ("user", "time"):
            raise ConfigError(f"split_by is '{self.split_by}'; use 'user' or 'time'")
        if self.test_from and self.split_by != "time":
            raise ConfigError(
                "test_from acts with split_by time alone; say --split-by time or leave it out"
            )
        if self.k_core < 0:
            raise ConfigError(f"k_core is {self.k_core}; give 0 to keep all, or a positive number")


@dataclass(frozen=True)
class Written:
    """What a model wrote of the items of one domain.

    Attributes
    ----------
    texts : str objects [n_items], empty where nothing was written
    by : str objects [n_items], the model and the date, ``NAME, 2026-11-29``; empty likewise
    """

    texts: NDArray[np.object_]
    by: NDArray[np.object_]


@dataclass(frozen=True)
class Relations:
    """Statements between nodes, each once.

    Attributes
    ----------
    names : str objects [n_nodes], item ids and names of entities
    domain : int32 [n_nodes], which domain an item is of, -1 of an entity
    kinds : str objects [n_kinds], the relations there are
    head, relation, tail : int32 [n], rows of ``names`` and of ``kinds``
    """

    names: NDArray[np.object_]
    domain: NDArray[np.int32]
    kinds: NDArray[np.object_]
    head: NDArray[np.int32]
    relation: NDArray[np.int32]
    tail: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.head)

    def lines(self) -> list[str]:
        """A text for each statement, sorted: their identity."""
        said = [f"{d} {name}" for d, name in zip(self.domain, self.names, strict=True)]
        triples = zip(self.head, self.relation, self.tail, strict=True)
        return sorted(f"{said[h]}\t{self.kinds[r]}\t{said[t]}" for h, r, t in triples)


@dataclass(frozen=True, repr=False)
class Dataset:
    """Domains, one or more, that share a space of user ids.

    ``fingerprint`` is the SHA-256 (hex) of the parsed content: domains, ids, texts, attributes,
    image bytes, interactions, split and relations; the same content in another file format gives
    the same fingerprint.
    ``notes`` are sentences on what reading changed (duplicates merged, ratings or unknown items
    dropped, k-core, how the split was made). Where descriptions that a model wrote are used
    (``data.generated``), ``written`` has them domain by domain, and ``originals`` the tables' own.
    """

    name: str
    root: Path
    domains: tuple[Domain, ...]
    fingerprint: str
    synthetic: bool = False
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = field(default=())
    reading: Reading = Reading()
    written: tuple[Written, ...] = ()
    originals: tuple[NDArray[np.object_], ...] = ()
    relations: Relations | None = None

    def __repr__(self) -> str:
        counts = "; ".join(
            f"{d.name}: {d.n_users:,} users, {d.n_items:,} items, {len(d.edges):,} interactions"
            for d in self.domains
        )
        return f"Dataset '{self.name}' ({counts})"

    def domain(self, name: str) -> Domain:
        """The domain called ``name``; DataError naming the known ones otherwise."""
        for domain in self.domains:
            if domain.name == name:
                return domain
        known = ", ".join(d.name for d in self.domains)
        raise DataError(f"there is no domain '{name}' in dataset '{self.name}'; it has: {known}")


@dataclass(frozen=True)
class DomainSplit:
    """What one domain shows to training and hides from it.

    ``train``, ``valid`` and ``test`` hold no user of ``new_users`` or ``cold_users`` and no item of
    ``new_items``. All rows are of the Domain's arrays.

    Attributes
    ----------
    new_users : int32, users held out whole; ``new_user_support`` is what fold-in may see of them,
        ``new_user_test`` what is scored
    new_items : int32, items held out whole; ``new_item_test``: their interactions with
        training users
    cold_users : int32, users known in another domain whose interactions here are all hidden;
        ``cold_test``: those interactions
    """

    train: Edges
    valid: Edges
    test: Edges
    new_users: NDArray[np.int32]
    new_user_support: Edges
    new_user_test: Edges
    new_items: NDArray[np.int32]
    new_item_test: Edges
    cold_users: NDArray[np.int32]
    cold_test: Edges


@dataclass(frozen=True)
class Split:
    """How a dataset is shown to training; ``domains`` follow ``Dataset.domains``.

    ``kind`` is ``known`` (every train interaction is trained on) or ``inductive`` (new users, new
    items and cold-domain users withheld at once).
    """

    kind: str
    seed: int
    domains: tuple[DomainSplit, ...]

    @property
    def per_user(self) -> float:
        """Train interactions of a user of a domain that has any there, on average."""
        trains = [part.train for part in self.domains]
        n_users = sum(len(np.unique(train.user)) for train in trains)
        return sum(len(train) for train in trains) / max(n_users, 1)

    def trained_ids(self, dataset: Dataset) -> list[set[str]]:
        """Ids of the users that training sees, domain by domain."""
        pairs = zip(dataset.domains, self.domains, strict=True)
        return [domain.ids_of(part.train) for domain, part in pairs]

    def overlaps(self, dataset: Dataset) -> bool:
        """Whether training sees anybody in two domains."""
        return bool(in_two(self.trained_ids(dataset)))


def in_two(groups: Iterable[set[str]]) -> set[str]:
    """The ids that at least two of the groups hold."""
    seen: set[str] = set()
    twice: set[str] = set()
    for group in groups:
        twice |= seen & group
        seen |= group
    return twice


def shared_rows(
    a: NDArray[np.object_], b: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows in ``a`` and in ``b`` of the ids that both hold, in sorted order of the id."""
    _, rows_a, rows_b = np.intersect1d(
        np.asarray(a, dtype=str), np.asarray(b, dtype=str), assume_unique=True, return_indices=True
    )
    return rows_a, rows_b
