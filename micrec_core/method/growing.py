"""A trained model's arrays with more users, items and interactions; nothing is trained.

What comes later is folded in to what was trained (docs/method.md, section 13): its embeddings go by
trained users and items alone, so that neither the order in which things come nor the number of
updates they come in makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.arrays import DomainArrays, ModalityArrays, ModelArrays, columns_of
from micrec_core.method.evidence import Person
from micrec_core.method.foldin import FoldIn

D = TypeVar("D", bound=DomainArrays)
M = TypeVar("M", bound=ModelArrays)


def grow(
    part: D,
    n_users: int,
    n_items: int,
    features: Mapping[str, FeatureMatrix],
    users: NDArray[np.integer],
    items: NDArray[np.integer],
) -> D:
    """A domain with rows for more users and items and with more interactions; none folded in yet.

    Parameters
    ----------
    n_users, n_items : how many are new; their rows follow those that are there
    features : modality -> of the new items, centred
    users, items : rows of new interactions; what is there already is left out
    """
    shape = part.train.shape[0] + n_users, part.train.shape[1] + n_items
    train, n_trained = _resized(part.train, shape), part.n_trained_items
    ones = np.ones(len(users), np.float32)
    more = csr_matrix((ones, (users, items)), shape)
    before = csr_matrix(shape, dtype=np.float32)
    if part.later is not None:
        before = _resized(part.later, shape)
    later = _binary(before + more)
    later = _binary(later - later.multiply(train))
    modalities = {m: _grown(x, n_users, features[m]) for m, x in part.modalities.items()}
    return replace(
        part,
        train=train,
        later=later,
        n_trained_items=part.train.shape[1] if n_trained is None else n_trained,
        modalities=modalities,
        user_templates=_padded(part.user_templates, n_users),
        item_templates=_padded(part.item_templates, n_items),
        initial_users=_padded(part.initial_users, n_users),
        users=_padded(part.users, n_users),
        item_layers=_padded(part.item_layers, n_items),
    )


def with_room_in_memory(model: M, before: Sequence[int]) -> M:
    """The same with regressions as large as the catalogues; new items have neither row nor column.

    Parameters
    ----------
    before : items of each domain when the regressions were made
    """
    now, memory = [part.train.shape[1] for part in model.domains], []
    for d, chosen in enumerate(model.memory):
        if chosen is not None and chosen[2] is not None:
            order = [d, *(s for s in range(len(now)) if s != d)]
            ends = np.cumsum([0, *(before[s] for s in order)])
            blocks = [
                _resized(chosen[2][begin:end], (now[s], now[d]))
                for s, (begin, end) in zip(order, pairwise(ends), strict=True)
            ]
            chosen = (chosen[0], chosen[1], csr_matrix(sparse.vstack(blocks)))
        memory.append(chosen)
    return replace(model, memory=tuple(memory))


def with_items_folded_in(model: M) -> M:
    """The same with embeddings and neighbours of all items that joined after training."""
    fold, domains = FoldIn(model), []
    for d, part in enumerate(model.domains):
        layers = part.item_layers.copy()
        near = {m: _copy(x.item_neighbours) for m, x in part.modalities.items()}
        for row in np.flatnonzero(part.joined):
            folded = fold.joined_item(d, int(row))
            # Outside of the graph there is one layer, and no mean over several.
            layers[row] = 0.0
            layers[row, 0] = folded.by_source(model.sources)
            for m, found in folded.near.items():
                n = len(found.rows)
                near[m].rows[row, :n], near[m].similarity[row, :n] = found.rows, found.similarity
        modalities = {m: replace(x, item_neighbours=near[m]) for m, x in part.modalities.items()}
        domains.append(replace(part, item_layers=layers, modalities=modalities))
    return replace(model, domains=tuple(domains))


def with_users_folded_in(model: M, people: Iterable[tuple[int, ...]]) -> M:
    """The same with the embeddings of some users, by all that they took.

    Parameters
    ----------
    people : of each their row in every domain, -1 where they have none
    """
    fold = FoldIn(model)
    users = [part.users.copy() for part in model.domains]
    for rows in people:
        person = person_by_now(model, rows)
        for d, row in enumerate(rows):
            if row >= 0:
                users[d][row] = fold.user(person, d).vector()
    pairs = zip(model.domains, users, strict=True)
    return replace(model, domains=tuple(replace(part, users=found) for part, found in pairs))


def person_by_now(model: ModelArrays, rows: tuple[int, ...]) -> Person:
    """Someone with all that they took, training's and later; ``rows`` of each domain or -1."""
    items, unchanged = [], []
    for part, row in zip(model.domains, rows, strict=True):
        taken, trained = (columns_of(matrix, row) for matrix in (part.taken, part.train))
        items.append(taken)
        unchanged.append(bool(len(taken)) and np.array_equal(taken, trained))
    return Person(rows, tuple(items), tuple(unchanged), {})


def _grown(x: ModalityArrays, n_users: int, features: FeatureMatrix) -> ModalityArrays:
    """Neighbours of new rows are not found yet; a new user is nobody's."""
    old, n = x.features, len(features)
    space = x.user_space
    if isinstance(space, np.ndarray):
        space = _padded(space, n_users)
    else:
        space = _resized(space, (space.shape[0] + n_users, space.shape[1]))
    words = old.sparse
    if words is not None:
        empty = csr_matrix((n, words.shape[1]), dtype=np.float32)
        words = csr_matrix(
            sparse.vstack([words, empty if features.sparse is None else features.sparse])
        )
    dense = np.concatenate([old.dense, features.dense.astype(np.float32)])
    return ModalityArrays(
        FeatureMatrix(dense, words, np.concatenate([old.present, features.present])),
        lambda: space,
        _unknown(x.user_neighbours, n_users),
        _unknown(x.item_neighbours, n),
    )


def _unknown(found: Neighbours, n: int) -> Neighbours:
    """With ``n`` rows more that have none."""
    rows = np.pad(found.rows, ((0, n), (0, 0)), constant_values=-1)
    return Neighbours(rows, _padded(found.similarity, n))


def _copy(found: Neighbours) -> Neighbours:
    return Neighbours(found.rows.copy(), found.similarity.copy())


def _padded(rows: NDArray[Any], n: int) -> NDArray[Any]:
    return np.pad(rows, ((0, n), *[(0, 0)] * (rows.ndim - 1)))


def _resized(matrix: csr_matrix, shape: tuple[int, int]) -> csr_matrix:
    """A copy of the same entries in a larger shape."""
    out = csr_matrix(matrix, copy=True)
    out.resize(shape)
    return out


def _binary(matrix: csr_matrix) -> csr_matrix:
    out = csr_matrix(matrix, dtype=np.float32)
    out.eliminate_zeros()
    out.data[:] = 1.0
    out.sort_indices()
    return out
