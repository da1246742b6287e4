"""References for a user who is known in one domain and new in another: a map between user spaces.

Both learn from the users who are in training in both domains and from nothing else, so that a
cold-domain method has something to beat that is more than popularity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.ranking import rank_embeddings
from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.method.bridge import ridge_map

# Times the mean eigenvalue of the source covariance, so that they fit spaces of any scale.
LAMBDAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_HELD_OUT = 0.2
_MOST_HELD_OUT = 2000
_CUTOFF = 20
_BLOCK_BYTES = 64 * 2**20


class Ridge(NamedTuple):
    """``weights`` [dim, dim] and ``bias`` [dim] of a map, and the lambda it was fitted with."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    strength: float

    def __call__(self, source: NDArray[np.floating]) -> NDArray[np.float32]:
        """Where users [n, dim] of the source lie in the target's space."""
        return (source @ self.weights + self.bias).astype(np.float32)


def fit_ridge(source: NDArray[np.floating], target: NDArray[np.floating], strength: float) -> Ridge:
    """Least squares from source to target [n, dim] with a free bias.

    Parameters
    ----------
    strength : lambda as a multiple of the mean eigenvalue of the source's covariance
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    spread = float(np.square(x - x.mean(axis=0)).sum()) / x.shape[1]
    weights, bias = ridge_map(x, y, strength * max(spread, 1e-12))
    return Ridge(weights.T, bias, strength)


def choose_ridge(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    items: NDArray[np.floating],
    taken: sparse.csr_matrix,
    candidates: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Ridge:
    """A ridge map whose lambda is chosen by NDCG@20 on a fifth of the overlapping users.

    Parameters
    ----------
    source, target : float [n, dim], the overlapping users in both spaces
    items : float [n_items, dim], of the target
    taken : CSR [n, n_items], their train interactions in the target, the positives of the choice
    """
    n = len(source)
    order = np.random.default_rng(seed).permutation(n)
    held = np.sort(order[: min(int(n * _HELD_OUT), _MOST_HELD_OUT)])
    kept = np.sort(np.setdiff1d(order, held))
    if len(held) == 0:
        return fit_ridge(source, target, LAMBDAS[len(LAMBDAS) // 2])
    scores = []
    for strength in LAMBDAS:
        guess = fit_ridge(source[kept], target[kept], strength)(source[held])
        ranked = rank_embeddings(guess, items, None, None, candidates, _CUTOFF)
        found = ranking_metrics(ranked, taken[held], (_CUTOFF,))
        scores.append(float(found[f"ndcg@{_CUTOFF}"].mean()))
    return fit_ridge(source, target, LAMBDAS[int(np.nanargmax(scores))])


def nearest_bridge(
    queries: NDArray[np.floating],
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    k: int = 300,
    temperature: float = 0.05,
) -> NDArray[np.float32]:
    """The target vectors of the ``k`` overlapping users nearest in the source, weighed.

    Weights are softmax(cosine / temperature) (ours).

    Parameters
    ----------
    queries : float [m, dim] users of the source
    source, target : float [n, dim], the overlapping users in both spaces
    """
    k = min(k, len(source))
    base = normalise_rows(source)
    out = np.zeros((len(queries), target.shape[1]), np.float32)
    step = max(1, _BLOCK_BYTES // (4 * max(len(base), k * target.shape[1])))
    for start in range(0, len(queries), step):
        cosine = normalise_rows(queries[start : start + step]) @ base.T
        near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        value = np.take_along_axis(cosine, near, axis=1)
        weight = special.softmax(value / temperature, axis=1)
        out[start : start + step] = np.einsum("mk,mkd->md", weight, target[near])
    return out
