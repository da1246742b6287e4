"""What `check` prints: counts, density, overlap, what is missing; and whether pictures open."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from micrec_core.data.schema import counted, listed, quote
from micrec_core.data.types import TEST, TRAIN, VALID, Dataset, Domain, in_two
from micrec_core.errors import DataError

MAX_PIXELS = 50_000_000
MAX_IMAGE_BYTES = 64 << 20
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
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

    Degrees are over train interactions and overlapping users are those with train interactions in
    both domains of a pair; density is over all interactions.
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
        "notes": list(dataset.notes),
    }


def check_images(dataset: Dataset, max_pixels: int = MAX_PIXELS) -> dict[str, int]:
    """Open every picture of a dataset once.

    Parameters
    ----------
    max_pixels : a picture that claims more is refused before it is decoded

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
            problem = None if name in bad else image_problem(dataset.root / name, max_pixels)
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


def image_problem(path: Path, max_pixels: int = MAX_PIXELS) -> str | None:
    """What is wrong with a picture, as the end of a sentence; None if it opens and decodes."""
    try:
        size = path.stat().st_size
        if size > MAX_IMAGE_BYTES:
            return f"has {size >> 20:,} MiB where {MAX_IMAGE_BYTES >> 20} are allowed"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # The header alone gives the size; nothing is decoded before it is checked.
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                pixels = image.width * image.height
                if pixels > max_pixels:
                    return _bomb(pixels, max_pixels)
                image.load()
    except Image.DecompressionBombError:
        return _bomb(2 * int(Image.MAX_IMAGE_PIXELS or 0), max_pixels)
    except Image.UnidentifiedImageError:
        return "is not a picture that can be read (JPEG, PNG, WebP, GIF, BMP or TIFF)"
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        return f"does not decode ({reason})"
    return None


def _bomb(pixels: int, max_pixels: int) -> str:
    return f"is an image bomb: {pixels:,} pixels or more where {max_pixels:,} are allowed"


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
        "user_degree": _quantiles(users),
        "item_degree": _quantiles(items),
    }


def _quantiles(degree: NDArray[np.int64]) -> dict[str, float]:
    values = np.quantile(degree, _QUANTILES)
    named = {f"p{round(q * 100)}": float(v) for q, v in zip(_QUANTILES, values, strict=True)}
    return {"mean": float(degree.mean())} | named


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
