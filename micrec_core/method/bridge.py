"""The bridge to a domain where a user took nothing yet (docs/method.md, section 11; ours).

Fitted in closed form once training is over, so that it disturbs nobody's embedding: a ridge map
from what overlapping users are in the source *alone* to what they are in the target, and the
target embeddings of the overlapping users who are nearest in the source. "Alone" matters: an
overlapping user's final embedding already holds what it took in the target, which a cold user's
cannot, and a map fitted on it learns to read what will not be there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.graphs.neighbours import normalise_rows

NEAREST = 100
TEMPERATURE = 0.05
RIDGES = (1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0)
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Bridge:
    """ê^B = W z + c + share * sum over nearest overlapping users of softmax(cosine / tau) ê_n^B.

    Attributes
    ----------
    weight, bias : float32 [dim, dim], [dim]
    share : how much the mean of the nearest overlapping users counts
    source : float32 [n_overlap, dim], unit rows, overlapping users in the source alone
    target : float32 [n_overlap, dim], their final embeddings in the target
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    share: float
    source: NDArray[np.float32]
    target: NDArray[np.float32]

    def __call__(
        self, users: NDArray[np.float32], same: NDArray[np.integer] | None = None
    ) -> NDArray[np.float32]:
        """Target embeddings [n, dim] of users by their source embeddings alone [n, dim].

        ``same``: the overlapping user that each of them is, -1 for none; not a neighbour of itself.
        """
        out = users @ self.weight.T + self.bias
        if self.share:
            out = out + self.share * self.lent(users, same)
        return out.astype(np.float32)

    def lent(
        self, users: NDArray[np.float32], same: NDArray[np.integer] | None = None
    ) -> NDArray[np.float32]:
        """The mean of the nearest overlapping users' target embeddings, [n, dim]."""
        rows, weights = self.nearest(users, same)
        mean: NDArray[np.float32] = np.einsum(
            "nk,nkd->nd", weights, self.target[np.maximum(rows, 0)]
        )
        return mean

    def nearest(
        self, users: NDArray[np.float32], same: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Nearest overlapping users [n, k] (positions, -1 for none) and their softmax weights."""
        # Imported here, for it brings torch along, and a bridge is also served where there is none.
        from micrec_core.graphs.neighbours.nearest import nearest

        unit = normalise_rows(np.ascontiguousarray(users, dtype=np.float32))
        found = nearest(unit, self.source, NEAREST, same=same)
        return found.rows, found.weights(TEMPERATURE)


def ridge_map(
    source: NDArray[np.floating], target: NDArray[np.floating], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """W [dim, dim] and c [dim] of target = W source + c, [n, dim] each.

    Least squares with a ``penalty`` on all but the constant.
    """
    centre_a, centre_b = source.mean(axis=0), target.mean(axis=0)
    a = (source - centre_a).astype(np.float64)
    b = (target - centre_b).astype(np.float64)
    weight = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ b).T
    return weight, centre_b - weight @ centre_a


def fit_bridge(
    alone: NDArray[np.float32], target: NDArray[np.float32], ridge: float, share: float
) -> Bridge:
    """A ``ridge_map`` and a ``share`` of the nearest; both [n_overlap, dim]."""
    weight, bias = ridge_map(alone, target, ridge)
    return Bridge(
        weight.astype(np.float32),
        bias.astype(np.float32),
        share,
        normalise_rows(np.ascontiguousarray(alone, dtype=np.float32)),
        np.ascontiguousarray(target, dtype=np.float32),
    )
