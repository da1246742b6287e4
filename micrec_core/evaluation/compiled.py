"""Kernels compiled by numba: top-k selection, hits, places, resampling.

None of them starts threads of its own: they release the GIL and write to disjoint rows, so that
callers share them among a thread pool and any number of app sessions may run them at once.
Every random stream is SplitMix64 (Steele et al., 2014) from a seed per resample: the same answer
whatever the chunking or the number of threads.
"""

# Numba infers the types of its functions; annotations here would only be comments.
# mypy: disable-error-code=no-untyped-def

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from micrec_core.compiling import kernel
from micrec_core.graphs.simd import WIDTH, above, lowest

_JIT: dict[str, Any] = {"nogil": True, "boundscheck": False}
_ONE = np.uint64(1)
# Scores that are counted before it is asked whether there are enough.
_PART = 512


@numba.njit(inline="always")
def _worse(score_a, row_a, score_b, row_b):
    """Whether a ranks below b: a lower score, or the same score and a higher row."""
    return score_a < score_b or (score_a == score_b and row_a > row_b)


@kernel(**_JIT)
def _sift_down(scores, rows, size):
    """Restore the heap (worst entry at 0) after its root was replaced."""
    score, row = scores[0], rows[0]
    place = 0
    child = 1
    while child < size:
        right = child + 1
        if right < size and _worse(scores[right], rows[right], scores[child], rows[child]):
            child = right
        if not _worse(scores[child], rows[child], score, row):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
        child = 2 * place + 1
    scores[place], rows[place] = score, row


@kernel(**_JIT)
def _sift_up(scores, rows, place):
    """Restore the heap (worst entry at 0) after an entry was appended at ``place``."""
    score, row = scores[place], rows[place]
    while place > 0:
        parent = (place - 1) // 2
        if not _worse(score, row, scores[parent], rows[parent]):
            break
        scores[place], rows[place] = scores[parent], rows[parent]
        place = parent
    scores[place], rows[place] = score, row


@kernel(**_JIT)
def _sort_heap(scores, rows, size):
    """Turn the heap into a list, best first."""
    for end in range(size - 1, 0, -1):
        scores[0], scores[end] = scores[end], scores[0]
        rows[0], rows[end] = rows[end], rows[0]
        _sift_down(scores, rows, end)


@numba.njit(inline="always")
def _few_above(row, first, last, bound):
    """As ``above``, of fewer than 64 scores."""
    found = np.uint64(0)
    for i in range(first, last):
        if row[i] > bound:
            found |= _ONE << np.uint64(i - first)
    return found


@numba.njit(inline="always")
def _first_from(indices, first, last, column):
    """The place of the first of the sorted indices[first:last] that is not below a column."""
    while first < last:
        middle = (first + last) // 2
        if indices[middle] < column:
            first = middle + 1
        else:
            last = middle
    return first


@kernel(**_JIT)
def keep_top(
    scores, first, last, begin, mask_rows, indptr, indices, allowed, out, values, sizes
):  # fmt: skip
    """Keep the rows of the best scores met so far in out[first:last], as heaps (worst first).

    scores [b, n], of items from ``begin`` on; mask_rows [b] row of each block row in the CSR mask
    (indptr, indices, sorted); allowed bool [n_items], or [0] for all; values [b, k], the scores of
    what is kept and minus infinity beyond; sizes [b], how many are. Items are met in ascending row,
    also from one call to the next, so that one with a score equal to the worst kept never displaces
    it: ties go to the lower row. NaN and minus infinity are never kept.
    """
    k = out.shape[1]
    n_items = scores.shape[1]
    all_allowed = allowed.shape[0] == 0
    for r in range(first, last):
        row = scores[r]
        rows = out[r]
        kept = values[r]
        size = sizes[r]
        bound = kept[0] if size == k else kept[k - 1]
        mask_end = indptr[mask_rows[r] + 1]
        at = _first_from(indices, indptr[mask_rows[r]], mask_end, begin)
        i = 0
        while i < n_items:
            stop = min(indices[at] - begin, n_items) if at < mask_end else n_items
            while i < stop:
                if i + WIDTH <= stop:
                    higher, ahead = above(scores, r, i, bound), WIDTH
                else:
                    higher, ahead = _few_above(row, i, stop, bound), stop - i
                while higher:
                    column = i + np.int64(lowest(higher))
                    higher &= higher - _ONE
                    score = row[column]
                    if score > bound and (all_allowed or allowed[begin + column]):
                        if size < k:
                            kept[size], rows[size] = score, begin + column
                            _sift_up(kept, rows, size)
                            size += 1
                        else:
                            kept[0], rows[0] = score, begin + column
                            _sift_down(kept, rows, size)
                        if size == k:
                            bound = kept[0]
                i += ahead
            i = stop + 1
            at += 1
        sizes[r] = size


@kernel(**_JIT)
def sort_top(first, last, out, values, sizes):
    """Turn what ``keep_top`` kept into lists, best first; -1 for nothing."""
    for r in range(first, last):
        _sort_heap(values[r], out[r], sizes[r])
        out[r, sizes[r] :] = -1


@kernel(**_JIT)
def multiply_alike(users, items, columns, out):
    """out[:, columns] = users items^T, equal for equal items whatever stands beside them.

    users [dim, b], items [n, dim], columns [n].
    """
    total = np.empty(users.shape[1], users.dtype)
    for j in range(items.shape[0]):
        total[:] = 0
        for d in range(users.shape[0]):
            weight, row = items[j, d], users[d]
            for r in range(total.shape[0]):
                total[r] += row[r] * weight
        for r in range(total.shape[0]):
            out[r, columns[j]] = total[r]


@kernel(**_JIT)
def copy_columns(scores, source, target):
    """scores[:, target] = scores[:, source], in place; source and target [m]."""
    for r in range(scores.shape[0]):
        row = scores[r]
        for j in range(source.shape[0]):
            row[target[j]] = row[source[j]]


@kernel(**_JIT)
def find_hits(ranked, indptr, indices, hits):
    """hits[r, j] = whether ranked[r, j] is among the sorted indices of row r; -1 is never one."""
    for r in range(ranked.shape[0]):
        for j in range(ranked.shape[1]):
            item = ranked[r, j]
            at = _first_from(indices, indptr[r], indptr[r + 1], item)
            hits[r, j] = at < indptr[r + 1] and indices[at] == item


@kernel(**_JIT)
def find_places(scores, own, places):
    """places[r] = place, from 1, of own[r, 0], a score of row r, by falling score.

    Equals share their places: each gets the mean of those they take up.
    """
    for r in range(scores.shape[0]):
        row, mine = scores[r], own[r, 0]
        above = 0
        ties = 0
        for i in range(row.shape[0]):
            above += row[i] > mine
            ties += row[i] == mine
        places[r] = 1 + above + (ties - 1) / 2


@kernel(**_JIT)
def places_of_blends(base, other, weights, order, indptr, indices, most, places):
    """places[w, e] = place, from 0, of column e of a row by base + weights[w] * other, or ``most``.

    base, other [b, n]; order [n], a different number for each column, of equals the lower standing
    first; (indptr, indices) the columns of each row that are asked for. What scores minus infinity
    or NaN is nowhere.
    """
    n = base.shape[1]
    for r in range(base.shape[0]):
        first, second = base[r], other[r]
        for e in range(indptr[r], indptr[r + 1]):
            column = indices[e]
            for w in range(weights.shape[0]):
                weight = weights[w]
                own = first[column] + weight * second[column]
                before = 0 if own > -np.inf else most
                equal, start = 0, 0
                # A part at a time: of most there are soon as many before it as matter.
                while start < n and before < most:
                    stop = min(start + _PART, n)
                    for j in range(start, stop):
                        score = first[j] + weight * second[j]
                        before += score > own
                        equal += score == own
                    start = stop
                if equal > 1 and before < most:
                    for j in range(n):
                        if first[j] + weight * second[j] == own:
                            before += order[j] < order[column]
                places[w, e] = min(before, most)


@numba.njit(inline="always")
def _mix(state):
    """The SplitMix64 output of a state."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel(**_JIT)
def resample_counts(seeds, counts):
    """counts[b, i] = how often resample b draws i, n draws with replacement; counts [B, n]."""
    n = counts.shape[1]
    for b in range(counts.shape[0]):
        state = seeds[b]
        row = counts[b]
        row[:] = 0.0
        for _ in range(n):
            state += np.uint64(0x9E3779B97F4A7C15)
            draw = _mix(state) >> np.uint64(32)
            row[np.int64((draw * np.uint64(n)) >> np.uint64(32))] += 1.0


@kernel(**_JIT)
def random_signs(seeds, signs):
    """signs[b, i] = +1 or -1 with equal chance; signs [B, n]."""
    n = signs.shape[1]
    for b in range(signs.shape[0]):
        state = seeds[b]
        row = signs[b]
        for start in range(0, n, 64):
            state += np.uint64(0x9E3779B97F4A7C15)
            bits = _mix(state)
            for i in range(start, min(start + 64, n)):
                row[i] = 1.0 if bits & np.uint64(1) else -1.0
                bits >>= np.uint64(1)
