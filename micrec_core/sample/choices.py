"""Which items the made-up users take, and when.

A user takes the n_u items with the largest util(u,i) + ln pi_i + Gumbel(0, 1), which is sampling
without replacement in proportion to pi_i exp(util). With many users that is done among candidates
only: for a user of archetype and reading habit g they are drawn in proportion to q_g(i) = pi_i
exp(util of the mean user of g), and util(u,i) + ln pi_i - ln q_g(i) + Gumbel ranks them
(close to the exact law: what nobody of one's kind would take is hardly proposed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.sample.world import INTERACTION, N_ARCHETYPES, TIME, World, stream

Floats = NDArray[np.float32]
EXACT_USERS = 20_000
_CANDIDATES = 256
_READER_SHARES = (0.1, 0.5, 0.9)
_BLOCK = 1024
_MAX_PER_USER = 60
_MEDIAN_PER_USER = (11.0, 5.0)
_LOG_SPREAD = 0.55
_FIRST_DAY = 1_672_531_200  # 2023-01-01 00:00 UTC
_DAY = 86_400


@dataclass(frozen=True)
class Choices:
    """The interactions of one domain, by user and then by time.

    Attributes
    ----------
    user : int32 [n], rows of ``WorldDomain.users``
    item : int32 [n], rows of the domain's items
    timestamp : int64 [n], seconds since 1970, rising within a user
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    timestamp: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)


def make_choices(world: World, domain: int, *, exact: bool | None = None) -> Choices:
    """Draw the interactions of one domain.

    Parameters
    ----------
    exact : rank all items for every user; by default up to 20,000 users
    """
    part = world.domains[domain]
    exact = len(part.users) <= EXACT_USERS if exact is None else exact
    counts = _counts(world, domain)
    factors = part.item_factors()
    proposal = None if exact else _Proposal(world, domain, factors)
    users, items = [], []
    for block, start in enumerate(range(0, len(part.users), _BLOCK)):
        rows = np.arange(start, min(start + _BLOCK, len(part.users)))
        rng = stream(world.seed, INTERACTION, domain, block)
        tastes = world.weighted(part.tastes[rows], world.reader_share[part.users[rows]])
        if proposal is None:
            keys = tastes @ factors.T + np.log(part.popularity).astype(np.float32)
            keys += _gumbel(rng, keys.shape)
            taken, chosen = _best(keys, counts[rows])
        else:
            here = part.users[rows]
            kinds = proposal.kinds(world.archetype[here], world.reader_share[here])
            candidates = proposal.draw(rng, kinds)
            keys = proposal.keys(rng, candidates, kinds, tastes)
            # A candidate drawn twice ranks last the second time; n_u is cut where too few are left.
            left = np.minimum(counts[rows], np.isfinite(keys).sum(axis=1))
            taken, columns = _best(keys, left)
            chosen = candidates[taken, columns]
        # In random order, or a user's first items would be the best liked.
        order = np.lexsort((rng.random(len(taken)), taken))
        users.append((taken[order] + start).astype(np.int32))
        items.append(chosen[order].astype(np.int32))
    user, item = np.concatenate(users), np.concatenate(items)
    return Choices(user, item, _timestamps(world.seed, domain, user))


def _counts(world: World, domain: int) -> NDArray[np.int64]:
    """How many items each user takes [n_users]."""
    part = world.domains[domain]
    rng = stream(world.seed, INTERACTION, domain)
    drawn = rng.lognormal(np.log(_MEDIAN_PER_USER[domain]), _LOG_SPREAD, len(part.users))
    most = min(max(part.n_items // 10, 4), _MAX_PER_USER)
    return np.clip(np.rint(drawn), 3, most).astype(np.int64)


def _gumbel(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Gumbel(0, 1) as minus the logarithm of exponential draws, which is the quick way to it."""
    drawn = rng.standard_exponential(shape, dtype=np.float32)
    return -np.log(np.maximum(drawn, np.finfo(np.float32).tiny), out=drawn)


def _best(keys: Floats, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the ``counts`` [n] largest keys of each row, row by row."""
    most = int(counts.max())
    top = np.argpartition(-keys, most - 1, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(keys, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    rows, ranks = np.nonzero(np.arange(most)[None, :] < counts[:, None])
    return rows, top[rows, ranks]


class _Proposal:
    """Candidates and their keys per kind of user: archetype and whether one reads or looks."""

    def __init__(self, world: World, domain: int, factors: Floats) -> None:
        part = world.domains[domain]
        # 0.8 is what of an archetype's mean is left in a domain's tastes: sqrt(.75 * .85).
        means = np.repeat(world.archetype_tastes * np.float32(0.8), len(_READER_SHARES), axis=0)
        shares = np.tile(np.array(_READER_SHARES, dtype=np.float32), N_ARCHETYPES)
        self.mean_utility = world.weighted(means, shares) @ factors.T
        weights = part.popularity * np.exp(self.mean_utility.astype(np.float64))
        self.cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
        self.factors = factors

    def kinds(self, archetypes: NDArray[np.int16], reader_share: Floats) -> NDArray[np.int64]:
        """The kind [n] of users of these archetypes and reader shares [n]."""
        middle = (np.array(_READER_SHARES[1:]) + np.array(_READER_SHARES[:-1])) / 2
        return archetypes * len(_READER_SHARES) + np.searchsorted(middle, reader_share)

    def draw(self, rng: np.random.Generator, kinds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Candidates [n, 256] of users of these kinds [n], ascending in a row."""
        # Ascending in a row, which makes the search below several times faster.
        uniform = np.sort(rng.random((len(kinds), _CANDIDATES)), axis=1)
        out = np.empty(uniform.shape, dtype=np.int64)
        for kind in np.unique(kinds):
            mine = kinds == kind
            out[mine] = np.searchsorted(self.cumulative[kind], uniform[mine])
        return np.minimum(out, len(self.factors) - 1)

    def keys(
        self,
        rng: np.random.Generator,
        candidates: NDArray[np.int64],
        kinds: NDArray[np.int64],
        tastes: Floats,
    ) -> Floats:
        """Keys [n, 256]; minus infinity for a candidate that a row holds already."""
        utility = np.einsum("nk,nck->nc", tastes, self.factors[candidates], optimize=True)
        keys = utility - self.mean_utility[kinds[:, None], candidates]
        keys += _gumbel(rng, keys.shape)
        keys[:, 1:][candidates[:, 1:] == candidates[:, :-1]] = -np.inf
        return keys


def _timestamps(seed: int, domain: int, user: NDArray[np.int32]) -> NDArray[np.int64]:
    """Seconds [n]: a first day within the year, then a gap of some nine days after each."""
    rng = stream(seed, TIME, domain)
    gaps = rng.exponential(9.0 * _DAY, len(user)) + 60.0
    first = np.flatnonzero(np.r_[True, user[1:] != user[:-1]])
    gaps[first] = rng.uniform(0.0, 365.0 * _DAY, len(first))
    passed = np.cumsum(gaps)
    lengths = np.diff(np.r_[first, len(user)])
    passed -= np.repeat(passed[first] - gaps[first], lengths)
    return _FIRST_DAY + passed.astype(np.int64)
