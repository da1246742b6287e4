"""Vectors that a user brings: ``precomputed:PATH``, an .npy or a .parquet file.

``.npy``: a matrix [n_rows, dim] whose row k belongs to line k of the dataset's item table (all
domains, in file order). ``.parquet``: columns ``item_id``, ``domain`` and ``vector`` (a list of
numbers, all of one length). A row of zeros, or an item that the parquet file lacks, is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.data.readers import read_items
from micrec_core.data.types import Dataset
from micrec_core.errors import ConfigError, DataError
from micrec_core.features import FeatureMatrix, l2_normalise
from micrec_core.modalities.base import Encoder, OnUnreadable, State


class PrecomputedVectors(Encoder):
    """Looks items up in a file instead of encoding them; it cannot encode a new text or picture.

    Parameters
    ----------
    path : the file, absolute, relative to the dataset folder or to the working directory
    modality : what the vectors describe
    """

    kind: ClassVar[str] = "precomputed"

    def __init__(self, path: str, modality: str, dim: int = 0) -> None:
        self.path = path
        self.modality = modality
        self.spec = f"precomputed:{path}"
        self._dim = dim

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> PrecomputedVectors:
        return cls(rest, modality)

    @property
    def label(self) -> str:
        return f"supplied vectors ({Path(self.path).name})"

    @property
    def dim(self) -> int:
        return self._dim

    def rows(self, dataset: Dataset) -> FeatureMatrix:
        """The vectors of all items, domain after domain, uncentred and L2-normalised.

        Raises
        ------
        ConfigError
            There is no such file or its kind is not known.
        DataError
            It does not fit the item table, or holds a value that is not a finite number.
        """
        path = self._locate(dataset.root)
        if path.suffix == ".npy":
            keys, vectors = _read_npy(path, dataset.root)
        else:
            keys, vectors = _read_parquet(path)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            domain, item = keys[bad[0]]
            raise DataError(
                f"'{path.name}' holds a value that is not a finite number in row {bad[0] + 1} "
                f"(item '{item}' of domain '{domain}'); replace it, or the whole row by zeros if "
                "the item has no vector"
            )
        place = {key: row for row, key in enumerate(keys)}
        if len(place) != len(keys):
            domain, item = Counter(keys).most_common(1)[0][0]
            raise DataError(
                f"'{path.name}' has two vectors for item '{item}' of domain '{domain}'; keep one"
            )
        wanted = [(d.name, item) for d in dataset.domains for item in d.item_ids.tolist()]
        at = np.array([place.get(key, -1) for key in wanted], dtype=np.int64)
        dense = l2_normalise(np.where((at >= 0)[:, None], vectors[at], 0.0).astype(np.float32))
        present = (dense != 0).any(axis=1)
        if not present.any():
            raise DataError(
                f"'{path.name}' has no vector for any item of the dataset; check its ids and "
                "domains"
            )
        self._dim = dense.shape[1]
        return FeatureMatrix(dense, None, present)

    def encode(
        self, inputs: Sequence[Any], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Zero rows for missing inputs; ConfigError for anything else."""
        if any(x is not None for x in inputs):
            raise ConfigError(
                f"the {self.modality} vectors of this dataset were supplied in a file, so a new "
                f"{self.modality} cannot be encoded; use likes instead"
            )
        return FeatureMatrix.of_rows(len(inputs), self._dim, (), ())

    def state(self) -> State:
        # The bare file name: where it lay on the training machine is nobody's business.
        meta = {
            "kind": self.kind,
            "path": Path(self.path).name,
            "modality": self.modality,
            "dim": self._dim,
        }
        return meta, {}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> PrecomputedVectors:
        return cls(str(meta["path"]), str(meta["modality"]), int(meta["dim"]))

    def _locate(self, root: Path) -> Path:
        path = Path(self.path).expanduser()
        for candidate in (path if path.is_absolute() else root / path, path):
            if candidate.is_file():
                if candidate.suffix not in (".npy", ".parquet"):
                    raise ConfigError(
                        f"supplied vectors must be a .npy or .parquet file, not '{candidate.name}'"
                    )
                return candidate
        raise ConfigError(
            f"there is no file '{self.path}' with supplied vectors, neither in the dataset folder "
            "nor in the working directory"
        )


def _read_npy(path: Path, root: Path) -> tuple[list[tuple[str, str]], NDArray[np.floating]]:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"'{path.name}' is not a readable .npy file of numbers") from error
    if vectors.ndim != 2 or vectors.shape[1] < 1 or vectors.dtype.kind not in "fiu":
        raise DataError(
            f"'{path.name}' must hold a matrix of numbers, a row an item; it holds "
            f"{vectors.dtype} of shape {list(vectors.shape)}"
        )
    keys = _item_keys(root)
    if len(keys) != len(vectors):
        raise DataError(
            f"'{path.name}' has {len(vectors)} rows and the item table {len(keys)} items; give one "
            "row per line of the item table, in its order"
        )
    return keys, vectors.astype(np.float32)


def _item_keys(root: Path) -> list[tuple[str, str]]:
    """(domain, item id) of each line of the item table, in file order."""
    table = read_items(root)
    return list(
        zip(table.text("domain").to_pylist(), table.text("item_id").to_pylist(), strict=True)
    )


def _read_parquet(path: Path) -> tuple[list[tuple[str, str]], NDArray[np.floating]]:
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow has its own family of errors
        raise DataError(f"'{path.name}' is not a readable parquet file") from error
    lacking = [name for name in ("item_id", "domain", "vector") if name not in table]
    if lacking:
        raise DataError(f"'{path.name}' lacks the column {', '.join(lacking)}")
    if not len(table):
        raise DataError(f"'{path.name}' has no rows")
    rows: list[NDArray[np.float32]] = []
    for number, value in enumerate(table["vector"], start=1):
        try:
            row = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError):
            row = np.zeros(0, np.float32)
        if row.ndim != 1 or not len(row) or (rows and len(row) != len(rows[0])):
            raise DataError(
                f"'{path.name}' has in row {number} a vector that is not a list of "
                f"{len(rows[0]) if rows else 'some'} numbers"
            )
        rows.append(row)
    keys = zip(table["domain"].astype(str), table["item_id"].astype(str), strict=True)
    return list(keys), np.stack(rows)
