"""Features of items that lack them, as the mean of those they are taken together with.

As ``NeighMean`` of Malitesta et al. (Do We Really Need to Drop Items with Missing Modalities in
Multimodal Recommendation?, CIKM 2024), over the k items of the same domain whose users in training
are most alike by cosine. Items without such neighbours stay without, and new ones do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from micrec_core.features import FeatureMatrix, l2_normalise, l2_normalise_sparse
from micrec_core.modalities.dataset import DatasetFeatures

NEIGHBOURS = 10


def imputed(
    features: DatasetFeatures, trains: Sequence[sparse.csr_matrix], k: int = NEIGHBOURS
) -> DatasetFeatures:
    """The features with gaps filled in, in every modality.

    Parameters
    ----------
    trains : per domain, the binary train interactions [n_users, n_items]
    k : so many neighbours at most, of those that have the modality
    """
    matrices = {
        m: tuple(_filled(matrix, train, k) for matrix, train in zip(parts, trains, strict=True))
        for m, parts in features.matrices.items()
    }
    return replace(features, matrices=matrices)


def _filled(matrix: FeatureMatrix, train: sparse.csr_matrix, k: int) -> FeatureMatrix:
    gaps = np.flatnonzero(~matrix.present)
    if not len(gaps) or len(gaps) == len(matrix):
        return matrix
    weights = _nearest(train, gaps, matrix.present, k)
    fill = sparse.csr_matrix(
        (np.ones(len(gaps), np.float32), (gaps, np.arange(len(gaps)))), (len(matrix), len(gaps))
    )
    share = fill @ weights  # [n_items, n_items], rows of items that have it are empty
    words = matrix.sparse
    if words is not None:
        added = sparse.csr_matrix(share @ words)
        words = sparse.csr_matrix(words + l2_normalise_sparse(added), dtype=np.float32)
    dense = matrix.dense + l2_normalise(share @ matrix.dense)
    return FeatureMatrix(dense, words, matrix.present | (np.diff(share.indptr) > 0))


def _nearest(
    train: sparse.csr_matrix, rows: np.ndarray, present: np.ndarray, k: int
) -> sparse.csr_matrix:
    """Weights [len(rows), n_items] of the k items nearest by their users, rows adding up to 1."""
    by_item = sparse.csc_matrix(train, dtype=np.float32)
    degree = np.maximum(np.diff(by_item.indptr), 1).astype(np.float32)
    scaled = sparse.csc_matrix(by_item @ sparse.diags(1 / np.sqrt(degree)))
    near = sparse.csr_matrix(scaled[:, rows].T @ scaled)
    near.sort_indices()
    near.data[~present[near.indices]] = 0.0
    near.eliminate_zeros()
    starts = np.repeat(np.arange(len(rows)), np.diff(near.indptr))
    order = np.lexsort((near.indices, -near.data, starts))  # of equally near ones the lower row
    place = np.arange(len(order)) - near.indptr[starts[order]]
    best = order[place < k]
    kept = (near.data[best], (starts[best], near.indices[best]))
    out = sparse.csr_matrix(kept, shape=near.shape)
    total = np.maximum(np.asarray(out.sum(axis=1)).ravel(), 1e-12)
    return sparse.csr_matrix(sparse.diags(1 / total) @ out)
