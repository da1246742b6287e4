"""What `check` prints: counts, density, overlap, what is missing; and whether pictures open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.assign import MIN_TO_SPLIT
from micrec_core.data.picture_files import image_problem
from micrec_core.data.schema import counted, listed, quote
from micrec_core.data.splits import make_split
from micrec_core.data.types import TEST, TRAIN, VALID, Dataset, Domain, Split, in_two
from micrec_core.errors import DataError

_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def describe(
    dataset: Dataset, saying: Mapping[str, Sequence[NDArray[np.bool_]]] | None = None
) -> dict[str, Any]:
    """Counts of a dataset as plain numbers and strings (fit for JSON).

    Parameters
    ----------
    saying : modality -> per domain, bool [n_items], which items say something in it
        (``modalities.dataset.items_saying``); counted are those that do not, and, as ``both``,
        those that say nothing in any

    ``refusal`` says why ``train`` would refuse the dataset, None where it would not. ``degrees``
    counts users and items by their interactions, train or not: [degree, how many] in rising order.
    The other degrees are over train interactions, and overlapping users are those with train
    interactions in both domains of a pair; density is over all interactions.
    """
    trained = [d.ids_of(d.edges[d.split == TRAIN]) for d in dataset.domains]
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "synthetic": dataset.synthetic,
        "source": dataset.source,
        "licence": dataset.licence,
        "domains": [
            _describe_domain(domain, {m: masks[place] for m, masks in (saying or {}).items()})
            for place, domain in enumerate(dataset.domains)
        ],
        "n_users": len(set().union(*(set(d.user_ids) for d in dataset.domains))),
        "n_items": sum(d.n_items for d in dataset.domains),
        "n_interactions": sum(len(d.edges) for d in dataset.domains),
        "n_overlap": len(in_two(trained)),
        "overlap": [
            {
                "a": dataset.domains[a].name,
                "b": dataset.domains[b].name,
                "n_users": len(trained[a] & trained[b]),
                "share_of_a": _share(len(trained[a] & trained[b]), len(trained[a])),
                "share_of_b": _share(len(trained[a] & trained[b]), len(trained[b])),
            }
            for a, b in combinations(range(len(trained)), 2)
        ],
        "notes": [*dataset.notes, *training_doubts(dataset)],
        "refusal": training_refusal(dataset),
    }


def training_refusal(dataset: Dataset, split: Split | None = None) -> str | None:
    """Why nothing can be trained on a dataset, as ``train`` and ``check`` say it; None if it can.

    Parameters
    ----------
    split : how it is shown to training; ``known`` by default
    """
    valid = [len(part.valid) for part in (split or make_split(dataset, "known")).domains]
    if any(valid):
        return None
    few = sum(int((np.bincount(d.edges.user) < MIN_TO_SPLIT).sum()) for d in dataset.domains)
    most = sum(d.n_users for d in dataset.domains)
    return (
        f"dataset '{dataset.name}' has no validation interaction, by which the best epoch is "
        f"chosen ({few:,} of {most:,} users of a domain have fewer than {MIN_TO_SPLIT} "
        "interactions there); mark some as valid, or give more interactions a user"
    )


def training_doubts(dataset: Dataset) -> list[str]:
    """What training would accept and its user would not: domains that cannot be measured."""
    return [
        f"Nothing can be measured in the domain {d.name}: it has no test interaction."
        for d in dataset.domains
        if not (d.split == TEST).any()
    ]


def check_images(dataset: Dataset) -> dict[str, int]:
    """Open every picture of a dataset once.

    Returns
    -------
    dict
        Domain name -> number of distinct pictures opened.

    Raises
    ------
    DataError
        Names the first pictures that are too large, or no pictures at all, and how many there are.
    """
    bad: dict[str, str] = {}
    opened: dict[str, int] = {}
    for domain in dataset.domains:
        names = sorted(set(domain.images) - {""})
        opened[domain.name] = len(names)
        for name in names:
            problem = None if name in bad else image_problem(dataset.root / name)
            if problem:
                bad[name] = problem
    if not bad:
        return opened
    name, problem = next(iter(bad.items()))
    rest = [n for n in bad if n != name]
    more = f" (and {counted(len(rest), 'other')}: {listed(rest, len(rest))})" if rest else ""
    raise DataError(
        f"the picture {quote(name, 80)} {problem}{more}; replace it or leave the field empty"
    )


def _describe_domain(domain: Domain, saying: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
    train = domain.edges[domain.split == TRAIN]
    users = np.bincount(train.user, minlength=domain.n_users)
    items = np.bincount(train.item, minlength=domain.n_items)
    return {
        "name": domain.name,
        "label": domain.label,
        "n_users": domain.n_users,
        "n_items": domain.n_items,
        "n_interactions": len(domain.edges),
        "n_train": len(train),
        "n_valid": int((domain.split == VALID).sum()),
        "n_test": int((domain.split == TEST).sum()),
        "density": len(domain.edges) / (domain.n_users * domain.n_items),
        "items_without_train": int((items == 0).sum()),
        "users_without_train": int((users == 0).sum()),
        "missing": {
            "title": int((domain.titles == "").sum()),
            "description": int((domain.descriptions == "").sum()),
            **{m: int((~said).sum()) for m, said in saying.items()},
            **({"both": int((~np.any([*saying.values()], axis=0)).sum())} if saying else {}),
        },
        "degrees": {
            "user": _histogram(np.bincount(domain.edges.user, minlength=domain.n_users)),
            "item": _histogram(np.bincount(domain.edges.item, minlength=domain.n_items)),
        },
        "user_degree": _quantiles(users),
        "item_degree": _quantiles(items),
    }


def _quantiles(degree: NDArray[np.int64]) -> dict[str, float]:
    values = np.quantile(degree, _QUANTILES)
    named = {f"p{round(q * 100)}": float(v) for q, v in zip(_QUANTILES, values, strict=True)}
    return {"mean": float(degree.mean())} | named


def _histogram(degree: NDArray[np.int64]) -> list[list[int]]:
    degrees, counts = np.unique(degree, return_counts=True)
    return np.stack([degrees, counts], axis=1).tolist()


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
