"""What a modality's parts bring an entity: whether a gate's weight foretells it can be measured.

Given the weights, a score is a sum over the sources of the entity's embedding: s_m(p) = u_m . i_p
with i_p the whole embedding of p. Of the test interactions p of the entity,

    drop_m  = mean over p of (s_m(p) - mean s_m) / deviation of s       what they lose without m
    alone_m = mean over p of (s_m(p) - mean s_m) / deviation of s_m     how well m alone finds them

with means and deviations over the catalogue. A modality that weighs more loses more for that alone;
``alone_m`` is the same whatever the weight. The memory is no part of either.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Vectors = NDArray[np.float32]


def effects(
    parts: Mapping[str, Vectors], others: Vectors, wanted: sparse.csr_matrix
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """``drop`` and ``alone`` of each source, float64 [n] each, NaN without test interactions.

    Parameters
    ----------
    parts : source -> what it brings to the entities' embeddings, [n, dim]
    others : whole embeddings of the catalogue, [n_others, dim]
    wanted : test interactions with the catalogue, CSR [n, n_others]
    """
    centred = others.astype(np.float64) - others.mean(axis=0, dtype=np.float64)
    spread = centred.T @ centred / max(len(others), 1)
    many = wanted.getnnz(axis=1)[:, None]
    found = sparse.csr_matrix(wanted, dtype=np.float64) @ centred
    found /= np.where(many, many, np.nan)

    def deviation(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        squared = np.einsum("nd,de,ne->n", vectors, spread, vectors, optimize=True)
        return np.where(squared > 1e-20, np.sqrt(np.maximum(squared, 1e-20)), np.nan)

    whole = deviation(np.sum([part.astype(np.float64) for part in parts.values()], axis=0))
    out = {}
    for source, part in parts.items():
        vectors = part.astype(np.float64)
        brought = np.einsum("nd,nd->n", vectors, found)
        out[source] = brought / whole, brought / deviation(vectors)
    return out
