"""What an encoder gives and what a model and a neighbour search take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class FeatureMatrix:
    """Features of the items of one domain (or of queries) in one modality.

    Attributes
    ----------
    dense : float32 [n, dim], rows L2-normalised, after subtraction of the mean of the domain's
        training catalogue when made by ``modalities.encode_dataset``; zero rows where missing
    sparse : float32 CSR [n, vocabulary] or None; rows L2-normalised, empty where missing. Where an
        encoder has it, neighbours are found by its cosine instead of the dense one
    present : bool [n]
    """

    dense: NDArray[np.float32]
    sparse: csr_matrix | None
    present: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.present)

    @property
    def dim(self) -> int:
        return self.dense.shape[1]

    @property
    def space(self) -> NDArray[np.float32] | csr_matrix:
        """The matrix in which neighbours are found: sparse where there is one, else dense."""
        return self.dense if self.sparse is None else self.sparse
