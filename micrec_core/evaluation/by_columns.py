"""Full ranking with what a memory adds, which for many users is cheaper of some items at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from micrec_core.evaluation.compiled import multiply_alike, sort_top
from micrec_core.evaluation.parallel import map_pieces
from micrec_core.evaluation.selection import Kept, Selection
from micrec_core.method.search import repeated_rows

ScoreBlock: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.floating]]

# Items and users whose scores are at hand at a time: 4 MiB.
_ITEMS, _USERS = 256, 4096


@runtime_checkable
class Added(Protocol):
    """What is added to the scores of some users."""

    @property
    def by_columns(self) -> bool:
        """Whether all of it is cheaper of some items at a time."""

    def rows(self, users: NDArray[np.int64]) -> NDArray[np.floating]:
        """To all items, of some of the users by their place: float [n, n_items]."""

    def columns(self, items: NDArray[np.int64]) -> Callable[[slice], NDArray[np.float32]]:
        """To some items, as a function of adjacent users: float32 [n, n_some]."""


def rank_by_columns(
    users: NDArray[np.floating],
    items: NDArray[np.float32],
    columns: NDArray[np.int64] | None,
    select: Selection,
    add: Added,
    scores: NDArray[np.floating] | None = None,
) -> NDArray[np.int32]:
    """The best items of each user by inner product and what is added to it.

    Parameters
    ----------
    users, items : float [n_users, dim] and [n_items, dim]
    columns : which items these are to ``add``, in order; None for all
    select : mask and candidates of these users and items
    scores : float [n_users, k], filled with the scores of what is ranked

    Returns
    -------
    int32 [n_users, k], as in ``rank_users``
    """
    queries = np.ascontiguousarray(users, dtype=np.float32)
    kept = Kept.none(np.full((len(users), select.k), -1, np.int32), np.dtype(np.float32))
    named = np.arange(len(items)) if columns is None else columns
    repeated = np.unique(np.concatenate(repeated_rows(items)))
    pieces = [slice(at, min(at + _USERS, len(users))) for at in range(0, len(users), _USERS)]

    def rank(begin: int, added: Callable[[slice], NDArray[np.float32]], piece: slice) -> None:
        some = items[begin : begin + _ITEMS]
        block = queries[piece] @ some.T
        alike = repeated[(repeated >= begin) & (repeated < begin + len(some))] - begin
        if len(alike):
            multiply_alike(np.ascontiguousarray(queries[piece].T), some[alike], alike, block)
        block += added(piece)
        select.keep(block, np.arange(piece.start, piece.stop), begin, kept.of(piece))

    for begin in range(0, len(items), _ITEMS):
        added = add.columns(named[begin : begin + _ITEMS])
        map_pieces(partial(rank, begin, added), pieces)
    sort_top(0, len(users), *kept)
    if scores is not None:
        scores[:] = kept.values
    return kept.rows
