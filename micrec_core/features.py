"""What an encoder gives and what a model and a neighbour search take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, diags, vstack


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

    @staticmethod
    def of_rows(
        n: int, dim: int, rows: Sequence[int] | NDArray[np.integer], vectors: ArrayLike
    ) -> FeatureMatrix:
        """``n`` rows of which ``rows`` have ``vectors`` [len(rows), dim]; others are missing."""
        dense = np.zeros((n, dim), np.float32)
        present = np.zeros(n, dtype=bool)
        if len(rows):
            dense[rows], present[rows] = vectors, True
        return FeatureMatrix(l2_normalise(dense), None, present)

    @staticmethod
    def joined(parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
        """One below the other, one part at least."""
        if len(parts) == 1:
            return parts[0]
        words = [part.sparse for part in parts if part.sparse is not None]
        return FeatureMatrix(
            np.concatenate([part.dense for part in parts]),
            csr_matrix(vstack(words)) if words else None,
            np.concatenate([part.present for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, rows: slice) -> FeatureMatrix:
        """Some of the rows."""
        words = None if self.sparse is None else csr_matrix(self.sparse[rows])
        return FeatureMatrix(self.dense[rows], words, self.present[rows])

    @property
    def dim(self) -> int:
        return self.dense.shape[1]

    @property
    def space(self) -> NDArray[np.float32] | csr_matrix:
        """The matrix in which neighbours are found: sparse where there is one, else dense."""
        return self.dense if self.sparse is None else self.sparse


# What is left of vectors of length 1 that cancel out, such as of two items alone in their domain
# whose mean is taken away, is rounding: below this length a difference or a sum of them is zero.
CANCELLED = 1e-5


def l2_normalise(rows: NDArray[np.float32], least: float = 1e-12) -> NDArray[np.float32]:
    """Rows [n, dim] scaled to length 1; a row of at most the ``least`` length becomes zeros."""
    rows = np.asarray(rows, dtype=np.float32)
    # In float64, so that neither tiny nor huge rows lose their direction to under- or overflow.
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > least)
    return (rows * scale[:, None]).astype(np.float32)


def l2_normalise_sparse(rows: csr_matrix) -> csr_matrix:
    """As ``l2_normalise`` of sparse rows, float32; only a row of zeros stays zero."""
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1, dtype=np.float64)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return csr_matrix(diags(scale) @ rows, dtype=np.float32)


def centre(matrix: FeatureMatrix, mean: NDArray[np.float32]) -> FeatureMatrix:
    """Subtract a domain's mean [dim] from the dense rows that are present and normalise them again.

    Without it all items of a domain point the same way and the domain is the main axis
    (docs/method.md, section 6.1). The sparse view stays as it is; missing rows stay zero.
    """
    dense = matrix.dense - np.asarray(mean, dtype=np.float32)[None, :]
    dense[~matrix.present] = 0.0
    return FeatureMatrix(l2_normalise(dense, CANCELLED), matrix.sparse, matrix.present)
