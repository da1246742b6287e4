"""Vectors that a user brings: ``precomputed:PATH``, an .npy, .npz or .parquet file, or one for each
domain, ``precomputed:food=a.npy,kitchen=b.npy``.

``.npy``: a matrix [n_rows, dim] whose row k belongs to line k of the dataset's item table (all
domains, in file order). ``.npz``: such a matrix for each domain, called by its name. ``.parquet``:
columns ``item_id``, ``domain`` and ``vector`` (a list of numbers, all of one length). A row of
zeros, or an item that the file lacks, is missing.
"""

from __future__ import annotations

import zipfile
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

# (domain, item id) of each row.
Keys = list[tuple[str, str]]


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
        keys, vectors = self._read(dataset)
        path = Path(self.path)
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

    def _read(self, dataset: Dataset) -> tuple[Keys, NDArray[np.floating]]:
        """(domain, item id) of each row, and the rows, of one file or of one for each domain."""
        names = [domain.name for domain in dataset.domains]
        words = [word.partition("=") for word in self.path.split(",")]
        if not all(equals and name in names for name, equals, _ in words):
            return _read_file(self._locate(self.path, dataset.root), dataset.root)
        parts = [_read_file(self._locate(p, dataset.root), dataset.root, n) for n, _, p in words]
        widths = {vectors.shape[1] for _, vectors in parts}
        if len(widths) > 1:
            raise DataError(
                f"the vectors of '{self.path}' are {' and '.join(map(str, sorted(widths)))} wide; "
                "make them of one width"
            )
        return [k for keys, _ in parts for k in keys], np.concatenate([v for _, v in parts])

    def _locate(self, given: str, root: Path) -> Path:
        path = Path(given).expanduser()
        for candidate in (path if path.is_absolute() else root / path, path):
            if candidate.is_file():
                if candidate.suffix not in (".npy", ".npz", ".parquet"):
                    raise ConfigError(
                        "supplied vectors must be a .npy, .npz or .parquet file, not "
                        f"'{candidate.name}'"
                    )
                return candidate
        raise ConfigError(
            f"there is no file '{given}' with supplied vectors, neither in the dataset folder "
            "nor in the working directory"
        )


def _read_file(path: Path, root: Path, domain: str = "") -> tuple[Keys, NDArray[np.floating]]:
    """One file: of all domains, or of one of them."""
    if path.suffix == ".parquet":
        keys, vectors = _read_parquet(path)
        rows = [k for k, (name, _) in enumerate(keys) if domain in ("", name)]
        return [keys[k] for k in rows], vectors[rows]
    if path.suffix == ".npz" and not domain:
        return _read_npz(path, root)
    return _aligned(path, _load(path), [k for k in _item_keys(root) if domain in ("", k[0])])


def _read_npz(path: Path, root: Path) -> tuple[Keys, NDArray[np.floating]]:
    """An array for each domain, called by its name."""
    found, keys = _load(path), _item_keys(root)
    names = list(dict.fromkeys(name for name, _ in keys))
    if unknown := [name for name in found if name not in names]:
        raise DataError(
            f"'{path.name}' has an array '{unknown[0]}', and the domains are {', '.join(names)}; "
            "call each array by its domain"
        )
    parts = [_aligned(path, found[n], [k for k in keys if k[0] == n]) for n in names if n in found]
    if not parts or len({vectors.shape[1] for _, vectors in parts}) > 1:
        raise DataError(f"'{path.name}' must hold arrays of one width, one for each domain")
    return [k for own, _ in parts for k in own], np.concatenate([v for _, v in parts])


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return dict(found) if path.suffix == ".npz" else found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"'{path.name}' is not a readable {path.suffix} file of numbers; write it again"
        ) from error


def _aligned(path: Path, vectors: Any, keys: Keys) -> tuple[Keys, NDArray[np.floating]]:
    """The rows of a matrix with the items that they are of, in the order of the item table."""
    if isinstance(vectors, dict):  # of one domain, whatever it is called
        vectors = next(iter(vectors.values()), np.zeros(0))
    if vectors.ndim != 2 or vectors.shape[1] < 1 or vectors.dtype.kind not in "fiu":
        raise DataError(
            f"'{path.name}' must hold a matrix of numbers, a row an item; it holds "
            f"{vectors.dtype} of shape {list(vectors.shape)}"
        )
    if len(keys) != len(vectors):
        raise DataError(
            f"'{path.name}' has {len(vectors)} rows and the item table {len(keys)} items; give one "
            "row per line of the item table, in its order"
        )
    return keys, vectors.astype(np.float32)


def _item_keys(root: Path) -> Keys:
    """(domain, item id) of each line of the item table, in file order."""
    table = read_items(root)
    return list(
        zip(table.text("domain").to_pylist(), table.text("item_id").to_pylist(), strict=True)
    )


def _read_parquet(path: Path) -> tuple[Keys, NDArray[np.floating]]:
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
