"""A dataset's identity: the SHA-256 of what was parsed, not of the files it came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.types import Domain
from micrec_core.errors import DataError

_BLOCK = 1 << 20  # interactions hashed at a time


def fingerprint(root: Path, domains: Sequence[Domain], relations: Sequence[str] = ()) -> str:
    """Hash domains, ids, texts, attributes, image bytes, interactions, split and relations.

    Independent of file format, compression and the order of rows in either table: items and users
    are taken in sorted order of their ids. Rows of two datasets with one fingerprint may therefore
    differ in order; what is kept per *row* must be keyed by the ids in their order as well.
    Names, labels, source and licence are no part of it.

    Parameters
    ----------
    root : the folder that image paths start from
    domains : in dataset order, which counts
    relations : a text for each statement, sorted

    Returns
    -------
    str, 64 hexadecimal digits
    """
    digest = hashlib.sha256(b"micrec dataset 1\n")
    pictures: dict[str, bytes] = {"": bytes(32)}
    for domain in domains:
        order = np.argsort(domain.item_ids)
        rank = np.empty(domain.n_items, dtype=np.int64)
        rank[order] = np.arange(domain.n_items)
        _strings(digest, [domain.name])
        _strings(digest, domain.user_ids)
        for texts in (domain.item_ids, domain.titles, domain.descriptions):
            _strings(digest, texts[order])
        if domain.attributes is not None and domain.attributes.any():
            _strings(digest, domain.attributes[order])
        for path in domain.images[order]:
            if path not in pictures:
                pictures[path] = _picture(root, path)
            digest.update(pictures[path])
        user = domain.edges.user.astype(np.int64)
        item = rank[domain.edges.item]
        by_pair = np.argsort(user * domain.n_items + item)
        digest.update(b"%d edges" % len(user))
        for start in range(0, len(user), _BLOCK):
            rows = by_pair[start : start + _BLOCK]
            triples = np.stack([user[rows], item[rows], domain.split[rows]], axis=1)
            digest.update(np.ascontiguousarray(triples, dtype="<i8").tobytes())
    if relations:
        _strings(digest, relations)
    return digest.hexdigest()


def _strings(digest: hashlib._Hash, values: Sequence[str] | NDArray[np.object_]) -> None:
    # No id and no text holds a NUL, so that joining by it is unambiguous.
    data = "\0".join(values).encode()
    digest.update(b"%d in %d " % (len(values), len(data)))
    digest.update(data)


def _picture(root: Path, path: str) -> bytes:
    try:
        with (root / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(
            f"the picture {path} cannot be read ({error.strerror}); check the file"
        ) from error
