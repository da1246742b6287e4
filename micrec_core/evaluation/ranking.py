"""Full ranking: every candidate item of a domain scored for every user, the best k kept.

Policy, tested: masked items and items that are no candidates never appear; equal scores go to the
lower row; a score of NaN or minus infinity is never ranked; a list with fewer than k rankable items
ends in -1. Memory stays under a bound that the caller sets, and when it runs out all the same the
chunk is halved and tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from micrec_core.errors import is_out_of_memory
from micrec_core.evaluation.by_columns import Added, ScoreBlock, rank_by_columns
from micrec_core.evaluation.compiled import copy_columns
from micrec_core.evaluation.parallel import map_pieces, n_cores, one_blas_thread
from micrec_core.evaluation.selection import Selection
from micrec_core.method.search import repeated_rows

# Measured on 47,589 users x 27,637 items x 64 on two cores: from 8 to 128 MiB the time is the same,
# so the smallest memory is best; a block still holds enough users for an efficient product.
BLOCK_BYTES = 16 * 2**20


def rank_users(
    score_block: ScoreBlock,
    users: ArrayLike,
    mask: sparse.csr_matrix | None = None,
    candidates: NDArray[np.bool_] | None = None,
    k: int = 50,
    memory_bytes: int = 2**30,
    *,
    n_items: int | None = None,
    block_bytes: int = BLOCK_BYTES,
    concurrent: bool = False,
    scores: NDArray[np.floating] | None = None,
) -> NDArray[np.int32]:
    """The k best items of each user, from a function that scores some users against all items.

    Parameters
    ----------
    score_block : takes user rows int64 [b], gives float [b, n_items]; called on consecutive chunks
        of ``users``; its result is only read
    users : user rows [n]
    mask : CSR [n_users, n_items]; the items stored in row u are not recommended to user row u
        (at test time: its train and validation interactions)
    candidates : bool [n_items], the items that may be recommended; None for all
    k : length of the lists
    memory_bytes : bound on the memory used beside the inputs and the result; a score block is
        counted twice, since a scorer may need as much again to make it
    n_items : number of items, where neither ``mask`` nor ``candidates`` tells it
    block_bytes : size of a score block that is not exceeded even where memory allows it
    concurrent : whether ``score_block`` may be called from several threads at once; otherwise it is
        called from this thread alone and only the selection is shared among the cores
    scores : float [n, k], filled with the scores of what is ranked, minus infinity where nothing is

    Returns
    -------
    int32 [n, k], best first, -1 where fewer than k items can be ranked

    Raises
    ------
    ValueError
        ``mask``, ``candidates`` and the scores disagree on the number of items, or k < 1.
    MemoryError
        Not even one user fits.
    """
    users = np.asarray(users, dtype=np.int64)
    if k < 1:
        raise ValueError("k must be at least 1")
    if len(users) == 0:
        return np.full((0, k), -1, dtype=np.int32)
    n_items = _count_items(score_block, users, mask, candidates, n_items)
    workers = n_cores() if concurrent else 1
    row_bytes = max(n_items, 1) * 4
    chunk = max(1, min(memory_bytes // (2 * row_bytes * workers), block_bytes // row_bytes))
    starts = range(0, len(users), chunk)
    chunks = [slice(start, min(start + chunk, len(users))) for start in starts]
    select = Selection.of(mask, candidates, k, 1 if concurrent else n_cores())
    out = np.empty((len(users), k), dtype=np.int32)
    rank = _ranker(score_block, select, users, n_items, out, scores)
    if concurrent:
        map_pieces(rank, chunks)
    else:
        for piece in chunks:
            rank(piece)
    return out


def _ranker(
    score_block: ScoreBlock,
    select: Selection,
    users: NDArray[np.int64],
    n_items: int,
    out: NDArray[np.int32],
    scores: NDArray[np.floating] | None,
) -> Callable[[slice], None]:
    """A function that ranks a chunk of the users, in halves where it does not fit the memory."""

    def rank(piece: slice) -> None:
        rows = users[piece]
        try:
            block = _as_block(score_block(rows))
            if block.shape != (len(rows), n_items):
                raise ValueError(f"scores are {block.shape}, not {(len(rows), n_items)}")
            values = select.apply(block, rows, out[piece])
        except (MemoryError, RuntimeError) as error:
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
        else:
            if scores is not None:
                scores[piece] = values
            return
        middle = (piece.start + piece.stop) // 2
        rank(slice(piece.start, middle))
        rank(slice(middle, piece.stop))

    return rank


def rank_embeddings(
    users: NDArray[np.floating],
    items: NDArray[np.floating],
    user_rows: ArrayLike | None = None,
    mask: sparse.csr_matrix | None = None,
    candidates: NDArray[np.bool_] | None = None,
    k: int = 50,
    memory_bytes: int = 2**30,
    add: ScoreBlock | Added | None = None,
    scores: NDArray[np.floating] | None = None,
) -> NDArray[np.int32]:
    """The k best items of each user by inner product.

    Parameters
    ----------
    users : float [n_users, dim]
    items : float [n_items, dim]
    user_rows : rows of ``users`` (and of ``mask``) to rank for; None for all
    mask, candidates, k, memory_bytes, scores : as in ``rank_users``
    add : what comes on top of the products, by rows of ``users``: float [b, n_items]; called from
        several threads at once

    Returns
    -------
    int32 [len(user_rows), k], as in ``rank_users``

    Notes
    -----
    Scores are float32 products by BLAS, which may round equal products differently in the last bit
    in different places of a block. Items with the same vector (all items without an interaction
    may have one) are therefore given the very same score, so that their ties go to the lower row.
    """
    rows = np.arange(len(users)) if user_rows is None else np.asarray(user_rows, dtype=np.int64)
    items = np.ascontiguousarray(items, dtype=np.float32)
    if candidates is not None and len(candidates) != len(items):
        raise ValueError(f"candidates has {len(candidates)} entries for {len(items)} items")
    columns = None
    if candidates is not None and 2 * np.count_nonzero(candidates) < len(items):
        # Few candidates (new items): score nothing else. The order of rows, and so of ties, stays.
        columns = np.flatnonzero(candidates)
        items, candidates = items[columns], None
        mask = None if mask is None else sparse.csr_matrix(mask[:, columns])
    with one_blas_thread():
        if isinstance(add, Added) and user_rows is None and add.by_columns:
            select = Selection.of(mask, candidates, k, 1)
            ranked = rank_by_columns(users, items, columns, select, add, scores)
        else:
            ranked = rank_users(
                _inner_products(users, items, add.rows if isinstance(add, Added) else add, columns),
                rows,
                mask,
                candidates,
                k,
                memory_bytes,
                n_items=len(items),
                concurrent=True,
                scores=scores,
            )
    if columns is None or len(columns) == 0:
        return ranked
    return np.where(ranked >= 0, columns[ranked], -1).astype(np.int32)


def _inner_products(
    users: NDArray[np.floating],
    items: NDArray[np.float32],
    add: ScoreBlock | None,
    columns: NDArray[np.int64] | None,
) -> ScoreBlock:
    """Scores of some users against all items; each thread writes to a buffer of its own.

    ``columns``: which of all items these are, where they are not all of them.
    """
    source, target = repeated_rows(items)
    buffers = threading.local()

    def score_block(chunk: NDArray[np.int64]) -> NDArray[np.float32]:
        buffer = getattr(buffers, "scores", None)
        if buffer is None or len(buffer) < len(chunk):
            buffer = np.empty((len(chunk), len(items)), dtype=np.float32)
            buffers.scores = buffer
        query = np.ascontiguousarray(users[chunk], dtype=np.float32)
        block = np.matmul(query, items.T, out=buffer[: len(chunk)])
        copy_columns(block, source, target)
        if add is not None:
            block += add(chunk) if columns is None else add(chunk)[:, columns]
        return block

    return score_block


def _as_block(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """A C-contiguous float32 or float64 matrix; whole numbers become float64 and stay exact."""
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise ValueError(f"scores must be a matrix [n, n_items], not {scores.shape}")
    if scores.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        scores = scores.astype(np.float32 if scores.dtype == np.float16 else np.float64)
    return np.ascontiguousarray(scores)


def _count_items(
    score_block: ScoreBlock,
    users: NDArray[np.int64],
    mask: sparse.csr_matrix | None,
    candidates: NDArray[np.bool_] | None,
    n_items: int | None,
) -> int:
    """The number of items that all inputs agree on; asks the scorer when nothing else tells."""
    known = {
        "n_items": n_items,
        "mask": None if mask is None else mask.shape[1],
        "candidates": None if candidates is None else len(candidates),
    }
    counts = {name: int(count) for name, count in known.items() if count is not None}
    if len(set(counts.values())) > 1:
        raise ValueError(f"the inputs disagree on the number of items: {counts}")
    if mask is not None and users.max() >= mask.shape[0]:
        raise ValueError(f"user row {users.max()} is outside a mask of {mask.shape[0]} rows")
    if counts:
        return next(iter(counts.values()))
    return int(score_block(users[:1]).shape[1])
