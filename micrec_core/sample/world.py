"""The latent world behind the sample: what its made-up users like and what its items are.

An item i has five attributes c_a(i) and a quality vector z_i. Culture and ethics are told in the
text only, palette and pattern shown in the picture only, the category in both, and the quality in
neither: interactions reveal it, and so do makers and prices (``makers``). A user u belongs to an
archetype g and reads labels to a share r_u; for the domain d::

    theta_u   = sqrt(.75) mu_g + sqrt(.25) eps                 tastes, an entry per attribute value
    theta_u^d = sqrt(rho_a) theta_u + sqrt(1 - rho_a) eps^d    in part shared by the domains
    util(u,i) = kappa / sqrt(2.5) * sum_a omega_ua theta_u^d[c_a(i)]
              + kappa_z / sqrt(8) * zeta_u^d . z_i
    omega_ua  = 2 r_u for culture and ethics, 2 (1 - r_u) for palette and pattern, else 1

It is linear: util = P Q', with the weighted tastes P [n_users, 47] and the items Q [n_items, 47]
(one-hot attributes, then z). None of it is written into a dataset as such; tests build oracles
from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ATTRIBUTES = {"culture": 8, "ethics": 5, "palette": 8, "pattern": 6, "category": 12}
TEXT_ATTRIBUTES = ("culture", "ethics")
IMAGE_ATTRIBUTES = ("palette", "pattern")
QUALITY_DIM = 8
N_ARCHETYPES = 20
DOMAINS = (("food", "Food"), ("kitchen", "Kitchen"))

# Where each attribute, and last the quality, lies among the columns of P and Q.
_ENDS = np.cumsum([*ATTRIBUTES.values(), QUALITY_DIM])
COLUMNS = {
    name: slice(int(end) - size, int(end))
    for (name, size), end in zip(
        [*ATTRIBUTES.items(), ("quality", QUALITY_DIM)], _ENDS, strict=True
    )
}
N_COLUMNS = int(_ENDS[-1])

_ARCHETYPE_SHARE = 0.75
# Share of each taste that the domains have in common, rho.
SHARED = dict.fromkeys(COLUMNS, 0.85) | {"category": 0.5}
_POPULARITY_EXPONENT = 0.55
# Of the rarest items, this share is RARER times rarer than that.
_RARE_SHARE = 0.35
RARER = 1.0
# Shares of users in both domains, in the first only, in the second only.
MEMBERSHIP = (0.45, 0.37, 0.18)
_NO_TEXT, _NO_IMAGE = 0.08, 0.12
_TOLD, _WRONG = 0.92, 0.04

# The streams of random numbers. Each is drawn from a generator of its own, so that asking one for
# more leaves the others as they were. The number of one that is drawn from no more stays free.
MEMBERS, ARCHETYPE, TASTE, DOMAIN_TASTE, ITEM, INTERACTION, TIME, WORDS, PICTURE, _, MAKERS = range(
    11
)


def stream(seed: int, name: int, *index: int) -> np.random.Generator:
    """The generator of one stream, part ``index`` of it."""
    return np.random.default_rng([seed, name, *index])


@dataclass(frozen=True)
class WorldDomain:
    """One domain of the world.

    Attributes
    ----------
    users : int64 [n_users], the world's users with interactions here, ascending
    tastes : float32 [n_users, 47], theta^d and zeta^d before the weights omega
    attributes : attribute -> int16 [n_items], the true values
    quality : float32 [n_items, 8]
    popularity : float64 [n_items], sums to 1
    has_text, has_image : bool [n_items]
    told : attribute -> int16 [n_items], what the text says of culture and ethics: -1 where it is
        silent, and in a few cases not the truth
    """

    name: str
    label: str
    users: NDArray[np.int64]
    tastes: Floats
    attributes: dict[str, NDArray[np.int16]]
    quality: Floats
    popularity: NDArray[np.float64]
    has_text: NDArray[np.bool_]
    has_image: NDArray[np.bool_]
    told: dict[str, NDArray[np.int16]]

    @property
    def n_items(self) -> int:
        return len(self.popularity)

    def item_ids(self) -> list[str]:
        """food-0000 on."""
        width = max(4, len(str(self.n_items - 1)))
        return [f"{self.name}-{row:0{width}d}" for row in range(self.n_items)]

    def item_factors(self) -> Floats:
        """Q [n_items, 47]: one-hot attributes beside the quality."""
        out = np.zeros((self.n_items, N_COLUMNS), dtype=np.float32)
        for name, values in self.attributes.items():
            out[np.arange(self.n_items), COLUMNS[name].start + values] = 1.0
        out[:, COLUMNS["quality"]] = self.quality
        return out


@dataclass(frozen=True)
class World:
    """Everything that is true of a sample and that no model gets to see.

    Attributes
    ----------
    archetype : int16 [n_users]
    reader_share : float32 [n_users], r_u: 1 reads only labels, 0 looks only at pictures
    archetype_tastes : float32 [20, 47], mu_g
    shared_tastes : float32 [n_users, 47], theta and zeta without what a domain adds
    kappa, kappa_quality : strengths of tastes for attributes and for the quality
    """

    seed: int
    archetype: NDArray[np.int16]
    reader_share: Floats
    archetype_tastes: Floats
    shared_tastes: Floats
    domains: tuple[WorldDomain, ...]
    kappa: float
    kappa_quality: float

    @property
    def n_users(self) -> int:
        return len(self.archetype)

    def user_ids(self) -> list[str]:
        """u0000 on."""
        width = max(4, len(str(self.n_users - 1)))
        return [f"u{row:0{width}d}" for row in range(self.n_users)]

    def weighted(self, tastes: Floats, reader_share: Floats) -> Floats:
        """P [n, 47] of tastes [n, 47]: what kappa and the reader share r [n] make of them."""
        out = tastes * np.float32(self.kappa / np.sqrt(2.5))
        for name in TEXT_ATTRIBUTES:
            out[:, COLUMNS[name]] *= 2.0 * reader_share[:, None]
        for name in IMAGE_ATTRIBUTES:
            out[:, COLUMNS[name]] *= 2.0 * (1.0 - reader_share[:, None])
        scale = np.float32(self.kappa_quality / np.sqrt(QUALITY_DIM))
        out[:, COLUMNS["quality"]] = tastes[:, COLUMNS["quality"]] * scale
        return out

    def utility(self, domain: int, rows: NDArray[np.int64] | slice | None = None) -> Floats:
        """True utilities [n, n_items] of rows of ``domains[domain].users`` (all by default)."""
        part = self.domains[domain]
        rows = slice(None) if rows is None else rows
        factors = self.weighted(part.tastes[rows], self.reader_share[part.users[rows]])
        return factors @ part.item_factors().T


def make_world(
    users: int,
    items: tuple[int, ...],
    seed: int,
    *,
    membership: Sequence[float] = MEMBERSHIP,
    rarer: float = RARER,
    kappa: float = 3.5,
    kappa_quality: float = 1.5,
) -> World:
    """Draw the users and items of a sample.

    Parameters
    ----------
    users : users in all, over both domains
    items : items of each domain
    seed : of every stream
    membership : shares of users in both domains, in the first only and in the second only
    rarer : how many times rarer the rarest third of the items is than by the power law
    """
    rng = stream(seed, ARCHETYPE)
    means = rng.standard_normal((N_ARCHETYPES, N_COLUMNS)).astype(np.float32)
    rng = stream(seed, TASTE)
    archetype = rng.integers(0, N_ARCHETYPES, users).astype(np.int16)
    reader_share = rng.beta(0.7, 0.7, users).astype(np.float32)
    own = stream(seed, TASTE, 1).standard_normal((users, N_COLUMNS), dtype=np.float32)
    shared = means[archetype] * np.float32(np.sqrt(_ARCHETYPE_SHARE))
    shared += own * np.float32(np.sqrt(1 - _ARCHETYPE_SHARE))
    member = _membership(users, membership, seed)
    domains = tuple(
        _make_domain(index, seed, np.flatnonzero(member[:, index]), shared, items[index], rarer)
        for index in range(len(DOMAINS))
    )
    return World(
        seed, archetype, reader_share, means, shared, domains, float(kappa), float(kappa_quality)
    )


def _membership(users: int, shares: Sequence[float], seed: int) -> NDArray[np.bool_]:
    """Which users [n_users, 2] are in which domain; the shares are met exactly, up to rounding."""
    both, first = (round(users * share) for share in shares[:2])
    order = stream(seed, MEMBERS).permutation(users)
    out = np.zeros((users, 2), dtype=bool)
    out[order[:both]] = True
    out[order[both : both + first], 0] = True
    out[order[both + first :], 1] = True
    return out


def _make_domain(
    index: int, seed: int, users: NDArray[np.int64], shared: Floats, n_items: int, rarer: float
) -> WorldDomain:
    name, label = DOMAINS[index]
    rng = stream(seed, DOMAIN_TASTE, index)
    tastes = rng.standard_normal((len(users), N_COLUMNS), dtype=np.float32)
    for attribute, columns in COLUMNS.items():
        rho = SHARED[attribute]
        tastes[:, columns] *= np.float32(np.sqrt(1 - rho))
        tastes[:, columns] += np.float32(np.sqrt(rho)) * shared[users, columns]
    rng = stream(seed, ITEM, index)
    # Values in equal numbers, in random order: at a few hundred items plain draws would leave some
    # category nearly empty.
    attributes = {
        attribute: rng.permutation(np.arange(n_items) % size).astype(np.int16)
        for attribute, size in ATTRIBUTES.items()
    }
    rank = rng.permutation(n_items) + 1
    popularity = rank ** -float(_POPULARITY_EXPONENT)
    popularity[rank > (1 - _RARE_SHARE) * n_items] /= rarer
    quality = rng.standard_normal((n_items, QUALITY_DIM)).astype(np.float32)
    # Missing not at random: the less known an item, the more often nobody described it.
    rarity = 2.0 * rank / n_items
    has_text = rng.random(n_items) >= _NO_TEXT * rarity
    has_image = rng.random(n_items) >= _NO_IMAGE * rarity
    told = {}
    for attribute in TEXT_ATTRIBUTES:
        other = rng.integers(0, ATTRIBUTES[attribute], n_items).astype(np.int16)
        said = np.where(rng.random(n_items) < _WRONG, other, attributes[attribute])
        told[attribute] = np.where(rng.random(n_items) < _TOLD, said, -1).astype(np.int16)
    return WorldDomain(
        name=name,
        label=label,
        users=users,
        tastes=tastes,
        attributes=attributes,
        quality=quality,
        popularity=popularity / popularity.sum(),
        has_text=has_text,
        has_image=has_image,
        told=told,
    )
