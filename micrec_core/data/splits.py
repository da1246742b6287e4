"""What a training sees and what is withheld for the protocols that score it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.assign import stream
from micrec_core.data.schema import nearest, quote
from micrec_core.data.types import TEST, TRAIN, VALID, Dataset, Domain, DomainSplit, Edges, Split
from micrec_core.errors import ConfigError

KINDS = ("known", "inductive")
# Of a new user without validation or test interactions, this share of all is scored.
SCORED_SHARE = 0.2

Rows = NDArray[np.int32]
Mask = NDArray[np.bool_]


def make_split(
    dataset: Dataset,
    kind: str,
    seed: int = 0,
    new_user_share: float = 0.2,
    new_item_share: float = 0.2,
    cold_share: float = 0.2,
) -> Split:
    """Split a dataset for one training.

    ``known`` trains on every train interaction. ``inductive`` withholds three groups at once, in
    each domain alike:

    - new items: ``new_item_share`` of the items with an interaction;
    - cold users: ``cold_share`` of the overlapping users (train interactions in two or more
      domains), each hidden in exactly one of its domains, dealt out so that the domains get equal
      numbers as far as possible; they stay in training elsewhere;
    - new users: ``new_user_share`` of the users seen in one domain only who have at least two
      interactions. Support is their train interactions and what is scored the others; where one of
      the two would be empty, a random fifth is scored and the rest is support.

    Each protocol asks one question, so nothing is scored twice. An interaction is therefore in
    none of the parts exactly if it joins

    - a new item with a new user or with a user cold in the domain; or
    - any item with a user who is left without a train interaction, all of them being with new
      items (or the table giving none).

    The draws depend on the seed, the domain's name and the ids, not on the order of rows; those
    for one domain's new users and items do not depend on the other domains' interactions.

    Parameters
    ----------
    kind : ``known`` or ``inductive``
    seed : from 0 on; ``known`` draws nothing
    new_user_share, new_item_share, cold_share : in [0, 1); at least one is withheld of two or
        more candidates unless the share is 0

    Raises
    ------
    ConfigError
        The kind is unknown, a share is out of range, or nothing would be left to train on.
    """
    _check(kind, new_user_share, new_item_share, cold_share)
    if kind == "known":
        return Split(kind, seed, tuple(_known(d) for d in dataset.domains))
    new_items = [_new_items(d, new_item_share, seed) for d in dataset.domains]
    views = [
        _View(d, new, ~new[d.edges.item]) for d, new in zip(dataset.domains, new_items, strict=True)
    ]
    cold = _cold_users(views, cold_share, seed)
    single = _single_domain_users(dataset.domains)
    parts = []
    for view, hidden, alone in zip(views, cold, single, strict=True):
        fresh = _new_users(view, alone, new_user_share, seed)
        parts.append(_withhold(view, fresh, hidden, seed))
    return Split(kind, seed, tuple(parts))


@dataclass(frozen=True)
class _View:
    """A domain, its new items [n_items], and which edges have no new item [n_edges]."""

    domain: Domain
    new_item: Mask
    seen: Mask

    @property
    def train(self) -> Mask:
        return self.seen & (self.domain.split == TRAIN)

    def users(self, edges: Mask) -> Mask:
        """Which users [n_users] have one of the marked edges."""
        out = np.zeros(self.domain.n_users, dtype=bool)
        out[self.domain.edges.user[edges]] = True
        return out


def _check(kind: str, *shares: float) -> None:
    if kind not in KINDS:
        close = nearest(kind, KINDS)
        mend = f"did you mean {close}" if close else f"use {' or '.join(KINDS)}"
        raise ConfigError(f"there is no split {quote(kind)}; {mend}")
    for share in shares:
        if not 0 <= share < 1:
            raise ConfigError(f"a share to withhold is {share}; give a number from 0 to below 1")


def _known(domain: Domain) -> DomainSplit:
    none, rows = Edges.empty(), np.zeros(0, np.int32)
    train, valid, test = (domain.edges[domain.split == s] for s in (TRAIN, VALID, TEST))
    return DomainSplit(train, valid, test, rows, none, none, rows, none, rows, none)


def _draw(
    candidates: Sequence[int] | NDArray[np.integer], share: float, rng: np.random.Generator
) -> Rows:
    """A random share of the candidates, in random order; at least one of two or more."""
    n = len(candidates)
    size = int(np.floor(n * share + 0.5))
    if share > 0 and n >= 2:
        size = min(max(size, 1), n - 1)
    return rng.permutation(np.asarray(candidates, dtype=np.int32))[:size]


def _marked(rows: Rows, n: int) -> Mask:
    out = np.zeros(n, dtype=bool)
    out[rows] = True
    return out


def _rows(mask: Mask) -> Rows:
    return np.flatnonzero(mask).astype(np.int32)


def _new_items(domain: Domain, share: float, seed: int) -> Mask:
    touched = np.bincount(domain.edges.item, minlength=domain.n_items) > 0
    by_id = np.argsort(domain.item_ids)
    candidates = by_id[touched[by_id]]
    drawn = _draw(candidates, share, stream(seed, "new items", domain.name))
    return _marked(drawn, domain.n_items)


def _cold_users(views: Sequence[_View], share: float, seed: int) -> list[Mask]:
    """For each domain, which users are hidden there.

    A user with train interactions (on items that stay) in several domains goes to the one of
    them that has the fewest cold users so far; at equal numbers chance decides.
    """
    homes: dict[str, list[tuple[int, int]]] = {}
    for d, view in enumerate(views):
        for row in _rows(view.users(view.train)):
            homes.setdefault(view.domain.user_ids[row], []).append((d, int(row)))
    overlapping = sorted(u for u, places in homes.items() if len(places) > 1)
    rng = stream(seed, "cold users")
    chosen = _draw(range(len(overlapping)), share, rng)
    luck = rng.random((len(chosen), len(views)))
    out = [np.zeros(v.domain.n_users, dtype=bool) for v in views]
    numbers = [0] * len(views)
    for k, chance in zip(chosen, luck, strict=True):
        d, row = min(homes[overlapping[k]], key=lambda p: (numbers[p[0]], chance[p[0]]))
        out[d][row] = True
        numbers[d] += 1
    return out


def _single_domain_users(domains: Sequence[Domain]) -> list[Mask]:
    """For each domain, which users have no interaction of any kind in another one."""
    everyone = np.concatenate([d.user_ids for d in domains])
    _, inverse, counts = np.unique(everyone, return_inverse=True, return_counts=True)
    ends = np.cumsum([d.n_users for d in domains])[:-1]
    return np.split(counts[inverse] == 1, ends)


def _new_users(view: _View, alone: Mask, share: float, seed: int) -> Mask:
    domain = view.domain
    enough = np.bincount(domain.edges.user[view.seen], minlength=domain.n_users) >= 2
    drawn = _draw(_rows(alone & enough), share, stream(seed, "new users", domain.name))
    return _marked(drawn, domain.n_users)


def _withhold(view: _View, fresh: Mask, hidden: Mask, seed: int) -> DomainSplit:
    domain, edges, seen = view.domain, view.domain.edges, view.seen
    away = (fresh | hidden)[edges.user]
    trained = view.users(view.train & ~away)
    if not trained.any():
        raise ConfigError(
            f"the shares withhold every train interaction of the domain '{domain.name}'; lower them"
        )
    stays = trained[edges.user]
    of_fresh = seen & fresh[edges.user]
    support = of_fresh & _support(view, of_fresh, stream(seed, "support", domain.name))
    return DomainSplit(
        train=edges[stays & seen & (domain.split == TRAIN)],
        valid=edges[stays & seen & (domain.split == VALID)],
        test=edges[stays & seen & (domain.split == TEST)],
        new_users=_rows(fresh),
        new_user_support=edges[support],
        new_user_test=edges[of_fresh & ~support],
        new_items=_rows(view.new_item),
        new_item_test=edges[stays & ~seen],
        cold_users=_rows(hidden),
        cold_test=edges[seen & hidden[edges.user]],
    )


def _support(view: _View, of_fresh: Mask, rng: np.random.Generator) -> Mask:
    """Which edges new users are folded in from; every such user keeps one to be scored on."""
    domain = view.domain
    user, n = domain.edges.user, domain.n_users
    total = np.bincount(user[of_fresh], minlength=n)
    given = np.bincount(user[of_fresh & (domain.split == TRAIN)], minlength=n)
    usable = (given > 0) & (given < total)
    scored = np.maximum(1, np.floor(total * SCORED_SHARE + 0.5))
    # Ids and not rows decide what the random numbers fall on.
    by_id = np.lexsort((np.argsort(np.argsort(domain.item_ids))[domain.edges.item], user))
    order = by_id[np.lexsort((rng.random(len(user)), user[by_id]))]
    order = order[of_fresh[order]]
    place = np.arange(len(order)) - (np.cumsum(total) - total)[user[order]]
    drawn = np.zeros(len(user), dtype=bool)
    drawn[order[place < scored[user[order]]]] = True
    return np.where(usable[user], domain.split == TRAIN, ~drawn)
