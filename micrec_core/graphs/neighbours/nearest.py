"""The k nearest neighbours by cosine, for dense features and for sparse ones.

Exact up to ``EXACT_DENSE`` or ``EXACT_SPARSE`` pairs of rows, and for dense rows on a GPU. Above,
sparse rows are looked up in lists that are cut (``champions``) where that finds nearly all, and any
others among the anchors of nearby cells (``inverted_file``), which finds most. How many is measured
on some of the queries, decides between the two, and is told.

Queries are looked up ``SHARD`` at a time, or cell by cell, by an engine (``engines``).

Rows are expected L2-normalised, so a product is a cosine. Neighbours come in descending order of
similarity, ties by lower row; only positive similarities count, and missing places hold -1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol, TypeAlias

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_matrix

from micrec_core.compiling import kernel
from micrec_core.engines import HERE, Engine
from micrec_core.errors import is_out_of_memory
from micrec_core.graphs.chain import Packed, own_array
from micrec_core.graphs.neighbours import Features, Neighbours, inverted_file
from micrec_core.graphs.neighbours.champions import Champions
from micrec_core.graphs.neighbours.nn_descent import descend, offer
from micrec_core.graphs.neighbours.side_by_side import SideBySide, much_in_common

Mask: TypeAlias = NDArray[np.bool_]

# Pairs of queries and anchors up to which all are compared: it takes 54 s of one thread for 100,000
# dense rows of 128 numbers and about 45 s for 140,000 text profiles of 64 terms. From there on
# lists that are cut are quicker and find .97 of the neighbours (docs/notes/2026-11-29-growth.md).
# Cells are quicker from 10,000 rows on, but find 88 to 95 % of neighbours by pictures and 50 to
# 85 % of those by texts (docs/notes/2026-11-21-speed.md): so much time, once, is the lesser cost.
EXACT_DENSE, EXACT_SPARSE = 10**10, 2 * 10**10
# The share of the true neighbours that lists must find of some queries to be asked for all; cells
# found less of every kind of sparse rows that was measured.
ENOUGH = 0.9
# Else: ways in which rows are put into cells, each finding what the others cut apart, and rounds
# after that in which neighbours' neighbours are looked at.
CUTS, DESCENTS = 2, 2
# Queries that are looked up at a time, where a processor does it.
SHARD = 2**13
# Queries of which all true neighbours are looked for, to tell which share was found.
_CHECKED, _SEED = 256, 0


class _Index(Protocol):
    """Anchors that are made ready once and asked often."""

    def nearest(self, queries: Features, k: int, same: NDArray[np.int64]) -> Neighbours:
        """The ``k`` best of each query; ``same`` [n_queries] is left out, -1 for none."""
        ...


def nearest(
    queries: Features,
    anchors: Features,
    k: int,
    *,
    anchor_ok: NDArray[np.bool_] | None = None,
    same: NDArray[np.integer] | None = None,
    memory_bytes: int = 2**28,
    device: str = "cpu",
    exact_pairs: int | None = None,
    engine: Engine = HERE,
) -> Neighbours:
    """The ``k`` anchors nearest to each query.

    Parameters
    ----------
    queries, anchors : dense [n, dim] or CSR [n, vocabulary], rows L2-normalised or zero
    anchor_ok : bool [n_anchors], rows that may be a neighbour; all by default
    same : int [n_queries], the anchor that *is* the query and is left out, -1 for none
    exact_pairs : compare all pairs while there are no more of them; a measured number by default
    engine : what looks the queries up; on ``device`` where that is no processor
    """
    n = queries.shape[0]
    own = np.full(n, -1, np.int64) if same is None else np.asarray(same, np.int64)
    ok = np.ones(anchors.shape[0], bool) if anchor_ok is None else np.asarray(anchor_ok, bool)
    dense, there = not sparse.issparse(anchors), device.startswith("cuda")
    engine = HERE if there else engine
    most = exact_pairs if exact_pairs is not None else EXACT_DENSE if dense else EXACT_SPARSE
    if n * int(ok.sum()) <= most or (dense and there):
        step = n if dense and there else SHARD
        return _looked_up(_pairs(anchors, ok, memory_bytes, device), queries, k, own, engine, step)
    some = np.random.default_rng(_SEED).choice(n, min(n, _CHECKED), replace=False)
    true = _pairs(anchors, ok, memory_bytes, device).nearest(queries[some], k, own[some])
    if not dense:
        champions = Champions(anchors, ok)
        recall = _share_found(true, champions.nearest(queries[some], k, own[some]))
        if recall >= ENOUGH:
            return replace(_looked_up(champions, queries, k, own, engine, SHARD), recall=recall)
    found = _nearest_in_cells(queries, anchors, k, ok, own, memory_bytes, device, engine)
    of_some = Neighbours(found.rows[some], found.similarity[some])
    return replace(found, recall=_share_found(true, of_some))


def _pairs(anchors: Features, ok: Mask, memory_bytes: int, device: str) -> _Index:
    """Anchors of which each is compared with every query."""
    if sparse.issparse(anchors):
        anchors = csr_matrix(anchors)
        return SideBySide(anchors, ok) if much_in_common(anchors) else _Sparse(anchors, ok)
    return _Dense(anchors, ok, memory_bytes, device)


def _looked_up(
    index: _Index, queries: Features, k: int, own: NDArray[np.int64], engine: Engine, step: int
) -> Neighbours:
    """What an index finds, so many queries at a time."""
    cuts = (slice(at, at + step) for at in range(0, max(queries.shape[0], 1), max(step, 1)))
    shards = ((queries[rows], own[rows]) for rows in cuts)
    parts = list(engine.map(_of_shard, (index, k), shards))
    if len(parts) == 1:
        return parts[0]
    return Neighbours(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.similarity for part in parts]),
    )


def _of_shard(index: tuple[_Index, int], shard: tuple[Features, NDArray[np.int64]]) -> Neighbours:
    (anchors, k), (queries, own) = index, shard
    return anchors.nearest(queries, k, own)


def _nearest_in_cells(
    queries: Features,
    anchors: Features,
    k: int,
    ok: Mask,
    own: NDArray[np.int64],
    memory_bytes: int,
    device: str,
    engine: Engine,
) -> Neighbours:
    """What is found cell by cell, and then among neighbours' neighbours."""
    n = queries.shape[0]
    found = Neighbours.none(n, k)
    position = np.full(len(ok) + 1, -1, np.int64)  # the last for -1, no anchor
    asked: deque[tuple[NDArray[np.int64], NDArray[np.int64]]] = deque()

    def cells() -> Iterator[tuple[Features, Features, NDArray[np.int64]]]:
        cuts = (inverted_file.groups(queries, anchors, ok, seed, device) for seed in range(CUTS))
        for rows, near in chain.from_iterable(cuts):
            position[near] = np.arange(len(near))
            own_near = position[own[rows]]
            position[near] = -1
            asked.append((rows, near))
            yield queries[rows], anchors[near], own_near

    for part in engine.map(_of_cell, (k, memory_bytes, device), cells()):
        rows, near = asked.popleft()
        there = np.where(part.rows >= 0, near[part.rows], -1).astype(np.int32)
        offer(rows, there, part.similarity, found.rows, found.similarity)
    # Descent leaves out each row itself, and knows of no other row that is the same.
    if queries is not anchors or np.any((own >= 0) & (own != np.arange(n))):
        return found
    return Neighbours(*descend(anchors, found.rows, found.similarity, DESCENTS))


def _of_cell(
    common: tuple[int, int, str], cell: tuple[Features, Features, NDArray[np.int64]]
) -> Neighbours:
    (k, memory_bytes, device), (queries, anchors, own) = common, cell
    every = np.ones(anchors.shape[0], bool)
    return _pairs(anchors, every, memory_bytes, device).nearest(queries, k, own)


def _share_found(exact: Neighbours, found: Neighbours) -> float:
    """Share of the true neighbours that were found, of the same queries; 1 without any.

    Of equally near anchors any will do.
    """
    true = exact.similarity
    count = (true > 0).sum(axis=1)
    last = np.where(true > 0, true, np.inf).min(axis=1, initial=np.inf)
    hits = np.minimum((found.similarity >= last[:, None] - 1e-6).sum(axis=1), count)
    return float(hits.sum() / count.sum()) if count.sum() else 1.0


class _Dense:
    """Dense anchors; of a block of similarities at most ``memory_bytes`` are held at a time."""

    def __init__(self, anchors: NDArray[np.float32], ok: Mask, memory_bytes: int, device: str):
        self.n, self.allowed = len(ok), np.flatnonzero(ok)
        self.base = np.ascontiguousarray(anchors[self.allowed].T)
        self.memory_bytes, self.device = memory_bytes, device

    def nearest(self, queries: NDArray[np.float32], k: int, same: NDArray[np.int64]) -> Neighbours:
        """As ``_Index.nearest``."""
        allowed, n = self.allowed, len(queries)
        position = np.full(self.n, -1, np.int64)
        position[allowed] = np.arange(len(allowed))
        found = Neighbours.none(n, k)
        if len(allowed) == 0:
            return found
        base = torch.from_numpy(own_array(self.base)).to(self.device)

        def search(start: int, stop: int) -> None:
            block = np.ascontiguousarray(queries[start:stop])
            scores = torch.from_numpy(own_array(block)).to(self.device) @ base
            own = same[start:stop]
            own = np.where(own >= 0, position[own], -1)
            here = Neighbours.none(stop - start, k)
            if scores.device.type == "cpu":
                _select(scores.numpy(), own, here.rows, here.similarity)
            else:
                _select_there(scores, own, here.rows, here.similarity)
            found.rows[start:stop] = np.where(here.rows >= 0, allowed[here.rows], -1)
            found.similarity[start:stop] = here.similarity

        step = max(1, self.memory_bytes // (4 * len(allowed)))
        for start in range(0, n, step):
            _in_halves(search, start, min(start + step, n))
        return found


def _in_halves(work: Callable[[int, int], None], start: int, stop: int) -> None:
    """``work`` on a range of rows, in halves where it does not fit the memory."""
    try:
        work(start, stop)
        return
    except (MemoryError, RuntimeError) as error:
        if stop - start <= 1 or not is_out_of_memory(error):
            raise
    middle = (start + stop) // 2
    _in_halves(work, start, middle)
    _in_halves(work, middle, stop)


def _select_there(
    scores: torch.Tensor,
    own: NDArray[np.int64],
    places: NDArray[np.int32],
    found: NDArray[np.float32],
) -> None:
    """As ``_select``, on the scores' device."""
    hit = torch.from_numpy(np.flatnonzero(own >= 0)).to(scores.device)
    scores[hit, torch.from_numpy(own[own >= 0]).to(scores.device)] = 0
    width = min(places.shape[1], scores.shape[1])
    best, columns = (part.cpu().numpy() for part in _best(scores, width))
    order = np.lexsort((columns, -best), axis=1)
    best, columns = np.take_along_axis(best, order, 1), np.take_along_axis(columns, order, 1)
    places[:, :width] = np.where(best > 0, columns, -1)
    found[:, :width] = np.maximum(best, 0)


def _best(scores: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``width`` largest of each row and their columns, of equal ones the lower columns."""
    values, columns = scores.topk(width, dim=1)
    # topk takes any of the equals at the last place: those rows, a few, are sorted in full.
    last = values[:, -1:]
    tied = ((scores >= last).sum(dim=1) > width) & (last[:, 0] > 0)
    if tied.any():
        again = scores[tied].sort(dim=1, descending=True, stable=True)
        values[tied], columns[tied] = again.values[:, :width], again.indices[:, :width]
    return values, columns


class _Sparse:
    """Sparse anchors, by their columns."""

    def __init__(self, anchors: csr_matrix, ok: Mask):
        self.n = anchors.shape[0]
        self.columns = Packed.turned(csr_matrix(sparse.diags(ok.astype(np.float32)) @ anchors))

    def nearest(self, queries: csr_matrix, k: int, same: NDArray[np.int64]) -> Neighbours:
        """As ``_Index.nearest``."""
        found = Neighbours.none(queries.shape[0], k)
        columns = (own_array(part) for part in self.columns[:3])
        parts = *Packed.of(csr_matrix(queries))[:3], *columns
        _nearest_inverted(*parts, self.n, own_array(same), found.rows, found.similarity)
        return found


@kernel(parallel=True, nogil=True, boundscheck=False)
def _nearest_inverted(
    q_ptr: NDArray[np.uint64],
    q_ind: NDArray[np.uint32],
    q_val: NDArray[np.float32],
    a_ptr: NDArray[np.uint64],
    a_ind: NDArray[np.uint32],
    a_val: NDArray[np.float32],
    n_anchors: int,
    same: NDArray[np.int64],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Cosines through the inverted index, then the k best."""
    n = len(rows)
    n_chunks = min(n, 64)
    for chunk in numba.prange(n_chunks):
        scores = np.zeros(n_anchors, dtype=np.float32)
        for q in range(chunk * n // n_chunks, (chunk + 1) * n // n_chunks):
            for e in range(q_ptr[q], q_ptr[q + 1]):
                term, weight = q_ind[e], q_val[e]
                for p in range(a_ptr[term], a_ptr[term + np.uint32(1)]):
                    scores[a_ind[p]] += weight * a_val[p]
            if same[q] >= 0:
                scores[same[q]] = 0.0
            _keep_best(scores, rows[q], out[q])
            scores[:] = 0.0


@kernel(parallel=True, nogil=True, boundscheck=False)
def _select(
    scores: NDArray[np.float32],
    own: NDArray[np.int64],
    rows: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Columns and values of each row's k largest positive scores, but for its own column."""
    n = len(scores)
    n_chunks = min(n, 64)
    for chunk in numba.prange(n_chunks):
        for q in range(chunk * n // n_chunks, (chunk + 1) * n // n_chunks):
            if own[q] >= 0:
                scores[q, own[q]] = 0.0
            _keep_best(scores[q], rows[q], out[q])


@kernel(nogil=True, boundscheck=False)
def _keep_best(
    scores: NDArray[np.float32], rows: NDArray[np.int32], out: NDArray[np.float32]
) -> None:
    """The k best of ``scores`` by insertion (k is small): of equal ones the first come first."""
    k = len(rows)
    least = out[k - 1]
    for a in range(len(scores)):
        value = scores[a]
        if value > least:
            place = k - 1
            while place > 0 and out[place - 1] < value:
                out[place] = out[place - 1]
                rows[place] = rows[place - 1]
                place -= 1
            out[place] = value
            rows[place] = a
            least = out[k - 1]
