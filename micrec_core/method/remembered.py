"""A domain's memory as the full model has it: beside the embeddings, with what stands beside it.

``method.memory`` counts; here is what somebody took as it takes it, its weight, and what is added
to it: likeness in content, and popularity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.method.likeness import Likeness
from micrec_core.method.memory import PARTS, Constants, Memory, Parts, fame, parts, scores
from micrec_core.method.search import Query
from micrec_core.method.taken import Taken


@dataclass(frozen=True)
class Remembered:
    """A domain's memory as the full model has it (docs/method.md, section 12).

        score(u, i) = <ê_u, ê_i> + weight * n_u^-1/2 * (memory(u, i) + similar_ui * likeness(u, i))
                      + (u is a newcomer ? newcomers * log(1 + degree_i) : everybody * fame_i)

    n_u is what the user took in the domain, or in others where that is nothing, which makes a
    newcomer: a bridge tells less of a user than what is taken here does, and the less is told, the
    more there is to what everybody takes. So the first two parts stay of one size, however much
    somebody took, and the whole is linear in it given n_u.

    Attributes
    ----------
    weight : of the memory beside the embeddings
    regression : B, which cannot be counted anew in no time; None where it has no weight
    likeness : what the items say; None where nothing goes by it
    """

    memory: Memory
    constants: Constants
    weight: float
    regression: csr_matrix | None = None
    likeness: Likeness | None = None

    @property
    def adds(self) -> bool:
        """Whether it says anything of anybody."""
        return self.weight > 0 or self.constants.newcomers > 0 or self.constants.everybody > 0

    def scale(self, taken: Taken) -> NDArray[np.float64]:
        """What a user's scores are multiplied with, float64 [n_asked, 1]."""
        here, there = (np.diff(rows.indptr) for rows in taken)
        n = np.where(here > 0, here, np.maximum(there, 1))
        found: NDArray[np.float64] = self.weight * n[:, None] ** -0.5
        return found

    def scores(self, taken: Taken) -> NDArray[np.floating]:
        """Its part of the scores of all items, float [n_asked, n]; as ``scores``."""
        found = scores(self.memory, *taken)
        if self.likeness is not None:
            found += self.of_likeness * self.likeness.scores(taken.here)
        found *= self.scale(taken).astype(found.dtype)
        new = np.flatnonzero(taken.newcomers())
        if len(new):
            found[new] += self.across(taken.rows(new)) + self.to_newcomers.astype(found.dtype)
        if self.constants.everybody:
            found[taken.at_home()] += self.to_everybody.astype(found.dtype)
        return found

    @cached_property
    def of_likeness(self) -> NDArray[np.float32]:
        """The weight of likeness for each item, float32 [n]."""
        assert self.likeness is not None
        weights = self.constants.similar, self.constants.similar_new
        return np.where(self.likeness.new, weights[1], weights[0]).astype(np.float32)

    def across(
        self, taken: Taken, items: NDArray[np.integer] | None = None
    ) -> NDArray[np.floating]:
        """What likeness to what newcomers took in other domains adds, float [n_asked, n_items].

        Parameters
        ----------
        taken : by newcomers alone
        items : int [n_items]; None for all
        """
        n = len(self.memory.fame) if items is None else len(items)
        if self.likeness is None or not self.crosses:
            return np.zeros((taken.elsewhere.shape[0], n), np.float32)
        told = taken.elsewhere
        if items is None:
            found = self.likeness.scores(told, elsewhere=True)
        else:
            found = self.likeness.scores_of(told, items, elsewhere=True)
        return (self.constants.similar_elsewhere * self.scale(taken)).astype(np.float32) * found

    @property
    def crosses(self) -> bool:
        """Whether what newcomers took in other domains counts by what it says."""
        return self.likeness is not None and self.constants.similar_elsewhere > 0

    @cached_property
    def to_newcomers(self) -> NDArray[np.float64]:
        """What is added to the scores of all items for a newcomer, float64 [n]."""
        # An item that came later has no row among those that somebody took.
        degree = np.zeros(self.memory.found.shape[1])
        degree[: self.memory.takers.shape[0]] = np.diff(self.memory.takers.indptr)
        found: NDArray[np.float64] = self.constants.newcomers * np.log1p(degree)
        return found

    @property
    def to_everybody(self) -> NDArray[np.float64]:
        """What is added to the scores of all items for who took something here, float64 [n]."""
        found: NDArray[np.float64] = self.constants.everybody * self.memory.fame
        return found

    def scores_of(self, taken: Taken, column: int) -> NDArray[np.float64]:
        """As ``scores`` of one item, float64 [n_asked], in the time of its own column.

        Multiplied from the right, so that it is linear in interactions however many ask.
        """
        memory = self.memory
        users = memory.tastes @ memory.found[:, [column]]
        here = memory.smooth @ (memory.back @ (memory.takers @ users))
        here = here + memory.alike[:, [column]] + memory.regressed[:, [column]]
        there = memory.elsewhere * (memory.takers_elsewhere @ users)
        there = there + memory.regressed_elsewhere[:, [column]]
        found = (taken.here @ _csr(here) + taken.elsewhere @ _csr(there)).toarray().ravel()
        new = np.flatnonzero(taken.newcomers())
        if self.likeness is not None and self.of_likeness[column]:
            alike = self.likeness.scores_of(taken.here, np.array([column]))[:, 0]
            found += self.of_likeness[column] * alike
        out: NDArray[np.float64] = self.scale(taken).ravel() * found
        if len(new):
            out[new] += self.across(taken.rows(new), np.array([column]))[:, 0]
            out[new] += self.to_newcomers[column]
        out[taken.at_home()] += self.to_everybody[column]
        return out

    def parts(self, taken: Taken, targets: NDArray[np.integer]) -> Parts:
        """As ``parts`` of one user, scaled: all of them add up to its part of the scores."""
        found = parts(self.memory, taken.here, targets, taken.elsewhere)
        if self.likeness is not None:
            alike = self.of_likeness[targets] * self.likeness.among(found.taken, targets)
            found = replace(found, alike=found.alike + alike)
        if self.likeness is not None and self.crosses and taken.newcomers()[0]:
            across = self.likeness.among(found.taken_elsewhere, targets, elsewhere=True)
            found = replace(found, alike_elsewhere=self.constants.similar_elsewhere * across)
        scale = self.scale(taken)
        values = {name: scale * getattr(found, name) for name in PARTS}
        popular = self.to_newcomers[targets] * float(taken.newcomers()[0])
        popular += self.to_everybody[targets] * float(taken.at_home()[0])
        return replace(found, **values, popular=popular)

    def with_new_item(
        self,
        neighbours: Sequence[tuple[NDArray[np.integer], NDArray[np.floating]]],
        said: Sequence[Query | None],
    ) -> Remembered:
        """The same with one item more, the last, that nobody took.

        Parameters
        ----------
        neighbours : a modality each that it has any in, their rows and weights [k]
        said : what it says in each modality, as ``Likeness.with_item`` takes it
        """
        old, n = self.memory, self.memory.found.shape[0]
        share = np.zeros(n, np.float64)
        for rows, weights in neighbours:
            share[rows] += weights / len(neighbours)
        column = _csr(old.found @ share[:, None])
        found = sparse.vstack([sparse.hstack([old.found, column]), _csr((1, n + 1))])
        tastes = sparse.hstack([old.tastes, _csr((old.tastes.shape[0], 1))])
        alike = sparse.hstack([old.alike, _csr((n, 1))])
        more = {"found": found, "tastes": tastes, "alike": alike}
        for name in ("regressed", "regressed_elsewhere"):
            weights = getattr(old, name)
            more[name] = sparse.hstack([weights, _csr(weights @ share[:, None])])
        counted = {name: _csr(matrix) for name, matrix in more.items()}
        grown = replace(old, fame=fame(np.append(np.diff(old.takers.indptr), 0)), **counted)
        return replace(self, memory=grown, likeness=self.likeness and self.likeness.with_item(said))


def _csr(matrix: sparse.spmatrix | NDArray[np.floating] | tuple[int, int]) -> csr_matrix:
    return csr_matrix(matrix, dtype=np.float64)
