"""What a memory adds to the scores of many users: of some users, or of some items for all of them.

The scores are one product, which can be multiplied from either side (``method.memory`` says what
the matrices are):

    [x x_o] table,   table = [ smooth back takers ; elsewhere takers_elsewhere ] tastes found
                             + [ alike + regressed + similar likeness ; regressed_elsewhere ]

From the left it costs a pass over all interactions a user; from the right a pass over them an item,
and then a row of the table for each item taken. The table is of items x items, so it is made of
some columns at a time and never whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csc_matrix, csr_matrix

from micrec_core.graphs.chain import Packed, add_product
from micrec_core.graphs.simd import WIDTH
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken


@dataclass(frozen=True)
class ForMany:
    """What a memory adds for some users.

    Attributes
    ----------
    taken : by each of them
    """

    held: Remembered
    taken: Taken

    def rows(self, users: NDArray[np.integer]) -> NDArray[np.floating]:
        """To all items, of some of the users by their place: float [n, n_items]."""
        return self.held.scores(self.taken.rows(users))

    def columns(self, items: NDArray[np.integer]) -> Callable[[slice], NDArray[np.float32]]:
        """To some items, as a function of adjacent users: float32 [n, n_some]."""
        table, held = self._table(items), self.held
        popular = held.to_newcomers[items].astype(np.float32)
        across = held.across(self._newly, items) if held.crosses else None
        fame = held.to_everybody[items].astype(np.float32)

        def added(users: slice) -> NDArray[np.float32]:
            found = self._asked.through(table, rows=users)[:, : len(items)]
            new = self._newcomers[users]
            found[new] += popular
            if across is not None:
                found[new] += across[self._places[users][new]]
            if held.constants.everybody:
                found[self._at_home[users]] += fame
            return found

        return added

    @cached_property
    def by_columns(self) -> bool:
        """Whether what all of the users are to be told is cheaper of some items at a time."""
        memory, asked = self.held.memory, self.taken.here.nnz + self.taken.elsewhere.nnz
        a_user = memory.takers.nnz + memory.tastes.nnz + memory.found.nnz
        an_item = memory.smooth.nnz + memory.back.nnz + asked
        n_users, n_items = self.taken.here.shape[0], memory.found.shape[1]
        return bool(n_items * an_item < n_users * a_user)

    @cached_property
    def _newcomers(self) -> NDArray[np.bool_]:
        return self.taken.newcomers()

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Of each newcomer among the newcomers."""
        return np.cumsum(self._newcomers) - 1

    @cached_property
    def _newly(self) -> Taken:
        """By the newcomers."""
        return self.taken.rows(np.flatnonzero(self._newcomers))

    @cached_property
    def _at_home(self) -> NDArray[np.bool_]:
        return self.taken.at_home()

    @cached_property
    def _asked(self) -> Packed:
        """What was taken, here and then elsewhere, times what a user's scores are multiplied by."""
        scale = sparse.diags(self.held.scale(self.taken).ravel())
        there = self.taken.elsewhere[:, self._elsewhere]
        return Packed.of(csr_matrix(scale @ sparse.hstack([self.taken.here, there])))

    @cached_property
    def _elsewhere(self) -> NDArray[np.intp]:
        """Items of other domains of which anything is known, and that somebody who asks took."""
        memory = self.held.memory
        known = memory.regressed_elsewhere.getnnz(axis=1) > 0
        if memory.elsewhere:
            known |= memory.takers_elsewhere.getnnz(axis=1) > 0
        return np.flatnonzero(known & (self.taken.elsewhere.getnnz(axis=0) > 0))

    @cached_property
    def _takers(self) -> Packed:
        memory = self.held.memory
        there = memory.elsewhere * memory.takers_elsewhere[self._elsewhere]
        return Packed.of(csr_matrix(sparse.vstack([memory.takers, there])))

    @cached_property
    def _found(self) -> csc_matrix:
        return csc_matrix(self.held.memory.found)

    @cached_property
    def _beside(self) -> csc_matrix:
        """What is added to what was counted."""
        memory = self.held.memory
        here = memory.alike + memory.regressed
        return csc_matrix(sparse.vstack([here, memory.regressed_elsewhere[self._elsewhere]]))

    def _table(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """Columns of it, float32 [n + n_other, a multiple of 64]; what is beyond them is 0."""
        memory, n = self.held.memory, self.held.memory.takers.shape[0]
        shape = (len(self._takers), -(-len(items) // WIDTH) * WIDTH)
        users, table = (
            memory.tastes @ csr_matrix(self._found[:, items]),
            np.zeros(shape, np.float32),
        )
        add_product(self._takers, Packed.of(users), table)
        packed = memory.packed
        packed["smooth"].through(packed["back"].through(table[:n]), table[:n])
        beside = self._beside[:, items].tocoo()
        table[beside.row, beside.col] += beside.data.astype(np.float32)
        if self.held.likeness is not None:
            alike = self.held.likeness.columns(n, items)
            table[:n, : len(items)] += self.held.of_likeness[items] * alike
        return table
