"""Vectors that lie beside raw files, a row for each item's number, to tables of vectors by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from micrec_core.data.raw.filters import Part
from micrec_core.data.schema import counted
from micrec_core.errors import DataError


def write_vectors(
    root: Path, files: Sequence[Mapping[str, Path]], parts: Sequence[Part]
) -> list[str]:
    """Write ``MODALITY.parquet`` (``item_id``, ``domain``, ``vector``) for each modality found.

    Parameters
    ----------
    files : per domain, modality -> an ``.npy`` file [n, dim] whose row k is of the item 'k'

    Returns
    -------
    A sentence for each file written: how to train with it.

    Raises
    ------
    DataError
        A file is no matrix of numbers, has too few rows, or another width than that of another
        domain.
    """
    notes = []
    for modality in dict.fromkeys(m for found in files for m in found):
        tables, widths = [], {}
        for found, part in zip(files, parts, strict=True):
            if modality in found:
                vectors = _load(found[modality])
                widths[part.name] = vectors.shape[1]
                tables.append(_table(found[modality], vectors, part))
        if len(set(widths.values())) > 1:
            said = " and ".join(f"{width} wide in {domain}" for domain, width in widths.items())
            raise DataError(
                f"the {modality} vectors are {said}; make them of one width or remove a file"
            )
        pq.write_table(pa.concat_tables(tables), root / f"{modality}.parquet", compression="zstd")
        rows = counted(sum(len(t) for t in tables), "item")
        notes.append(
            f"The {modality} vectors of {rows} are in {modality}.parquet: train with --{modality} "
            f"precomputed:{modality}.parquet."
        )
    return notes


def _load(path: Path) -> np.ndarray:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path.name} is not a readable .npy file; remove or replace it") from error
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise DataError(
            f"{path.name} holds {vectors.dtype} of shape {list(vectors.shape)}; give a matrix of "
            "numbers, a row an item"
        )
    return vectors.astype(np.float32)


def _table(path: Path, vectors: np.ndarray, part: Part) -> pa.Table:
    """The rows of the items that are kept, whose ids are numbers of rows."""
    ids = part.item.values.to_pylist()
    bad = next((i for i in ids if not i.isdecimal() or int(i) >= len(vectors)), None)
    if bad is not None:
        raise DataError(
            f"{path.name} has {counted(len(vectors), 'row')} and no row of the item {bad!r}; give "
            "a row for each item's number, or remove the file"
        )
    rows = vectors[[int(i) for i in ids]]
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.table(
        {
            "item_id": ids,
            "domain": [part.name] * len(ids),
            "vector": values.cast(pa.list_(pa.float32())),
        }
    )
