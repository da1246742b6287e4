"""A map of items on which a new one can be placed exactly: a linear projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.method.arrays import Floats

# Items a group at least, and items that groups are looked for among.
_GROUP, _GROUPED = 20, 20_000


@dataclass(frozen=True)
class ItemMap:
    """Items in the plane in which their directions differ most (PCA of unit vectors).

    Attributes
    ----------
    frame : domain, item_id, title, degree, x, y
    unit : their directions, float32 [n, dim]
    mean : float32 [dim]
    axes : float32 [2, dim]
    share : of the variance that the plane shows
    """

    frame: pd.DataFrame
    unit: Floats
    mean: Floats
    axes: Floats
    share: float

    def place(self, vector: NDArray[np.floating]) -> tuple[float, float]:
        """Where an embedding belongs."""
        x, y = (normalise_rows(vector[None].astype(np.float32))[0] - self.mean) @ self.axes.T
        return float(x), float(y)

    def across(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """For each of these rows, the item of another domain most like it in all dimensions.

        -1 where there is no other domain.
        """
        domains = self.frame["domain"].to_numpy()
        likeness = self.unit[rows] @ self.unit.T
        likeness[domains[rows][:, None] == domains[None]] = -np.inf
        best = likeness.argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
        found = np.isfinite(likeness.max(axis=1, initial=-np.inf))
        return np.where(found, best, -1).astype(np.int64)

    def groups(self, most: int) -> NDArray[np.int64]:
        """A group for each item, of at most so many, by their directions in all dimensions."""
        from scipy.cluster.vq import kmeans2, vq

        n = min(most, len(self.unit) // _GROUP)
        if n < 2:
            return np.zeros(len(self.unit), np.int64)
        some = np.random.default_rng(0).permutation(len(self.unit))[:_GROUPED]
        middles, _ = kmeans2(self.unit[some].astype(np.float64), n, minit="++", seed=0)
        found: NDArray[np.int64] = vq(self.unit.astype(np.float64), middles)[0].astype(np.int64)
        return found


def item_map(items: pd.DataFrame, vectors: Floats) -> ItemMap:
    """The map of some items.

    Parameters
    ----------
    items : domain, item_id, title, degree
    vectors : their embeddings [n, dim]
    """
    unit = normalise_rows(vectors)
    mean = unit.mean(axis=0)
    values, basis = np.linalg.eigh(np.cov((unit - mean).T))
    axes = basis[:, :-3:-1].T.astype(np.float32)
    x, y = ((unit - mean) @ axes.T).T
    share = float(values[-2:].sum() / max(values.sum(), 1e-12))
    return ItemMap(items.assign(x=x, y=y), unit, mean, axes, share)
