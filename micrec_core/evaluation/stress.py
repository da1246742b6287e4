"""Protocols that train on less and ask the same: what is taken away, and from whom.

    sparsity  one domain, the target, keeps a share of its train interactions; the others keep all
    missing   a share of the items of every domain has no text, no picture, or neither, for training
              and evaluation alike: the catalogue never had it
    overlap   a share of the overlapping users is known to be one person; each of the others is
              a person of its own in every domain

What is asked stays: test users, what counts, what is not recommended. Validation interactions stay
too. What a smaller share keeps (or hides) is part of what a larger one does. Draws depend on
the split's seed, domain names and ids, not on the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.data.assign import stream
from micrec_core.data.types import Dataset, Domain, Edges, Split, in_two
from micrec_core.errors import ConfigError
from micrec_core.evaluation.questions import training_catalogue
from micrec_core.features import FeatureMatrix
from micrec_core.modalities.dataset import DatasetFeatures
from micrec_core.protocols import CURVES, Curve

Mask = NDArray[np.bool_]

ALL = "all"


@dataclass(frozen=True)
class Stress:
    """One point of a curve.

    Attributes
    ----------
    protocol : one of ``protocols.CURVES``
    share : as the protocol's line above says; of sparsity what was asked for, see ``kept``
    what : the domain that is thinned, or the modality that is lost (``all``: every one of them)
    within : the one domain whose items lose a modality; those of all lose it by default
    """

    protocol: str
    share: float
    what: str = ""
    within: str = ""

    @property
    def label(self) -> str:
        """``sparsity of food at 20 %``."""
        of = f" of {self.what}" if self.what else ""
        of += f" in {self.within}" if self.within else ""
        return f"{self.protocol}{of} at {self.share:.0%}"

    def lost(self, modalities: Sequence[str]) -> tuple[str, ...]:
        """Which of the modalities items lose."""
        if CURVES[self.protocol].each != "modality":
            return ()
        return tuple(m for m in modalities if self.what in (ALL, m))

    def apply(
        self, dataset: Dataset, split: Split, features: DatasetFeatures
    ) -> tuple[Dataset, Split, DatasetFeatures]:
        """What is trained on under the stress; rows are those of the arguments."""
        if self.protocol == "sparsity":
            split = thinned(dataset, split, self.what, self.share)
        elif self.protocol == "missing":
            lost = self.lost(features.modalities)
            features = without_features(dataset, split, features, lost, self.share, self.within)
        else:
            dataset = strangers(dataset, split, self.share)
        return dataset, split, features


def check_stresses(protocols: Sequence[str], shares: Sequence[float] = ()) -> None:
    """Refuse what is no protocol of this kind, and shares out of range.

    Raises
    ------
    ConfigError
    """
    for name in protocols:
        if name not in CURVES:
            raise ConfigError(
                f"there is no protocol '{name}' that trains on less; there are: "
                f"{', '.join(CURVES)} (the others are asked of every training)"
            )
    for share in shares:
        if not 0 <= share <= 1:
            raise ConfigError(f"a share is {share:g}; give numbers from 0 to 1, such as 0.2,0.5")
    if "sparsity" in protocols and 0.0 in shares:
        raise ConfigError(
            "nothing can be trained on a share of 0 of the interactions; leave it out"
        )


def plan_stresses(
    dataset: Dataset,
    split: Split,
    modalities: Sequence[str],
    protocols: Sequence[str],
    shares: Sequence[float] = (),
) -> list[Stress]:
    """Every stress of the protocols, those left out at which nothing is taken away.

    A share of the interactions that keeps no fewer than the next larger one is left out as well.

    Parameters
    ----------
    modalities : that any item has
    shares : for all protocols; each has its own by default

    Raises
    ------
    ConfigError
        As of ``check_stresses``, or there is nothing that a protocol could take away.
    """
    check_stresses(protocols, shares)
    there = curves_of(dataset, split, modalities)
    if idle := [name for name in protocols if name not in there]:
        raise ConfigError(
            f"dataset '{dataset.name}' has nothing that the curve '{idle[0]}' could take away; "
            f"leave it out, and ask for {', '.join(there)}"
        )
    out: list[Stress] = []
    for protocol in dict.fromkeys(protocols):
        curve = CURVES[protocol]
        wanted = sorted(set(shares or curve.shares) - {curve.whole}, reverse=True)
        for what in _whats(curve, dataset, modalities):
            found = [Stress(protocol, share, what) for share in wanted]
            if protocol == "sparsity":
                sizes = [int(kept(dataset, split, what, s.share).sum()) for s in found]
                found = [s for i, s in enumerate(found) if sizes[i] not in sizes[:i]]
            out += found
    return out


def curves_of(dataset: Dataset, split: Split, modalities: Sequence[str]) -> list[str]:
    """The curves for which there is something to take away.

    ``modalities`` : that any item has
    """
    needs = {
        "all": True,
        "with features": bool(modalities),
        "with overlap": split.overlaps(dataset),
    }
    return [name for name, curve in CURVES.items() if needs[curve.touches]]


def _whats(curve: Curve, dataset: Dataset, modalities: Sequence[str]) -> list[str]:
    if curve.each == "domain":
        return [domain.name for domain in dataset.domains]
    if curve.each == "modality":
        return [*modalities, ALL] if len(modalities) > 1 else [*modalities]
    return [""]


def kept(dataset: Dataset, split: Split, target: str, share: float) -> Mask:
    """Which train interactions [n_train] of a domain stay at a share of them.

    Every user keeps one, so that all stay known users; where there are more users than the share
    has room for, that is what stays, and the real share is larger.
    """
    place = [domain.name for domain in dataset.domains].index(target)
    domain, train = dataset.domains[place], split.domains[place].train
    n = len(train)
    luck = np.empty(n)
    luck[_by_id(domain, train)] = stream(split.seed, "sparsity", domain.name).random(n)
    order = np.lexsort((luck, train.user))
    user = train.user[order]
    first = order[np.r_[True, user[1:] != user[:-1]]]
    luck[first] -= 1.0
    out = np.zeros(n, dtype=bool)
    out[np.argsort(luck, kind="stable")[: max(_count(share, n), len(first))]] = True
    return out


def thinned(dataset: Dataset, split: Split, target: str, share: float) -> Split:
    """The split with only what is ``kept`` of the target's train interactions."""
    stays = kept(dataset, split, target, share)
    parts = [
        replace(part, train=part.train[stays]) if domain.name == target else part
        for domain, part in zip(dataset.domains, split.domains, strict=True)
    ]
    return replace(split, domains=tuple(parts))


def strangers(dataset: Dataset, split: Split, share: float) -> Dataset:
    """The dataset in which only a share of the overlapping users has one id everywhere.

    Overlapping: with train interactions in two or more domains. The others keep their id in the
    first of them and have another in the rest. So a user cold in a domain stays known by id.
    """
    trained = split.trained_ids(dataset)
    overlapping = np.array(sorted(in_two(trained)), dtype=object)
    order = stream(split.seed, "overlap").permutation(len(overlapping))
    unknown = set(overlapping[order[_count(share, len(order)) :]])
    taken: set[str] = set()
    domains = []
    for domain, ids in zip(dataset.domains, trained, strict=True):
        other = unknown & ids & taken
        taken |= ids
        # No id holds a NUL, so the new ones are new, and in the place that the old ones had.
        names = [f"{user}\0{domain.name}" if user in other else user for user in domain.user_ids]
        domains.append(replace(domain, user_ids=np.array(names, dtype=object)))
    return replace(dataset, domains=tuple(domains))


def bare_items(domain: Domain, share: float, seed: int) -> Mask:
    """Which items [n_items] lose what they have: the same ones whatever is lost."""
    by_id = np.argsort(domain.item_ids)
    order = by_id[stream(seed, "missing", domain.name).permutation(domain.n_items)]
    out = np.zeros(domain.n_items, dtype=bool)
    out[order[: _count(share, domain.n_items)]] = True
    return out


def without_features(
    dataset: Dataset,
    split: Split,
    features: DatasetFeatures,
    lost: Sequence[str],
    share: float,
    within: str = "",
) -> DatasetFeatures:
    """The features with those of a share of the items gone, in the modalities ``lost``.

    ``within`` : the one domain where they are gone; all of them by default.

    A modality that no item of a training catalogue has any more is gone as a whole. Encoders and
    means are those of the whole catalogue: only what an item itself shows is hidden.
    """
    bare = [
        bare_items(domain, share if within in ("", domain.name) else 0.0, split.seed)
        for domain in dataset.domains
    ]
    matrices = dict(features.matrices)
    for m in lost:
        pairs = zip(features.matrices[m], bare, strict=True)
        matrices[m] = tuple(_hide(matrix, rows) for matrix, rows in pairs)
    catalogues = [
        training_catalogue(domain, part)
        for domain, part in zip(dataset.domains, split.domains, strict=True)
    ]
    left = tuple(
        m
        for m in features.modalities
        if any((f.present & c).any() for f, c in zip(matrices[m], catalogues, strict=True))
    )
    return replace(features, modalities=left, matrices={m: matrices[m] for m in left})


def _hide(matrix: FeatureMatrix, rows: Mask) -> FeatureMatrix:
    dense = matrix.dense.copy()
    dense[rows] = 0.0
    words = matrix.sparse
    if words is not None:
        words = sparse.csr_matrix(sparse.diags((~rows).astype(words.dtype)) @ words)
        words.eliminate_zeros()
    return FeatureMatrix(dense, words, matrix.present & ~rows)


def _by_id(domain: Domain, edges: Edges) -> NDArray[np.int64]:
    """The order of the edges by the ids of user and item."""
    ranks = [np.argsort(np.argsort(ids)) for ids in (domain.item_ids, domain.user_ids)]
    return np.lexsort((ranks[0][edges.item], ranks[1][edges.user]))


def _count(share: float, n: int) -> int:
    return int(np.floor(share * n + 0.5))
