"""Encode a whole dataset: one matrix per modality and domain, centred, normalised, cached."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.data.types import Dataset
from micrec_core.engines import HERE, Engine
from micrec_core.errors import ConfigError, DataError
from micrec_core.features import FeatureMatrix, centre
from micrec_core.modalities.base import Encoder, noted
from micrec_core.modalities.cache import FeatureCache
from micrec_core.modalities.encoders import load_encoder, make_encoder
from micrec_core.modalities.hashing import hash_bytes, hash_file
from micrec_core.modalities.modality import NO_ENCODER
from micrec_core.modalities.precomputed import PrecomputedVectors
from micrec_core.modalities.registry import MODALITIES, USUAL, default_encoders, in_order, modality

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatasetFeatures:
    """The features of all items of a dataset.

    Attributes
    ----------
    modalities : those that at least one item has, in the order of the registry
    matrices : modality -> one FeatureMatrix per domain, in the order of the dataset
    encoders : modality -> the fitted encoder, for queries
    means : modality -> float32 [n_domains, dim], what was subtracted in each domain
    fingerprint : SHA-256 of the matrices and means
    unreadable : paths, as the item table gives them, of files that could not be read; such items
        count as having none
    """

    modalities: tuple[str, ...]
    matrices: dict[str, tuple[FeatureMatrix, ...]]
    encoders: dict[str, Encoder]
    means: dict[str, NDArray[np.float32]]
    fingerprint: str
    unreadable: tuple[str, ...] = ()


def encode_dataset(
    dataset: Dataset,
    encoders: Mapping[str, str] | None = None,
    *,
    fit_items: Sequence[NDArray[np.bool_]] | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    engine: Engine = HERE,
) -> DatasetFeatures:
    """Encode what all items say in every modality, in one space for all domains.

    Encoders that learn (``classic``) and the means learn from ``fit_items`` only, so that nothing
    of a withheld item reaches training.

    Parameters
    ----------
    dataset : what to encode
    encoders : modality -> spec (see ``make_encoder``), or ``none``; the registry's where not given
    fit_items : per domain, bool [n_items], the training catalogue; all items when not given
    cache : folder of encoded features; nothing is kept when not given
    device : torch device for encoders that use one; others than this process use its processor
    engine : what encodes, once encoders have learnt; it reads pictures where the dataset has them

    Raises
    ------
    ConfigError
        An encoder is not known or cannot be loaded, or ``fit_items`` do not fit.
    DataError
        Supplied vectors do not fit, or an encoder gave a value that is not a finite number.
    """
    fit = _fit_rows(dataset, fit_items)
    store = FeatureCache(cache) if cache is not None else None
    specs = default_encoders() | dict(encoders or {})
    matrices: dict[str, tuple[FeatureMatrix, ...]] = {}
    fitted: dict[str, Encoder] = {}
    means: dict[str, NDArray[np.float32]] = {}
    unreadable: tuple[str, ...] = ()
    for name in in_order(specs):
        if specs[name] == NO_ENCODER:
            continue
        made = _encode_modality(dataset, name, specs[name], fit, store, device, engine)
        if made is None and name not in USUAL:
            raise DataError(
                f"no item to learn from has {modality(name).lacking}, so --{name} "
                f"{specs[name]} has nothing to go by; leave it out"
            )
        if made is None:
            continue
        encoder, matrix, bad = made
        unreadable += bad
        if not (matrix.present & fit).any():
            logger.info("No item to learn from has %s that can be encoded; left out.", name)
            continue
        _check_finite(dataset, name, matrix)
        ends = np.cumsum([0, *(d.n_items for d in dataset.domains)])
        places = [slice(*bounds) for bounds in pairwise(ends)]
        parts, fits = [matrix[rows] for rows in places], [fit[rows] for rows in places]
        means[name] = np.stack([_mean(p, f) for p, f in zip(parts, fits, strict=True)])
        matrices[name] = tuple(
            centre(part, mean) for part, mean in zip(parts, means[name], strict=True)
        )
        fitted[name] = encoder
    return DatasetFeatures(
        modalities=tuple(matrices),
        matrices=matrices,
        encoders=fitted,
        means=means,
        fingerprint=_fingerprint(matrices, means),
        unreadable=unreadable,
    )


def encode_more(
    dataset: Dataset, encoders: Mapping[str, Encoder]
) -> tuple[dict[str, tuple[FeatureMatrix, ...]], tuple[str, ...]]:
    """Encode items by encoders that are fitted already; not centred.

    Returns
    -------
    modality -> one FeatureMatrix per domain, and sentences on what could not be encoded
    """
    ends = np.cumsum([0, *(d.n_items for d in dataset.domains)])
    matrices, notes = {}, []
    for name, encoder in encoders.items():
        said, bad = modality(name).items, dict[int, str]()
        inputs = [None] * int(ends[-1]) if said is None else list(said(dataset))
        _drop_outside(dataset, inputs, bad)

        def unreadable(row: int, error: DataError, bad: dict[int, str] = bad) -> None:
            bad[row] = str(error)

        try:
            matrix = encoder.encode(inputs, on_unreadable=unreadable)
        except ConfigError as error:
            notes.append(f"New items have no {name}: {error}.")
            matrix = FeatureMatrix.of_rows(len(inputs), encoder.dim, (), ())
        _check_finite(dataset, name, matrix)
        notes += [f"An item without its {name}: {reason}." for reason in bad.values()]
        matrices[name] = tuple(matrix[slice(*bounds)] for bounds in pairwise(ends))
    return matrices, tuple(notes)


def items_saying(dataset: Dataset) -> dict[str, list[NDArray[np.bool_]]]:
    """Modality -> per domain, bool [n_items], which items say something in it; none is encoded.

    A modality that is not usual is left out where no item says anything in it.
    """
    ends = np.cumsum([domain.n_items for domain in dataset.domains])[:-1]
    said = {
        name: np.array([x is not None for x in found.items(dataset)], bool)
        for name, found in MODALITIES.items()
        if found.items is not None
    }
    return {m: np.split(some, ends) for m, some in said.items() if m in USUAL or some.any()}


def _fit_rows(dataset: Dataset, fit_items: Sequence[NDArray[np.bool_]] | None) -> NDArray[np.bool_]:
    sizes = [domain.n_items for domain in dataset.domains]
    if fit_items is None:
        return np.ones(sum(sizes), dtype=bool)
    masks = [np.asarray(mask) for mask in fit_items]
    if [m.shape for m in masks] != [(n,) for n in sizes] or any(m.dtype != bool for m in masks):
        raise ConfigError("fit_items must hold one boolean mask per domain, as long as its items")
    return np.concatenate(masks)


def _encode_modality(
    dataset: Dataset,
    name: str,
    spec: str,
    fit: NDArray[np.bool_],
    store: FeatureCache | None,
    device: str,
    engine: Engine,
) -> tuple[Encoder, FeatureMatrix, tuple[str, ...]] | None:
    """(encoder, uncentred matrix of all items, unreadable files); None where nothing is there."""
    encoder = make_encoder(spec, name, device=device)
    if isinstance(encoder, PrecomputedVectors):
        return encoder, encoder.rows(dataset), ()
    said = modality(name).items
    assert said is not None, f"{name} has an encoder and nothing to encode"
    inputs, bad = said(dataset), dict[int, str]()
    files = list(inputs)
    _drop_outside(dataset, inputs, bad)
    if not any(x is not None for x, use in zip(inputs, fit, strict=True) if use):
        nothing = FeatureMatrix.of_rows(len(inputs), 1, (), ())
        return (encoder, nothing, _names(dataset, files, bad)) if bad else None
    key = _key(encoder, inputs, fit) if store is not None else ""
    found = _from_cache(store, key, len(inputs), device) if store is not None else None
    if found is not None:
        encoder, matrix, cached_bad = found
        bad |= cached_bad
    else:
        matrix, fresh = noted(
            lambda tell: encoder.fit_encode(inputs, fit, on_unreadable=tell, engine=engine)
        )
        if store is not None:
            _to_cache(store, key, encoder, matrix, fresh)
        bad |= fresh
    for reason in bad.values():
        logger.warning("Item without its %s: %s", name, reason)
    return encoder, matrix, _names(dataset, files, bad)


def _drop_outside(dataset: Dataset, inputs: list[Any], bad: dict[int, str]) -> None:
    """Never open a file outside the dataset, whatever the item table or a link says."""
    root = dataset.root.resolve()
    for row, path in enumerate(inputs):
        if isinstance(path, Path) and not path.resolve().is_relative_to(root):
            bad[row] = f"'{path}' is outside the dataset folder"
            inputs[row] = None


def _names(dataset: Dataset, files: Sequence[Any], bad: dict[int, str]) -> tuple[str, ...]:
    """The files of some rows as the item table gives them."""
    inside = (os.path.relpath(files[row], dataset.root) for row in sorted(bad))
    return tuple(Path(name).as_posix() for name in inside)


def _key(encoder: Encoder, inputs: Sequence[Any], fit: NDArray[np.bool_]) -> str:
    """SHA-256 of encoder, its version and weights, inputs' contents, and the fit if it learns."""
    parts: list[bytes] = [
        json.dumps([encoder.kind, encoder.version, encoder.modality]).encode(),
        encoder.content_key().encode(),
        np.packbits(fit).tobytes() if encoder.needs_fit else b"",
    ]
    for value in inputs:
        if value is None:
            parts.append(b"")
        elif isinstance(value, Path):
            parts.append(_hash_if_there(value))
        else:
            parts.append(value.encode("utf-8", "surrogatepass"))
    return hash_bytes(parts)


def _hash_if_there(path: Path) -> bytes:
    try:
        return hash_file(path).encode()
    except OSError:
        return b"missing"


def _to_cache(
    store: FeatureCache,
    key: str,
    encoder: Encoder,
    matrix: FeatureMatrix,
    bad: dict[int, str],
) -> None:
    meta, state = encoder.state()
    arrays = {f"state.{name}": value for name, value in state.items()}
    arrays |= {"dense": matrix.dense, "present": matrix.present}
    if matrix.sparse is not None:
        arrays |= {f"sparse.{n}": getattr(matrix.sparse, n) for n in ("data", "indices", "indptr")}
        arrays["sparse.shape"] = np.array(matrix.sparse.shape, dtype=np.int64)
    content = {"encoder": meta, "unreadable": {str(row): why for row, why in bad.items()}}
    try:
        store.write(key, content, arrays)
    except OSError as error:
        # Costs time at the next start, and must not cost this one.
        logger.warning(
            "The features of %s cannot be kept in %s (%s); they are encoded anew next time.",
            encoder.modality, store.folder, error.strerror or error,
        )  # fmt: skip


def _from_cache(
    store: FeatureCache, key: str, n: int, device: str
) -> tuple[Encoder, FeatureMatrix, dict[int, str]] | None:
    entry = store.read(key)
    if entry is None:
        return None
    content, arrays = entry
    state = {k.removeprefix("state."): v for k, v in arrays.items() if k.startswith("state.")}
    encoder = load_encoder(content["encoder"], state, device=device)
    rows = None
    if "sparse.data" in arrays:
        rows = sparse.csr_matrix(
            (arrays["sparse.data"], arrays["sparse.indices"], arrays["sparse.indptr"]),
            shape=tuple(arrays["sparse.shape"]),
        )
    matrix = FeatureMatrix(arrays["dense"], rows, arrays["present"])
    if len(matrix) != n:
        return None
    return encoder, matrix, {int(row): why for row, why in content["unreadable"].items()}


def _check_finite(dataset: Dataset, modality: str, matrix: FeatureMatrix) -> None:
    bad = np.asarray(~np.isfinite(matrix.dense).all(axis=1))
    if matrix.sparse is not None:
        owners = np.repeat(np.arange(len(matrix)), np.diff(matrix.sparse.indptr))
        bad[owners[~np.isfinite(matrix.sparse.data)]] = True
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        for domain in dataset.domains:
            if row < domain.n_items:
                raise DataError(
                    f"the {modality} features of item '{domain.item_ids[row]}' of domain "
                    f"'{domain.name}' are not finite numbers; use another encoder or mend the item"
                )
            row -= domain.n_items


def _mean(part: FeatureMatrix, fit: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean dense row over the training items that have the modality; zeros where none has."""
    rows = part.dense[part.present & fit]
    if not len(rows):
        return np.zeros(part.dim, np.float32)
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32)


def _fingerprint(
    matrices: dict[str, tuple[FeatureMatrix, ...]], means: dict[str, NDArray[np.float32]]
) -> str:
    parts: list[bytes] = []
    for name, domains in matrices.items():
        parts += [name.encode(), np.ascontiguousarray(means[name]).tobytes()]
        for matrix in domains:
            parts += [str(matrix.dense.shape).encode(), matrix.dense.tobytes()]
            parts.append(matrix.present.tobytes())
            if matrix.sparse is not None:
                rows = matrix.sparse
                parts += [rows.data.tobytes(), rows.indices.astype(np.int64).tobytes()]
                parts.append(rows.indptr.astype(np.int64).tobytes())
    return hash_bytes(parts)
