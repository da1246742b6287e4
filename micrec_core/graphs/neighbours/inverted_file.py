"""Who is looked at when all pairs are too many: rows are put into cells, and cells into groups.

An inverted file (Sivic and Zisserman, 2003; Jegou et al., 2011) with one list of cells for all
queries of a cell: spherical k-means over a sample of the anchors gives the centres, each row
belongs to the centre that it is nearest to, and queries of a cell are compared, exactly, with the
anchors of the cells whose centres are nearest to their own. Sparse rows are placed by their
projection on the leading right singular vectors of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.subset import some_of

Features: TypeAlias = NDArray[np.float32] | sparse.csr_matrix
Rows: TypeAlias = NDArray[np.int64]

# Cells whose anchors a query is compared with: recall and time grow with it.
PROBED = 4
_DIM = 64  # of the view in which sparse rows are placed
_SVD_SAMPLE = 20_000
_PER_CELL = 64  # anchors of the sample that k-means is run on, for each cell
_ROUNDS = 8
_SEED = 0
_BLOCK = 2**26  # bytes of similarities to the centres at a time


def groups(
    queries: Features, anchors: Features, ok: NDArray[np.bool_], seed: int, device: str = "cpu"
) -> Iterator[tuple[Rows, Rows]]:
    """Query rows and the anchor rows to compare them with, both ascending, a cell at a time.

    Every query that is not zero is in exactly one group.

    Parameters
    ----------
    queries, anchors : dense [n, dim] or CSR [n, vocabulary], rows L2-normalised or zero
    ok : bool [n_anchors], rows that may be found
    seed : other seeds cut the rows up differently
    """
    allowed = np.flatnonzero(ok)
    if len(allowed) == 0:
        return
    same = queries is anchors
    view_of = _view(anchors, allowed)
    placed = view_of(anchors)
    asked = placed if same else view_of(queries)
    centres = _centres(placed, allowed, seed, device)
    cell = _nearest_centre(placed, centres)
    own = cell if same else _nearest_centre(asked, centres)
    own = np.where(_is_zero(queries), -1, own)
    members, asking = _by_cell(cell, allowed, len(centres)), _by_cell(own, None, len(centres))
    width = min(PROBED, len(centres))
    probed = (centres @ centres.T).topk(width, dim=1).indices.cpu().numpy()
    for c, rows in enumerate(asking):
        if len(rows):
            yield rows, np.sort(np.concatenate([members[p] for p in probed[c]]))


class _view:
    """Rows as dense unit vectors in which near ones of the full space are near."""

    def __init__(self, anchors: Features, allowed: Rows):
        self.directions: NDArray[np.float32] | None = None
        if isinstance(anchors, np.ndarray):
            return
        from sklearn.utils.extmath import randomized_svd  # slow to import, and seldom needed

        sample = anchors[some_of(allowed, _SVD_SAMPLE, _SEED)]
        width = min(_DIM, *sample.shape)
        _, _, vectors = randomized_svd(sample, width, n_iter=2, random_state=_SEED)
        self.directions = np.ascontiguousarray(vectors.T, np.float32)

    def __call__(self, rows: Features) -> NDArray[np.float32]:
        if self.directions is None:
            return np.asarray(rows, np.float32)
        dense = np.asarray(rows @ self.directions, np.float32)
        norms = np.linalg.norm(dense, axis=1, keepdims=True)
        np.divide(dense, norms, out=dense, where=norms > 1e-12)
        return dense


def _centres(placed: NDArray[np.float32], allowed: Rows, seed: int, device: str) -> Tensor:
    """Unit centres [about sqrt(n_anchors), dim] by spherical k-means on a sample."""
    n = max(1, round(len(allowed) ** 0.5))
    sample = torch.from_numpy(placed[some_of(allowed, n * _PER_CELL, seed)]).to(device)
    start = np.random.default_rng(seed).choice(len(sample), n, replace=False)
    centres = sample[torch.from_numpy(start).to(device)]
    for _ in range(_ROUNDS):
        cell = (sample @ centres.T).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, cell, sample)
        # A cell that lost its members keeps its place.
        sums = torch.where(sums.any(dim=1, keepdim=True), sums, centres)
        centres = torch.nn.functional.normalize(sums, dim=1)
    return centres


def _nearest_centre(placed: NDArray[np.float32], centres: Tensor) -> Rows:
    out = np.empty(len(placed), np.int64)
    step = max(1, _BLOCK // (4 * len(centres)))
    for start in range(0, len(placed), step):
        block = torch.from_numpy(placed[start : start + step]).to(centres.device)
        out[start : start + step] = (block @ centres.T).argmax(dim=1).cpu().numpy()
    return out


def _is_zero(rows: Features) -> NDArray[np.bool_]:
    if isinstance(rows, np.ndarray):
        return np.asarray(~rows.any(axis=1))
    return np.asarray(np.diff(rows.indptr) == 0)


def _by_cell(cell: Rows, among: Rows | None, n: int) -> list[Rows]:
    """Rows of each cell, ascending; those of cell -1 are in none."""
    rows = np.flatnonzero(cell >= 0) if among is None else among
    order = rows[np.argsort(cell[rows], kind="stable")]
    return np.split(order, np.cumsum(np.bincount(cell[rows], minlength=n))[:-1])
