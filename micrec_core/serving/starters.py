"""People to start from, found in the training data: groups of a taste, and what sets them apart.

A starter is nobody: its likes are taken by several people of a group each, and together never hold
all that one person took in a domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.method.arrays import Rows
from micrec_core.serving.contents import Bundle, DomainPart
from micrec_core.subset import some_of
from micrec_core.titles import words_in

# People grouped at most, items a domain, people who must have taken each, people common to two
# domains from which on only they are grouped.
_PEOPLE, _LIKES, _SUPPORT, _COMMON = 5_000, 3, 3, 60


@dataclass(frozen=True)
class Group:
    """People of one taste.

    Attributes
    ----------
    members : of each domain, rows of them; -1 where one is not known there
    """

    members: tuple[Rows, ...]

    def __len__(self) -> int:
        return len(self.members[0])


def starters(bundle: Bundle, n: int) -> list[dict[str, object]]:
    """At most ``n`` made-up people as a dataset's own are told: name, sentence, likes.

    Largest groups first; a group in which nothing is taken by several people gives nobody.
    """
    out: list[dict[str, object]] = []
    names: set[str] = set()
    everyone = _everyone(bundle)
    for group in _groups(bundle, everyone, n):
        likes = {
            part.name: [str(part.item_ids[i]) for i in _typical(part, rows, all_rows)]
            for part, rows, all_rows in zip(
                bundle.domains, group.members, everyone.members, strict=True
            )
        }
        if not any(likes.values()):
            continue
        words = _words(bundle, group, everyone)
        name = next((w for w in _pairs(words) if w not in names), f"Group {len(out) + 1}")
        names.add(name)
        said = f"Found in the data: what sets {len(group):,} people of one taste apart"
        out.append({"name": name, "sentence": f"{said}. Nobody's own list.", "likes": likes})
    return out


def _everyone(bundle: Bundle) -> Group:
    """Those known in the two domains that share most people, else in the largest domain."""
    n = len(bundle.domains)
    pair = max(bundle.links, key=lambda p: len(bundle.links[p][0]), default=None)
    members = [np.full(0, -1, np.int64)] * n
    if pair is not None and len(bundle.links[pair][0]) >= _COMMON:
        rows = dict(zip(pair, bundle.links[pair], strict=True))
    else:
        largest = int(np.argmax([(part.user_degree > 0).sum() for part in bundle.domains]))
        rows = {largest: np.flatnonzero(bundle.domains[largest].user_degree > 0)}
    size = len(next(iter(rows.values())))
    some = some_of(size, _PEOPLE)
    members = [rows[d][some] if d in rows else np.full(len(some), -1) for d in range(n)]
    return Group(tuple(members))


def _groups(bundle: Bundle, everyone: Group, n: int) -> list[Group]:
    """People whose embeddings are alike in all domains they are known in, largest first."""
    from scipy.cluster.vq import kmeans2

    vectors = np.concatenate(
        [
            normalise_rows(part.users[rows])
            for part, rows in zip(bundle.domains, everyone.members, strict=True)
            if len(rows) and (rows >= 0).all()
        ]
        or [np.zeros((0, 1), np.float32)],
        axis=1,
    )
    if len(vectors) < 2 * n:
        return [everyone] if len(everyone) else []
    _, found = kmeans2(vectors.astype(np.float64), n, minit="++", seed=0)
    order = np.argsort(-np.bincount(found, minlength=n), kind="stable")
    return [Group(tuple(rows[found == g] for rows in everyone.members)) for g in order]


def _typical(part: DomainPart, rows: Rows, everyone: Rows) -> list[int]:
    """Items that a group takes more than others do, a few, none of them one person's alone."""
    if not len(rows) or (rows < 0).any():
        return []
    here = np.asarray(part.train[rows].sum(axis=0)).ravel()
    all_ = np.asarray(part.train[everyone].sum(axis=0)).ravel()
    share, usual = here / len(rows), all_ / len(everyone)
    lift = share * np.log(np.maximum(share, 1e-12) / np.maximum(usual, 1e-12))
    lift[(here < _SUPPORT) | (part.titles == "")] = -np.inf
    chosen: list[int] = []
    for item in np.argsort(-lift, kind="stable")[: 4 * _LIKES].tolist():
        more = [*chosen, item]
        if np.isfinite(lift[item]) and lift[item] > 0 and not gives_away(part.train, more):
            chosen = more
        if len(chosen) == _LIKES:
            break
    return chosen


def gives_away(train: csr_matrix, items: list[int]) -> bool:
    """Whether the items hold all that somebody took, who took more than one."""
    taken = np.asarray(train[:, items].sum(axis=1)).ravel()
    degree = np.diff(train.indptr)
    return bool(((taken == degree) & (degree > 1)).any())


def _words(bundle: Bundle, group: Group, everyone: Group) -> list[str]:
    """Words of titles that a group takes more than others do, strongest first."""
    score: dict[str, float] = {}
    for part, rows, all_rows in zip(bundle.domains, group.members, everyone.members, strict=True):
        if not len(rows) or (rows < 0).any():
            continue
        here = np.asarray(part.train[rows].sum(axis=0)).ravel() / len(rows)
        usual = np.asarray(part.train[all_rows].sum(axis=0)).ravel() / len(all_rows)
        for item in np.flatnonzero(usual).tolist():
            for word in words_in(part.titles[item]):
                score[word] = score.get(word, 0.0) + float(here[item] - usual[item])
    # Words that always stand together score alike; a set has no order of its own.
    return sorted(score, key=lambda w: (-score[w], w))


def _pairs(words: list[str]) -> Iterator[str]:
    """Names of two words, the likeliest first."""
    for at in range(max(min(len(words) - 1, 8), 0)):
        yield f"{words[at].capitalize()}, {words[at + 1]}"
