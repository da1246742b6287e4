"""The memory: exact co-occurrence counts, smoothed over similar items; solved, not trained (ours).

    R     = I + lend S                                  what an item's neighbours know, it knows too
    D     = degree + lend S^T degree                    smoothed degree of items
    C     = X^T D_u^-activity X                         taken together, active users count less
    C_o   = X_o^T D_u^-activity X                       the same across domains, by common users
    score = counts [ (x R) D^-seen R^T C  +  elsewhere x_o C_o ] R D^-popular
            +  content x K^2  +  regress [x x_o] B

Whoever took something elsewhere and nothing here gets newcomers * log(1 + degree) beside it, and
whoever took something here everybody * the same, a new item being like the mean of what is taken.

X [n_users, n_items] are a domain's binary train interactions, X_o the same users' in the other
domains, D_u and ``degree`` the sums of its rows and columns; S rows of neighbours that add up to 1
or 0, K cosines. An item that nobody took is nobody's neighbour and was taken together with nothing:
it scores what its own neighbours score, by S. Without S this is item-to-item co-occurrence with the
normalisations of users and items that LightGCN has (He et al., SIGIR 2020, equation 3), their
exponents free. B is the sparse regression of ``method.regression``: what foretells an item where
much was taken of few items, and a count of who took both says little.

Nothing dense of items x items is stored: C stays the two factors that it is made of, and what
somebody took is multiplied through them from the left. Memory is linear in interactions and
neighbours, time in what the items taken, and those like them, were taken together with. The score
is linear in the rows (x, x_o), so what one item taken contributes is the score of that item alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.graphs.neighbours import Neighbours
from micrec_core.graphs.vector import Vector, walk
from micrec_core.method.profiles import Links
from micrec_core.method.taken import taken_elsewhere

if TYPE_CHECKING:
    from micrec_core.graphs.chain import Packed
    from micrec_core.graphs.lanes import Lanes

Rows = TypeVar("Rows", csr_matrix, Vector)

# Cosines count in their square: of weak ones, of which there are many, next to nothing.
_POWER = 2
# Users at a time from which on a kernel is worth loading.
_MANY = 16
# Of a vector with more than this share of numbers that are not 0, all rows are gone through.
_SHARE = 0.25
# What of ``Parts`` adds up to scores.
PARTS = (
    "direct", "lent", "alike", "elsewhere", "alike_elsewhere", "regressed", "regressed_elsewhere",
)  # fmt: skip


@dataclass(frozen=True)
class Constants:
    """All that is chosen.

    Attributes
    ----------
    lend : how much of an item's evidence its neighbours share
    activity, seen, popular : how much less users count who took much, items taken that are popular,
        and popular items that are found; 0 is not at all, 1 in proportion
    elsewhere, content : weight of what was taken in other domains, and of plain similarity
    counts, regress : weight of all that is counted, and of the regression beside it
    penalty : of the regression
    newcomers, everybody : weight of how popular an item is, for who took something in other domains
        alone, and for all others who took something
    similar, similar_new : weight of likeness in content to all that was taken, beside what is
        counted, and for an item that nobody took in its place
    similar_elsewhere : the same to what was taken in other domains, for who took nothing here
    """

    lend: float = 0.2
    activity: float = 0.5
    seen: float = 0.3
    popular: float = 0.05
    elsewhere: float = 0.1
    content: float = 0.3
    counts: float = 1.0
    regress: float = 0.0
    penalty: float = 500.0
    newcomers: float = 0.0
    everybody: float = 0.0
    similar: float = 0.0
    similar_new: float = 0.0
    similar_elsewhere: float = 0.0


@dataclass(frozen=True)
class Memory:
    """What is kept of one domain with ``n`` items; CSR float64.

    Attributes
    ----------
    smooth : R D^-seen, [n, n]
    back : R^T, [n, n]
    takers : X^T, [n, n_users]
    takers_elsewhere : X_o^T, [n_other, n_users]
    tastes : counts D_u^-activity X, [n_users, n]
    found : R D^-popular, [n, n]; an item that nobody took has the mean of its neighbours'
    alike : content K^2, [n, n]
    regressed, regressed_elsewhere : regress B, [n, n] and [n_other, n]; an item that nobody took
        has the mean of its neighbours'
    elsewhere : the weight of what was taken in other domains
    fame : float64 [n], log(1 + degree); of an item that nobody took the mean of what is taken
    """

    smooth: csr_matrix
    back: csr_matrix
    takers: csr_matrix
    takers_elsewhere: csr_matrix
    tastes: csr_matrix
    found: csr_matrix
    alike: csr_matrix
    regressed: csr_matrix
    regressed_elsewhere: csr_matrix
    elsewhere: float
    fame: NDArray[np.float64]

    @property
    def n_stored(self) -> int:
        """How many numbers are kept."""
        return int(sum(m.nnz for m in vars(self).values() if sparse.issparse(m)))

    @cached_property
    def counts(self) -> bool:
        """Whether anything that is counted has a weight."""
        return bool(self.tastes.data.any())

    @cached_property
    def packed(self) -> dict[str, Packed]:
        """The matrices as the kernels take them.

        ``takers`` has those of other domains below, times their weight; it, ``tastes`` and
        ``found`` are turned, for many users go through them from the side of whoever receives.
        """
        from micrec_core.graphs.chain import Packed

        takers = _csr(sparse.vstack([self.takers, self.elsewhere * self.takers_elsewhere]))
        turned = {"takers": takers, "tastes": self.tastes, "found": self.found}
        names = ("smooth", "back", "alike", "regressed", "regressed_elsewhere")
        packed = {name: Packed.turned(matrix) for name, matrix in turned.items()}
        return packed | {name: Packed.of(getattr(self, name)) for name in names}

    @cached_property
    def lanes(self) -> dict[str, Lanes]:
        """The matrices that much of goes through, as one dense vector takes them."""
        from micrec_core.graphs.lanes import Lanes

        return {name: Lanes.turned(getattr(self, name)) for name in ("tastes", "found")}


def fit(
    train: csr_matrix,
    elsewhere: csr_matrix,
    neighbours: csr_matrix,
    cosines: csr_matrix,
    constants: Constants,
    regression: csr_matrix | None = None,
    joined: NDArray[np.bool_] | None = None,
) -> Memory:
    """Count.

    Parameters
    ----------
    train : X, binary [n_users, n]
    elsewhere : X_o, binary [n_users, n_other] by the same rows of users; of n_other = 0 columns
        where there is no other domain
    neighbours : S [n, n], in row i what i borrows from items that were taken
    cosines : K [n, n], likewise
    regression : B [n + n_other, n], as ``method.regression`` has it; None for 0
    joined : bool [n], items that came after the neighbours were found, so that they are nobody's;
        what their neighbours have is added to what they have themselves
    """
    x = _csr(train)
    activity = _power(np.asarray(x.sum(axis=1)).ravel(), -constants.activity)
    degree = np.asarray(x.sum(axis=0)).ravel()
    one = sparse.identity(x.shape[1], dtype=np.float64, format="csr")
    near, cosines = _csr(neighbours), _csr(cosines)
    share = constants.lend * near
    smoothed = degree + share.T @ degree
    smooth = one + share
    found = _csr(smooth @ sparse.diags(_power(smoothed, -constants.popular)))
    alone = degree == 0 if joined is None else (degree == 0) | joined
    new = sparse.diags(alone.astype(np.float64))
    foretold = _csr((x.shape[1] + elsewhere.shape[1], x.shape[1]))
    if regression is not None:
        foretold = _csr(constants.regress * (regression + regression @ (new @ near).T))
    return Memory(
        smooth=_csr(smooth @ sparse.diags(_power(smoothed, -constants.seen))),
        back=_csr(smooth.T),
        takers=_csr(x.T),
        takers_elsewhere=_csr(elsewhere.T),
        tastes=_csr(constants.counts * (sparse.diags(activity) @ x)),
        found=_csr(found + found @ (new @ near).T),
        # Items that nobody took are nobody's neighbours: they are reached from theirs.
        alike=_csr(constants.content * csr_matrix(cosines + (new @ cosines).T).power(_POWER)),
        regressed=foretold[: x.shape[1]],
        regressed_elsewhere=foretold[x.shape[1] :],
        elsewhere=constants.elsewhere,
        fame=fame(degree),
    )


def scores(
    memory: Memory,
    taken: csr_matrix,
    elsewhere: csr_matrix | None = None,
    own: NDArray[np.integer] | None = None,
) -> NDArray[np.floating]:
    """Scores of all items, float [n_asked, n]; what has none is 0.

    Parameters
    ----------
    taken : x, [n_asked, n] items of the domain that were taken
    elsewhere : x_o, [n_asked, n_other]; None for nothing
    own : int [n_asked], who asks, as a row of X: what it took itself is then left out of C and C_o
        (degrees and the regression stay), so that scores of what it took can be learned from
    """
    if taken.shape[0] >= _MANY:
        return _scores_of_many(memory, _csr(taken), elsewhere, own)
    out = np.empty((taken.shape[0], memory.found.shape[1]))
    for row in range(len(out)):
        there = None if elsewhere is None else Vector.of(elsewhere, row)
        one = None if own is None else own[row]
        out[row] = _scores_of_one(memory, Vector.of(taken, row), there, one)
    return out


def _scores_of_one(
    memory: Memory, taken: Vector, elsewhere: Vector | None, own: int | None
) -> NDArray[np.float64]:
    """As ``scores`` of one user, float64 [n]."""
    out = np.zeros(memory.found.shape[1])
    if memory.counts:
        users = np.zeros(memory.tastes.shape[0])
        taken.through(memory.smooth).through(memory.back).onto(memory.takers, users)
        if elsewhere is not None and len(elsewhere.at) and memory.elsewhere:
            there = elsewhere._replace(values=memory.elsewhere * elsewhere.values)
            there.onto(memory.takers_elsewhere, users)
        if own is not None:
            users[own] = 0
        items = _onwards(users, "tastes", memory)
        out = _onwards(items, "found", memory)
    for row, name in _beside(taken, elsewhere):
        weights = getattr(memory, name)
        if weights.nnz and len(row.at):
            row.onto(weights, out)
    return out


def _onwards(dense: NDArray[np.float64], name: str, memory: Memory) -> NDArray[np.float64]:
    """The product of a vector with one of the matrices, through what of it is met or all of it."""
    matrix: csr_matrix = getattr(memory, name)
    if walk() is not None and np.count_nonzero(dense) > _SHARE * len(dense):
        return memory.lanes[name].product(dense)
    out = np.zeros(matrix.shape[1])
    Vector.where(dense).onto(matrix, out)
    return out


def _beside(taken: Rows, elsewhere: Rows | None) -> list[tuple[Rows, str]]:
    """What is added to what was counted: rows that were taken, and which matrix they go through."""
    here: list[tuple[Rows, str]] = [(taken, "alike"), (taken, "regressed")]
    return here if elsewhere is None else [*here, (elsewhere, "regressed_elsewhere")]


def _scores_of_many(
    memory: Memory,
    taken: csr_matrix,
    elsewhere: csr_matrix | None,
    own: NDArray[np.integer] | None,
) -> NDArray[np.float32]:
    """As ``scores``, float32 [n_asked, n], of 64 users at a time."""
    # One list needs no kernel, and does not wait for numba.
    from micrec_core.graphs.chain import Packed, add_product, lay
    from micrec_core.graphs.simd import WIDTH

    out = np.zeros((taken.shape[0], memory.found.shape[1]), np.float32)
    packed, n = memory.packed, memory.takers.shape[0]
    for begin in range(0, len(out) if memory.counts else 0, WIDTH):
        some = slice(begin, begin + WIDTH)
        tile = np.zeros((packed["takers"].n_columns, WIDTH), np.float32)
        lay(tile[:n], taken[some], packed["smooth"], packed["back"])
        if elsewhere is not None:
            lay(tile[n:], elsewhere[some])
        users = packed["takers"].through(tile)
        if own is not None:
            users[own[some], np.arange(len(own[some]))] = 0
        packed["found"].into(out[some], packed["tastes"].through(users))
    for rows, name in _beside(taken, elsewhere):
        add_product(Packed.of(rows), packed[name], out)
    return out


def remember(
    trains: Sequence[csr_matrix],
    links: Links,
    d: int,
    neighbours: Sequence[Neighbours],
    temperature: float,
    constants: Constants,
    regression: csr_matrix | None = None,
    joined: NDArray[np.bool_] | None = None,
) -> Memory:
    """The memory of a domain.

    Parameters
    ----------
    trains : binary train interactions of every domain
    links : rows of the users that each ordered pair of domains shares
    neighbours : of the domain's items, a modality each; weighed as MICRec does
    regression : as in ``fit``
    joined : as ``fit`` takes it
    """
    n = trains[d].shape[1]
    s = (
        blend([(x.rows, x.weights(temperature)) for x in neighbours])
        if neighbours
        else _csr((n, n))
    )
    there = taken_elsewhere(trains, links, d)
    return fit(trains[d], there, s, _csr((n, n)), constants, regression, joined)


def blend(found: Sequence[tuple[NDArray[np.integer], NDArray[np.floating]]]) -> csr_matrix:
    """One matrix [n, n] of the neighbours in several modalities.

    Each row is the mean over the modalities in which it has any.

    Parameters
    ----------
    found : a modality each, rows of neighbours [n, k], -1 for none, and their weights [n, k]
    """
    total, some = csr_matrix((len(found[0][0]),) * 2, dtype=np.float64), np.zeros(len(found[0][0]))
    for rows, weights in found:
        there = rows >= 0
        counts = there.sum(axis=1)
        ends = np.concatenate([[0], np.cumsum(counts)])
        total = total + csr_matrix((weights[there], rows[there], ends), total.shape)
        some += counts > 0
    return _csr(sparse.diags(1.0 / np.maximum(some, 1.0)) @ total)


@dataclass(frozen=True)
class Parts:
    """Scores of some items taken apart by what was taken; all parts add up to them.

    Attributes
    ----------
    taken, taken_elsewhere : int32 [k] and [k_other], the columns of what was taken
    direct : float64 [k, n_targets], by users who took both
    lent : float64 [k, n_targets], by users who took items like them
    alike : float64 [k, n_targets], by plain similarity
    elsewhere : float64 [k_other, n_targets], of what was taken in other domains
    alike_elsewhere : float64 [k_other, n_targets], by likeness in content to that
    regressed, regressed_elsewhere : float64 [k, n_targets] and [k_other, n_targets], by regression
    people, people_elsewhere : int64 [k, n_targets] and [k_other, n_targets], who took both
    popular : float64 [n_targets], by how popular they are, whatever was taken
    """

    taken: NDArray[np.int32]
    taken_elsewhere: NDArray[np.int32]
    direct: NDArray[np.float64]
    lent: NDArray[np.float64]
    alike: NDArray[np.float64]
    elsewhere: NDArray[np.float64]
    alike_elsewhere: NDArray[np.float64]
    regressed: NDArray[np.float64]
    regressed_elsewhere: NDArray[np.float64]
    people: NDArray[np.int64]
    people_elsewhere: NDArray[np.int64]
    popular: NDArray[np.float64]

    def total(self) -> NDArray[np.float64]:
        """What all parts add up to, float64 [n_targets]."""
        parts = [getattr(self, name).sum(axis=0, dtype=np.float64) for name in PARTS]
        found: NDArray[np.float64] = np.sum([*parts, self.popular], axis=0)
        return found


def parts(
    memory: Memory,
    taken: csr_matrix,
    targets: NDArray[np.integer],
    elsewhere: csr_matrix | None = None,
) -> Parts:
    """Why one user has its scores of ``targets`` int [n_targets].

    Parameters
    ----------
    taken, elsewhere : as in ``scores``, of one row
    """
    if elsewhere is None:
        elsewhere = csr_matrix((1, memory.takers_elsewhere.shape[0]), dtype=np.float64)
    one, other = _a_row_each(taken), _a_row_each(elsewhere)
    tastes, found = memory.tastes[:, targets], memory.found[:, targets]
    takers, takers_elsewhere = one @ memory.takers, other @ memory.takers_elsewhere
    both = _dense(takers @ tastes)
    # Nobody is its own neighbour: the diagonals are the powers of the smoothed degrees alone.
    seen, popular = memory.smooth.diagonal(), memory.found.diagonal()
    direct = seen[one.indices, None] * both * popular[targets]
    together = _dense(one @ memory.smooth @ memory.back @ memory.takers @ memory.tastes @ found)
    return Parts(
        one.indices,
        other.indices,
        direct,
        together - direct,
        _dense(one @ memory.alike[:, targets]),
        memory.elsewhere * _dense(takers_elsewhere @ memory.tastes @ found),
        np.zeros((len(other.indices), len(targets))),
        _dense(one @ memory.regressed[:, targets]),
        _dense(other @ memory.regressed_elsewhere[:, targets]),
        _people(takers, tastes),
        _people(takers_elsewhere, tastes),
        np.zeros(len(targets)),
    )


def _people(takers: csr_matrix, tastes: csr_matrix) -> NDArray[np.int64]:
    """How many users took each pair, whatever they weigh."""
    return np.asarray((takers.astype(bool).astype(int) @ tastes.astype(bool).astype(int)).toarray())


def _a_row_each(taken: csr_matrix) -> csr_matrix:
    """CSR [k, n] with a row for each of the k items that one user took."""
    k = taken.nnz
    return csr_matrix((taken.data, taken.indices, np.arange(k + 1)), (k, taken.shape[1]))


def fame(degree: NDArray[np.number]) -> NDArray[np.float64]:
    """How popular items are; one that nobody took is like the mean of what is taken."""
    found, told = np.log1p(degree.astype(np.float64)), float(degree.sum())
    mean = float(degree @ found) / told if told else 0.0
    out: NDArray[np.float64] = np.where(degree > 0, found, mean)
    return out


def _power(x: NDArray[np.floating], exponent: float) -> NDArray[np.float64]:
    """x^exponent, 0 where x is 0."""
    out = np.zeros(len(x), np.float64)
    np.power(x, exponent, out=out, where=x > 0, dtype=np.float64)
    return out


def _csr(matrix: sparse.spmatrix | NDArray[np.floating] | tuple[int, int]) -> csr_matrix:
    return csr_matrix(matrix, dtype=np.float64)


def _dense(matrix: csr_matrix) -> NDArray[np.float64]:
    return np.asarray(matrix.toarray(), np.float64)
