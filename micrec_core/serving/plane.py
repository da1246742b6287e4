"""A map of a domain's items on which a new one can be placed exactly: a linear projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.method.arrays import Floats


@dataclass(frozen=True)
class ItemMap:
    """Items in the plane in which their directions differ most (PCA of unit vectors).

    Attributes
    ----------
    frame : item_id, title, degree, x, y
    mean : float32 [dim]
    axes : float32 [2, dim]
    share : of the variance that the plane shows
    """

    frame: pd.DataFrame
    mean: Floats
    axes: Floats
    share: float

    def place(self, vector: NDArray[np.floating]) -> tuple[float, float]:
        """Where an embedding belongs."""
        x, y = (normalise_rows(vector[None].astype(np.float32))[0] - self.mean) @ self.axes.T
        return float(x), float(y)


def item_map(items: pd.DataFrame, vectors: Floats) -> ItemMap:
    """The map of some items.

    Parameters
    ----------
    items : item_id, title, degree
    vectors : their embeddings [n, dim]
    """
    unit = normalise_rows(vectors)
    mean = unit.mean(axis=0)
    values, basis = np.linalg.eigh(np.cov((unit - mean).T))
    axes = basis[:, :-3:-1].T.astype(np.float32)
    x, y = ((unit - mean) @ axes.T).T
    share = float(values[-2:].sum() / max(values.sum(), 1e-12))
    return ItemMap(items.assign(x=x, y=y), mean, axes, share)
