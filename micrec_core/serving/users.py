"""Who is served: a user of the training data, one made up on the spot, or both at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.errors import RunError
from micrec_core.features import FeatureMatrix
from micrec_core.method.arrays import columns_of
from micrec_core.method.evidence import Person
from micrec_core.modalities.registry import given, modality
from micrec_core.serving.contents import Bundle, DomainPart

Kind = Literal["hot", "warm", "cold"]
Encode = Callable[[str, object], FeatureMatrix | None]


@dataclass(frozen=True, eq=False)
class User(Person):
    """A user as the recommender sees one. Nothing is learned about it and nothing is kept.

    Attributes
    ----------
    id : of a user of the training data, or None
    likes : domain -> item ids, the training interactions of ``id`` among them
    kind : domain -> ``hot`` (in training, history untouched), ``warm`` (likes, a text or a picture
        to go by here) or ``cold`` (nothing here)
    notes : sentences on what could not be used
    """

    id: str | None
    likes: Mapping[str, tuple[str, ...]]
    kind: Mapping[str, Kind]
    notes: tuple[str, ...] = ()


class Directory:
    """Ids to rows, both ways, for every domain."""

    def __init__(self, bundle: Bundle):
        self.bundle = bundle
        self._domains = {part.name: d for d, part in enumerate(bundle.domains)}
        # Of millions of ids these take a while: made when the first is asked for.
        self._users = cache(lambda d: _places(bundle.domains[d].user_ids))
        self._items = cache(lambda d: _places(bundle.domains[d].item_ids))

    def domain(self, name: str) -> int:
        """Index of a domain; RunError naming the known ones otherwise."""
        if name not in self._domains:
            known = ", ".join(self._domains)
            raise RunError(f"there is no domain '{name}' in this run; it has: {known}")
        return self._domains[name]

    def item(self, d: int, item_id: str) -> int:
        """Row of an item; RunError where there is none."""
        row = self._items(d).get(str(item_id))
        if row is None:
            name = self.bundle.domains[d].name
            raise RunError(f"there is no item '{item_id}' in domain '{name}'; search its catalogue")
        return row

    def listed(
        self, d: int, rows: NDArray[np.integer], **more: NDArray[np.floating]
    ) -> pd.DataFrame:
        """Items as a table: item_id, title, and ``more`` columns of [n_rows]."""
        part = self.bundle.domains[d]
        # All at once: a column put in later costs as much as a search among ten thousand items.
        return pd.DataFrame({"item_id": part.item_ids[rows], "title": part.titles[rows], **more})

    def user_row(self, d: int, user_id: str) -> int:
        """Row of a user with interactions in the domain, -1 for none."""
        row = self._users(d).get(str(user_id), -1)
        return row if row >= 0 and self.history(d, row).size else -1

    def known_row(self, d: int, user_id: str) -> int:
        """Row of a user with interactions in the domain; RunError where there is none."""
        row = self.user_row(d, user_id)
        if row < 0:
            name = self.bundle.domains[d].name
            raise RunError(f"there is no user '{user_id}' with interactions in '{name}'")
        return row

    def history(self, d: int, row: int) -> NDArray[np.int64]:
        """Item rows of what a user took by now, sorted."""
        return columns_of(self.bundle.domains[d].taken, row)

    def as_trained(self, d: int, row: int, items: NDArray[np.int64]) -> bool:
        """Whether a user's items are those that training saw of them."""
        trained = columns_of(self.bundle.domains[d].train, row)
        return bool(len(items)) and np.array_equal(items, trained)


def make_user(
    directory: Directory,
    *,
    id: str | None,
    likes: Mapping[str, Sequence[str]],
    said: Mapping[str, object],
    encode: Encode,
    counts_as: float = 1.0,
) -> User:
    """Look everything up; ``likes`` come on top of the training history of ``id``.

    ``said``: modality -> what they say or show in it.

    Raises
    ------
    RunError
        The id, a domain or an item is not known.
    DataError
        The picture cannot be read.
    """
    parts = directory.bundle.domains
    rows = tuple(-1 if id is None else directory.user_row(d, id) for d in range(len(parts)))
    added = {directory.domain(name): ids for name, ids in likes.items()}
    if id is not None and max(rows) < 0 and not any(added.values()):
        raise RunError(
            f"there is no user '{id}' with interactions in this run's training; "
            "choose another or give likes"
        )
    items = []
    for d in range(len(parts)):
        extra = [directory.item(d, i) for i in added.get(d, ())]
        past = directory.history(d, rows[d]) if rows[d] >= 0 else np.zeros(0, np.int64)
        items.append(np.union1d(past, np.asarray(extra, np.int64)).astype(np.int64))
    documents, notes = _documents(directory.bundle, said, encode)
    return assemble(directory, id, rows, tuple(items), documents, notes, counts_as)


def _documents(
    bundle: Bundle, said: Mapping[str, object], encode: Encode
) -> tuple[dict[str, FeatureMatrix], tuple[str, ...]]:
    documents, notes = {}, []
    for name, value in given(said).items():
        noun = modality(name).noun
        if name not in bundle.modalities:
            notes.append(f"This run's model takes no {name}, so the {noun} counts for nothing.")
            continue
        matrix = encode(name, value)
        if matrix is None:
            notes.append(
                f"Nothing in the {noun} is known to the encoder, so it counts for nothing."
            )
        else:
            documents[name] = matrix
    return documents, tuple(notes)


def assemble(
    directory: Directory,
    id: str | None,
    rows: tuple[int, ...],
    items: tuple[NDArray[np.int64], ...],
    documents: Mapping[str, FeatureMatrix],
    notes: tuple[str, ...] = (),
    counts_as: float = 1.0,
) -> User:
    """A user from rows: says which kind it is in each domain."""
    parts = directory.bundle.domains
    unchanged = tuple(
        rows[d] >= 0 and not documents and directory.as_trained(d, rows[d], items[d])
        for d in range(len(parts))
    )
    kind: dict[str, Kind] = {}
    for d, part in enumerate(parts):
        warm = bool(len(items[d]) or documents)
        kind[part.name] = "hot" if unchanged[d] else "warm" if warm else "cold"
    likes = {part.name: _ids(part, items[d]) for d, part in enumerate(parts)}
    return User(rows, items, unchanged, documents, id, likes, kind, notes, counts_as=counts_as)


def _ids(part: DomainPart, rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(str(i) for i in part.item_ids[rows])


def _places(ids: NDArray[np.object_]) -> dict[str, int]:
    return {str(key): row for row, key in enumerate(ids)}
